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

/// A compiled step that rounds, and how far PyTorch's gradients are from exact ones, by path.
struct RoundedRun {
  integration::TrainingRun run;
  const std::map<std::string, double> &errorsOfPyTorch;
};

/// Per tensor, the compiled gradient is at most twice as far from the float64 one as PyTorch's is, in the median over
/// batches: in float32, whether the library multiplies or our tiles do, and in mixed precision against autocast.
TEST_P(Gradients, RoundAsLittleAsPyTorch) {
  golden::Golden golden = golden::read(GetParam().name);
  ASSERT_FALSE(golden.float32Errors.empty());
  integration::LoadedNet net(GetParam());
  ASSERT_TRUE(net.module);
  TrainingOptions options = net.trainingOptions(golden);
  options.returnGradients = true;
  std::map<std::string, RoundedRun> runs;
  auto add = [&](const char *name, Precision precision, const char *candidate, const auto &errors) {
    options.precision = precision;
    runs.try_emplace(name, RoundedRun{{net, options, "host", candidate}, errors});
    return static_cast<bool>(runs.at(name).run);
  };
  ASSERT_TRUE(add("float32, onednn", Precision::F32, "onednn", golden.float32Errors));
  ASSERT_TRUE(add("float32, tile", Precision::F32, "tile", golden.float32Errors));
  if (!golden.bfloat16Errors.empty()) {
    ASSERT_TRUE(add("bfloat16", Precision::BF16, "", golden.bfloat16Errors));
  }
  integration::ReferenceStep exact(net, golden);

  std::map<std::string, std::map<std::string, std::vector<double>>> errors; // by run and path
  for (size_t batch = 0; batch < golden.float32Batches; ++batch) {
    // All start from the same numbers, which float32 holds exactly.
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
    for (auto &[name, rounded] : runs) {
      rounded.run.start(start);
      rounded.run.step(golden, batch);
      for (const auto &[path, gradient] : wanted.byPath) {
        std::vector<double> actual = rounded.run.gradient(path);
        if (integration::norm(gradient) < noiseOfFloat64 * largest)
          EXPECT_LT(integration::norm(actual), noiseOfFloat32 * largest) << name << ", " << path;
        else
          errors[name][path].push_back(integration::relativeError(actual, gradient));
      }
    }
  }
  for (auto &[name, byPath] : errors) {
    const std::map<std::string, double> &allowed = runs.at(name).errorsOfPyTorch;
    EXPECT_GT(byPath.size(), allowed.size() / 2);
    for (auto &[path, values] : byPath) {
      std::sort(values.begin(), values.end());
      EXPECT_LE(values[values.size() / 2], std::max(2 * allowed.at(path), threeUnits)) << name << ", " << path;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Nets, Gradients, testing::ValuesIn(integration::nets),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
