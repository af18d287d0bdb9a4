//===- GradientTest.cpp - gradients of whole nets against PyTorch ---------===//

#include "Golden.h"

#include "espalier/Analysis/ReferenceEvaluator.h"
#include "espalier/Frontend/DSL.h"
#include "espalier/Pipelines/InitAll.h"
#include "espalier/Pipelines/Step.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/SourceMgr.h"

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

/// The file with its image size left open, since gradients at 224 would take minutes in the reference evaluator.
void addWithOpenSize(const std::string &path, llvm::SourceMgr &sources) {
  auto file = llvm::MemoryBuffer::getFile(path);
  ASSERT_TRUE(static_cast<bool>(file)) << path;
  std::string text = (*file)->getBuffer().str();
  if (size_t at = text.find("224, 224"); at != std::string::npos)
    text.replace(at, 8, "H, W");
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, path), llvm::SMLoc());
}

struct Net {
  const char *name;
  uint64_t classes;
};

class Gradients : public testing::TestWithParam<Net> {};

/// Our float64 equals PyTorch's float64 to 1e-9 of each gradient's norm.
TEST_P(Gradients, EqualPyTorchInFloat64) {
  golden::Golden expected = golden::read(GetParam().name);
  ASSERT_FALSE(expected.gradients.empty());

  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler handler(sources, &context);
  ArchitectureOptions losses;
  losses.losses = {"cross_entropy"};
  std::string name = GetParam().name;
  addWithOpenSize(std::string(ESPALIER_SOURCE_DIR) + "/examples/zoo/" + name + ".esp", sources);
  OwningOpRef<ModuleOp> module = parseArchitecture(sources, &context, losses);
  ASSERT_TRUE(module);
  // Dropout draws numbers of its own in each framework.
  module->walk([](cg::DropoutOp dropout) { dropout.setRateAttr(Builder(dropout).getF64FloatAttr(0.0)); });

  TrainingOptions options;
  options.network = name;
  options.loss = name + ".cross_entropy";
  options.float64 = true;
  options.returnGradients = true;
  std::string size = std::to_string(expected.size);
  options.sizes = {"N=" + std::to_string(expected.batch), "H=" + size, "W=" + size};
  PassManager manager(&context);
  buildTrainingStepPipeline(manager, options);
  ASSERT_TRUE(succeeded(manager.run(*module)));

  cg::GraphOp step = *module->getOps<cg::GraphOp>().begin();
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
  size_t compared = 0;
  for (unsigned i = 0; i < step.getNumResults(); ++i) {
    if (step.getResultAttrOfType<StringAttr>(i, cg::roleAttrName).getValue() != "gradient")
      continue;
    std::string path = step.getResultAttrOfType<StringAttr>(i, cg::pathAttrName).str();
    ASSERT_TRUE(expected.gradients.count(path)) << path;
    const std::vector<double> &wanted = expected.gradients[path];
    std::vector<double> actual = digest(path, run->results[i].data, wanted.size() - 1);
    for (size_t k = 0; k < wanted.size(); ++k)
      EXPECT_NEAR(actual[k], wanted[k], 1e-9 * wanted[0]) << path << ", digest " << k;
    ++compared;
  }
  EXPECT_EQ(compared, expected.gradients.size());
}

INSTANTIATE_TEST_SUITE_P(Nets, Gradients, testing::Values(Net{"cifar_resnet20", 10}, Net{"mobilenet_v2", 1000}),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
