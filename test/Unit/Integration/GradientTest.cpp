//===- GradientTest.cpp - gradients of whole nets against PyTorch ---------===//

#include "Golden.h"
#include "Nets.h"

#include "espalier/Analysis/ReferenceEvaluator.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace espalier;
using namespace mlir;

namespace {

/// Norm and products with signs, as the golden holds them.
std::vector<double> digest(const std::string &path, const std::vector<double> &gradient, size_t products) {
  double square = 0.0;
  for (double value : gradient)
    square += value * value;
  std::vector<double> result{std::sqrt(square)};
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

  integration::LoadedNet net(GetParam().name);
  ASSERT_TRUE(net.module);
  TrainingOptions options = net.trainingOptions(expected);
  options.returnGradients = true;
  PassManager manager(&net.context);
  buildTrainingStepPipeline(manager, options);
  ASSERT_TRUE(succeeded(manager.run(*net.module)));

  cg::GraphOp step = *net.module->getOps<cg::GraphOp>().begin();
  std::vector<cg::ReferenceTensor> arguments;
  for (unsigned i = 0; i < step.getNumArguments(); ++i) {
    cg::ReferenceTensor tensor(cast<RankedTensorType>(step.getArgumentTypes()[i]));
    StringRef role = step.getArgAttrOfType<StringAttr>(i, cg::roleAttrName).getValue();
    size_t count = tensor.data.size();
    if (role == "parameter") {
      auto path = step.getArgAttrOfType<StringAttr>(i, cg::pathAttrName);
      tensor.data = golden::initial(path.str(), tensor.shape().vec());
    } else if (role == "input" && tensor.rank() == 4) {
      tensor.data = golden::uniform("images0", count);
    } else if (role == "input") {
      std::vector<int64_t> labels = golden::labels("labels0", count, GetParam().classes);
      tensor.data.assign(labels.begin(), labels.end());
    }
    arguments.push_back(std::move(tensor));
  }
  auto noStorage = [](Operation *op) -> FailureOr<cg::ReferenceTensor> {
    return op->emitError("is not expected here");
  };
  FailureOr<cg::ReferenceRun> run = cg::evaluateReference(step, arguments, noStorage);
  ASSERT_TRUE(succeeded(run));

  EXPECT_NEAR(run->results[0].data[0], expected.losses[0], 1e-9 * std::fabs(expected.losses[0]));
  // A shift in front of a normalisation has no effect: its gradient is zero, and what is left of it is the rounding of
  // larger numbers.
  double largest = 0.0;
  for (const auto &[path, wanted] : expected.gradients)
    largest = std::max(largest, wanted[0]);
  double noise = 1e-13 * largest;

  size_t compared = 0;
  for (unsigned i = 0; i < step.getNumResults(); ++i) {
    if (step.getResultAttrOfType<StringAttr>(i, cg::roleAttrName).getValue() != "gradient")
      continue;
    std::string path = step.getResultAttrOfType<StringAttr>(i, cg::pathAttrName).str();
    ASSERT_TRUE(expected.gradients.count(path)) << path;
    const std::vector<double> &wanted = expected.gradients[path];
    std::vector<double> actual = digest(path, run->results[i].data, wanted.size() - 1);
    for (size_t k = 0; k < wanted.size(); ++k)
      EXPECT_NEAR(actual[k], wanted[k], 1e-9 * wanted[0] + noise) << path << ", digest " << k;
    ++compared;
  }
  EXPECT_EQ(compared, expected.gradients.size());
}

INSTANTIATE_TEST_SUITE_P(Nets, Gradients, testing::ValuesIn(integration::nets),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
