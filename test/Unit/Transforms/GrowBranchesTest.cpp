//===- GrowBranchesTest.cpp - networks that grow and lose branches --------===//
//
// A branch that is added to a convolution, or cut from it, changes what a network computes, and the main filter and the
// shift of its norm make up for it exactly: by the difference of what both blocks fold into. In float64, in inference
// mode, for random convolutions and every branch of DyRep.
//
//===----------------------------------------------------------------------===//

#include "../../../tools/common/BranchBlocks.h"
#include "../TestRegistry.h"

#include "espalier/Analysis/WeightEvaluator.h"
#include "espalier/Frontend/DSL.h"
#include "espalier/Transforms/BlockProvider.h"
#include "espalier/Transforms/BranchBlock.h"
#include "espalier/Transforms/BranchPasses.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

using namespace espalier;

namespace {

constexpr double equal = 1e-12, different = 1e-3;
constexpr int numCases = 40;
constexpr const char *filterPath = "c.weight";

struct ConvCase {
  int64_t outputs = 4, extent = 3, stride = 1, pad = 1, dilation = 1, groups = 1;
  bool isBiased = false;
  int64_t size = 11;

  std::string network() const {
    return llvm::formatv("arch net(x: f64[2, 4, {0}, {0}]) {{ x |> conv({1}, {2}, stride = {3}, pad = {4}, "
                         "dilation = {5}, groups = {6}, bias = {7}) as c |> batch_norm as norm |> relu }",
                         size, outputs, extent, stride, pad, dilation, groups, isBiased ? "true" : "false");
  }
};

ConvCase drawCase(std::mt19937_64 &random) {
  auto pick = [&](std::initializer_list<int64_t> values) { return values.begin()[random() % values.size()]; };
  ConvCase drawn;
  drawn.outputs = pick({4, 8});
  drawn.extent = pick({3, 5});
  drawn.stride = pick({1, 1, 2});
  drawn.pad = pick({0, 1, 2, 3});
  drawn.dilation = pick({1, 1, 2});
  drawn.groups = pick({1, 2, 4});
  drawn.isBiased = random() % 2;
  return drawn;
}

/// A network of one convolution with its storage.
class Network {
public:
  Network(mlir::MLIRContext &context, const ConvCase &conv, uint64_t seed) : context(context), random(seed) {
    llvm::SourceMgr sources;
    sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(conv.network(), "net.esp"), llvm::SMLoc());
    module = parseArchitecture(sources, &context);
  }
  explicit operator bool() const { return bool(module); }
  cg::GraphOp graph() { return *module->getOps<cg::GraphOp>().begin(); }

  bool grow(const std::string &block, const std::string &scope) {
    cg::ExpandBranchesOptions options;
    options.block = block;
    options.scope = scope;
    options.initialize = cg::BranchInitialization::Grow;
    options.paths = {filterPath};
    mlir::PassManager manager(&context);
    manager.addPass(cg::createExpandBranches(options));
    return succeeded(manager.run(*module));
  }
  bool cut(const std::string &path) {
    cg::CutBranchesOptions options;
    options.paths = {path};
    mlir::PassManager manager(&context);
    manager.addNestedPass<cg::GraphOp>(cg::createCutBranches(options));
    return succeeded(manager.run(*module));
  }

  cg::BranchBlock block() {
    mlir::FailureOr<cg::BranchBlock> found = cg::findBranchBlock(graph(), filterPath);
    EXPECT_TRUE(succeeded(found));
    return succeeded(found) ? *found : cg::BranchBlock();
  }

  /// Filter and bias of the one convolution.
  std::array<std::vector<double>, 2> fold(const cg::BranchBlock &block) {
    std::array<std::vector<double>, 2> folded;
    mlir::OwningOpRef<mlir::ModuleOp> weights = cg::foldBlock(block);
    EXPECT_TRUE(bool(weights));
    if (!weights)
      return folded;
    cg::GraphOp graph = *weights->getOps<cg::GraphOp>().begin();
    for (auto [numbers, type] : llvm::zip_equal(folded, graph.getResultTypes()))
      numbers.resize(llvm::cast<mlir::RankedTensorType>(type).getNumElements());
    EXPECT_TRUE(succeeded(cg::evaluateWeights(
        graph,
        [&](mlir::Operation *op) -> mlir::FailureOr<cg::WeightSource> {
          return cg::WeightSource([from = stored(op)](int64_t offset, llvm::MutableArrayRef<double> elements) {
            std::copy_n(from.begin() + offset, elements.size(), elements.begin());
          });
        },
        [&](unsigned index, int64_t offset, llvm::ArrayRef<double> elements) {
          llvm::copy(elements, folded[index].begin() + offset);
        })));
    return folded;
  }

  /// Lets the main convolution make up for the difference between `before` and what the block folds into now.
  void compensate(const std::array<std::vector<double>, 2> &before) {
    cg::BranchBlock now = block();
    auto [filter, bias] = fold(now);
    std::vector<double> &weight = stored(now.filter), &shift = stored(now.norm.getShift().getDefiningOp());
    const std::vector<double> &scale = stored(now.norm.getScale().getDefiningOp()),
                              &variance = stored(now.norm.getVariance().getDefiningOp());
    ASSERT_EQ(filter.size(), weight.size());
    ASSERT_EQ(before[0].size(), weight.size());
    ASSERT_EQ(bias.size(), shift.size());
    ASSERT_EQ(before[1].size(), shift.size());
    size_t perOutput = weight.size() / shift.size();
    for (size_t i = 0; i < weight.size(); ++i) {
      size_t o = i / perOutput;
      weight[i] +=
          (before[0][i] - filter[i]) * std::sqrt(variance[o] + now.norm.getEpsilon().convertToDouble()) / scale[o];
    }
    for (size_t o = 0; o < shift.size(); ++o)
      shift[o] += before[1][o] - bias[o];
  }

  std::vector<double> evaluate() {
    cg::ReferenceTensor image(llvm::cast<mlir::RankedTensorType>(graph().getArgument(0).getType()));
    std::mt19937_64 own(7);
    for (double &value : image.data)
      value = std::uniform_real_distribution<double>(-1.0, 1.0)(own);
    auto run =
        cg::evaluateReference(graph(), {image}, [&](mlir::Operation *op) -> mlir::FailureOr<cg::ReferenceTensor> {
          cg::ReferenceTensor tensor(llvm::cast<mlir::RankedTensorType>(op->getResult(0).getType()));
          tensor.data = stored(op);
          return tensor;
        });
    EXPECT_TRUE(succeeded(run));
    return succeeded(run) ? run->results.front().data : std::vector<double>();
  }

private:
  /// Drawn when first asked for; variances and scales keep away from 0.
  std::vector<double> &stored(mlir::Operation *op) {
    std::string path = op->getAttrOfType<mlir::StringAttr>("path").str();
    auto type = llvm::cast<mlir::RankedTensorType>(op->getResult(0).getType());
    auto [it, isNew] = values.try_emplace(path, type.getNumElements());
    llvm::StringRef name = path;
    bool isPositive = type.getRank() == 1 && (name.ends_with(".weight") || name.ends_with("running_var"));
    if (isNew)
      for (double &value : it->second)
        value = std::uniform_real_distribution<double>(isPositive ? 0.5 : -1.0, isPositive ? 1.5 : 1.0)(random);
    return it->second;
  }

  mlir::MLIRContext &context;
  std::mt19937_64 random;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::map<std::string, std::vector<double>> values;
};

double distance(const std::vector<double> &lhs, const std::vector<double> &rhs) {
  double difference = 0, norm = 0;
  if (lhs.size() != rhs.size())
    return INFINITY;
  for (size_t i = 0; i < lhs.size(); ++i) {
    difference += (lhs[i] - rhs[i]) * (lhs[i] - rhs[i]);
    norm += rhs[i] * rhs[i];
  }
  return std::sqrt(difference / norm);
}

class GrowBranches : public testing::TestWithParam<std::string> {
protected:
  GrowBranches() : context(makeRegistryWithBlocks(), mlir::MLIRContext::Threading::DISABLED) {
    context.loadAllAvailableDialects();
  }
  static mlir::DialectRegistry makeRegistryWithBlocks() {
    mlir::DialectRegistry registry = makeRegistry();
    tools::registerBranchBlocks(registry);
    return registry;
  }

  mlir::MLIRContext context;
};

/// Two branches of a kind beside an origin, the first of which is cut again.
TEST_P(GrowBranches, MakesUpForWhatChanges) {
  std::mt19937_64 random(llvm::hash_value(llvm::StringRef(GetParam())));
  int numFitting = 0;
  for (int i = 0; i < numCases; ++i) {
    ConvCase drawn = drawCase(random);
    SCOPED_TRACE(drawn.network());
    Network network(context, drawn, random());
    ASSERT_TRUE(bool(network));
    std::vector<double> wanted = network.evaluate();

    // The convolution up to its norm, which stays behind the origin.
    cg::BranchBlock plain = network.block();
    ASSERT_TRUE(plain.norm);
    plain.end = plain.norm.getInput();
    plain.norm = nullptr;
    std::array<std::vector<double>, 2> before = network.fold(plain);
    ASSERT_TRUE(network.grow("dyrep_origin", ""));
    EXPECT_GE(distance(network.evaluate(), wanted), different);
    network.compensate(before);
    ASSERT_LE(distance(network.evaluate(), wanted), equal);
    EXPECT_TRUE(cg::findBranches(network.block()).empty());

    int numErrors = 0;
    std::optional<std::string> refusal;
    {
      mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &) { ++numErrors; });
      refusal = cg::refuseBlock(network.graph(), filterPath, GetParam());
    }
    EXPECT_EQ(numErrors, 0);
    bool isIdentity = GetParam() == "dyrep_identity";
    EXPECT_EQ(refusal.has_value(), isIdentity && (drawn.outputs != 4 || drawn.stride != 1));
    if (refusal) {
      EXPECT_NE(refusal->find("the input itself has 4 channels at a stride of 1x1"), std::string::npos) << *refusal;
      continue;
    }
    ++numFitting;

    for (const char *scope : {"g1", "g2"}) {
      before = network.fold(network.block());
      ASSERT_TRUE(network.grow(GetParam(), scope));
      EXPECT_GE(distance(network.evaluate(), wanted), different);
      network.compensate(before);
      ASSERT_LE(distance(network.evaluate(), wanted), equal) << scope;
    }
    llvm::SmallVector<cg::BranchSummand> branches = cg::findBranches(network.block());
    ASSERT_EQ(branches.size(), 2u);
    EXPECT_TRUE(llvm::StringRef(branches[0].prefix).starts_with("c.g2.")) << branches[0].prefix;
    EXPECT_TRUE(llvm::StringRef(branches[1].prefix).starts_with("c.g1.")) << branches[1].prefix;
    EXPECT_TRUE(llvm::StringRef(branches[1].scalePath).starts_with(branches[1].prefix)) << branches[1].scalePath;
    EXPECT_TRUE(llvm::StringRef(branches[1].scalePath).ends_with("norm.weight")) << branches[1].scalePath;

    before = network.fold(network.block());
    ASSERT_TRUE(network.cut("c.g1"));
    EXPECT_GE(distance(network.evaluate(), wanted), different);
    network.compensate(before);
    ASSERT_LE(distance(network.evaluate(), wanted), equal) << "cut";
    branches = cg::findBranches(network.block());
    ASSERT_EQ(branches.size(), 1u);
    EXPECT_TRUE(llvm::StringRef(branches[0].prefix).starts_with("c.g2."));
  }
  EXPECT_GE(numFitting, 5);
}

INSTANTIATE_TEST_SUITE_P(DyRep, GrowBranches,
                         testing::Values("dyrep_point", "dyrep_chain", "dyrep_average", "dyrep_square", "dyrep_row",
                                         "dyrep_column", "dyrep_identity"),
                         [](const auto &info) { return info.param; });

} // namespace
