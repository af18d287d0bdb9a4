//===- ExpandBranchesTest.cpp - expansion that preserves a network --------===//
//
// With `initialize=preserve`, the expanded network computes in inference mode what the network did, whatever its
// parameters and states are: checked in float64, for every block of the library.
//
//===----------------------------------------------------------------------===//

#include "../../../tools/common/BranchBlocks.h"
#include "../TestRegistry.h"

#include "espalier/Analysis/ReferenceEvaluator.h"
#include "espalier/Frontend/DSL.h"
#include "espalier/Transforms/BranchPasses.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/xxhash.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace espalier;

namespace {

constexpr const char *network = R"(
arch net(x: f64[2, 4, 9, 8]) -> f64[2, 5] {
  x |> conv(4, 3, bias = false) as plain |> batch_norm(epsilon = 0.01) as plain_norm |> relu
    |> conv(6, 3, stride = 2) as strided |> batch_norm as strided_norm |> relu
    |> conv(6, 3, dilation = 2, bias = false) as dilated |> relu
    |> conv(4, (3, 5), groups = 2) as grouped |> relu
    |> conv(4, 3, groups = 4, bias = false) as depthwise |> batch_norm as depthwise_norm |> relu
    |> conv(4, 5, pad = 1, bias = false) as cropped |> batch_norm as cropped_norm |> relu
    |> flatten |> linear(5) as fc
}
)";

/// Numbers in (-1, 1) that look random, and variances in (0.5, 1.5), of a path.
cg::ReferenceTensor noise(llvm::StringRef path, mlir::Type type) {
  cg::ReferenceTensor tensor(llvm::cast<mlir::RankedTensorType>(type));
  for (auto [i, element] : llvm::enumerate(tensor.data)) {
    uint64_t hash = llvm::xxh3_64bits(path.str() + "#" + std::to_string(i));
    element = double(hash % 20011) / 10006.0 - 1.0;
    if (path.ends_with("running_var"))
      element = 1.0 + 0.5 * element;
  }
  return tensor;
}

class ExpandBranches : public testing::TestWithParam<std::string> {
protected:
  ExpandBranches() : context(makeRegistryWithBlocks(), mlir::MLIRContext::Threading::DISABLED) {
    llvm::SourceMgr sources;
    sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBuffer(network, "net.esp"), llvm::SMLoc());
    module = parseArchitecture(sources, &context);
  }

  static mlir::DialectRegistry makeRegistryWithBlocks() {
    mlir::DialectRegistry registry = makeRegistry();
    tools::registerBranchBlocks(registry);
    return registry;
  }

  cg::GraphOp graph() { return *module->getOps<cg::GraphOp>().begin(); }

  mlir::LogicalResult expand(cg::BranchInitialization initialize) {
    cg::ExpandBranchesOptions options;
    options.block = GetParam();
    options.initialize = initialize;
    if (options.block == "dyrep_identity") // fits these alone
      options.paths = {"plain.*", "dilated.*", "depthwise.*", "cropped.*"};
    mlir::PassManager manager(&context);
    manager.addPass(cg::createExpandBranches(options));
    return manager.run(*module);
  }

  /// The network's result. What was there before is noise, for good; what is new and starts at one number has that.
  std::vector<double> evaluate(const llvm::StringSet<> &given) {
    auto run = cg::evaluateReference(graph(), noise("x", graph().getArgument(0).getType()), [&](mlir::Operation *op) {
      llvm::StringRef path = op->getAttrOfType<mlir::StringAttr>("path").getValue();
      cg::ReferenceTensor tensor = noise(path, op->getResult(0).getType());
      if (auto fill = op->getAttrOfType<cg::FillAttr>("init"); fill && !given.contains(path))
        std::fill(tensor.data.begin(), tensor.data.end(), fill.getValue().getValueAsDouble());
      return tensor;
    });
    EXPECT_TRUE(mlir::succeeded(run));
    return mlir::succeeded(run) ? run->results.front().data : std::vector<double>();
  }

  llvm::StringSet<> paths() {
    llvm::StringSet<> result;
    for (mlir::Operation &op : graph().getBody().front())
      if (auto path = op.getAttrOfType<mlir::StringAttr>("path"))
        result.insert(path.getValue());
    return result;
  }

  static double difference(const std::vector<double> &a, const std::vector<double> &b) {
    double largest = 0, scale = 0;
    for (auto [p, q] : llvm::zip_equal(a, b)) {
      largest = std::max(largest, std::fabs(p - q));
      scale = std::max(scale, std::fabs(q));
    }
    return largest / scale;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

} // namespace

TEST_P(ExpandBranches, PreservesTheFunction) {
  ASSERT_TRUE(bool(module));
  llvm::StringSet<> given = paths();
  std::vector<double> before = evaluate(given);
  ASSERT_TRUE(mlir::succeeded(expand(cg::BranchInitialization::Preserve)));
  llvm::StringSet<> expanded = paths();
  EXPECT_GT(expanded.size(), given.size());
  // A weights file of the plain network finds all its tensors.
  for (llvm::StringRef path : given.keys())
    EXPECT_TRUE(expanded.contains(path)) << path.str();
  EXPECT_LE(difference(evaluate(given), before), 1e-12);
}

TEST_P(ExpandBranches, StartsAsThePaperSays) {
  ASSERT_TRUE(bool(module));
  llvm::StringSet<> given = paths();
  std::vector<double> before = evaluate(given);
  ASSERT_TRUE(mlir::succeeded(expand(cg::BranchInitialization::Paper)));
  // Now the branches count, be they small or, for an origin alone, the epsilon of a norm.
  EXPECT_GT(difference(evaluate(given), before), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Library, ExpandBranches, testing::ValuesIn(libraryFileNames()),
                         [](const auto &info) { return info.param; });
