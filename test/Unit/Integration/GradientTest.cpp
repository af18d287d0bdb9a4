//===- GradientTest.cpp - gradients of whole nets against PyTorch ---------===//

#include "ReferenceStep.h"
#include "TrainingRun.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

using namespace espalier;

namespace {

/// A shift in front of a normalisation has no effect: its gradient is zero, and what is left of it is the rounding of
/// larger numbers. Rounding of this part of the largest gradient's norm is not told from zero.
constexpr double noiseOfFloat64 = 1e-13;
constexpr double noiseOfFloat32 = noiseOfFloat64 * (1 << 29); // 29 bits of precision less

/// Three units in the last place of float32. PyTorch's gradient of a last layer's bias is within half a unit, which is
/// as close as one can be; what remains is the order in which that layer's products are added up.
constexpr double threeUnits = 0x3p-23;

/// Norm and products with signs, as the golden holds them.
std::vector<double> digest(const std::string &path, const std::vector<double> &gradient, size_t products) {
  std::vector<double> result{integration::norm(gradient)};
  for (unsigned i = 0; i < products; ++i) {
    std::vector<double> signs = golden::signs(path, i, gradient.size());
    double product = 0.0;
    for (size_t j = 0; j < gradient.size(); ++j)
      product += gradient[j] * signs[j];
    result.push_back(product);
  }
  return result;
}

class Gradients : public testing::TestWithParam<integration::Net> {};

/// Our float64 equals PyTorch's float64 to 1e-9 of each gradient's norm.
TEST_P(Gradients, EqualPyTorchInFloat64) {
  golden::Golden expected = golden::read(GetParam().name);
  ASSERT_FALSE(expected.gradients.empty());
  integration::LoadedNet net(GetParam());
  ASSERT_TRUE(net.module);
  integration::Gradients actual = integration::ReferenceStep(net, expected).evaluate(golden::initial, 0);

  EXPECT_NEAR(actual.loss, expected.losses[0], 1e-9 * std::fabs(expected.losses[0]));
  double largest = 0.0;
  for (const auto &[path, wanted] : expected.gradients)
    largest = std::max(largest, wanted[0]);
  EXPECT_EQ(actual.byPath.size(), expected.gradients.size());
  for (const auto &[path, wanted] : expected.gradients) {
    std::vector<double> digested = digest(path, actual.byPath[path], wanted.size() - 1);
    for (size_t k = 0; k < wanted.size(); ++k)
      EXPECT_NEAR(digested[k], wanted[k], 1e-9 * wanted[0] + noiseOfFloat64 * largest) << path << ", digest " << k;
  }
}

/// Per tensor, the compiled gradient is at most twice as far from the float64 one as PyTorch's is, by `allowed`, in the
/// median over batches. `candidates` say what multiplies: the library, or our tiles; by default what the compiler
/// chooses.
void expectLittleRounding(const integration::Net &which, const golden::Golden &golden, Precision precision,
                          std::vector<std::string> candidates, const std::map<std::string, double> &allowed) {
  ASSERT_FALSE(allowed.empty());
  integration::LoadedNet net(which);
  ASSERT_TRUE(net.module);
  TrainingOptions options = net.trainingOptions(golden);
  options.returnGradients = true;
  options.precision = precision;
  std::map<std::string, integration::TrainingRun> runs; // by candidate
  for (const std::string &candidate : candidates)
    ASSERT_TRUE(runs.try_emplace(candidate, net, options, "host", candidate).first->second);
  integration::ReferenceStep exact(net, golden);

  std::map<std::string, std::map<std::string, std::vector<double>>> errors; // by candidate and path
  for (size_t batch = 0; batch < golden.float32Batches; ++batch) {
    // Both start from the same numbers, which float32 holds exactly.
    auto start = [&](const std::string &path, const std::vector<int64_t> &shape) {
      std::string name = "batch" + std::to_string(batch) + "/" + path;
      std::vector<double> values = golden::initialAwayFromKinks(name, shape, golden.float32Shift);
      for (double &value : values)
        value = static_cast<float>(value);
      return values;
    };
    integration::Gradients wanted = exact.evaluate(start, batch);
    double largest = 0.0;
    for (const auto &[path, gradient] : wanted.byPath)
      largest = std::max(largest, integration::norm(gradient));
    for (auto &[candidate, rounded] : runs) {
      rounded.start(start);
      rounded.step(golden, batch);
      for (const auto &[path, gradient] : wanted.byPath) {
        std::vector<double> actual = rounded.gradient(path);
        if (integration::norm(gradient) < noiseOfFloat64 * largest)
          EXPECT_LT(integration::norm(actual), noiseOfFloat32 * largest) << candidate << ", " << path;
        else
          errors[candidate][path].push_back(integration::relativeError(actual, gradient));
      }
    }
  }
  for (auto &[candidate, byPath] : errors) {
    EXPECT_GT(byPath.size(), allowed.size() / 2);
    for (auto &[path, values] : byPath) {
      std::sort(values.begin(), values.end());
      EXPECT_LE(values[values.size() / 2], std::max(2 * allowed.at(path), threeUnits)) << candidate << ", " << path;
    }
  }
}

TEST_P(Gradients, RoundAsLittleAsPyTorchInFloat32) {
  golden::Golden golden = golden::read(GetParam().name);
  expectLittleRounding(GetParam(), golden, Precision::F32, {"onednn", "tile"}, golden.float32Errors);
}

INSTANTIATE_TEST_SUITE_P(Nets, Gradients, testing::ValuesIn(integration::nets),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
