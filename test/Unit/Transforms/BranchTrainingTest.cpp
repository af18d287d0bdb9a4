//===- BranchTrainingTest.cpp - rewritten branches learn as they did ------===//
//
// Branches that are folded in each step, and branches that became one convolution with a scaled gradient, against the
// branches as they stand, trained by the same optimizer on the same batches in float64.
//
//===----------------------------------------------------------------------===//

#include "../TestRegistry.h"
#include "BranchedConvolution.h"
#include "TrainedGraph.h"

#include "espalier/Analysis/ReferenceEvaluator.h"
#include "espalier/Pipelines/InitAll.h"
#include "espalier/Transforms/BranchPasses.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <mutex>

using namespace espalier;
using namespace espalier::test;

namespace {

constexpr int numSteps = 50;
constexpr double equal = 1e-10;

class BranchTraining : public testing::Test {
protected:
  BranchTraining() : context(makeRegistry(), mlir::MLIRContext::Threading::DISABLED) {
    static std::once_flag once;
    std::call_once(once, registerOwnPasses);
    context.loadAllAvailableDialects();
  }

  struct Batch {
    std::vector<std::vector<double>> inputs;
  };
  static std::vector<Batch> drawBatches(Generator &random, const Window &window) {
    std::vector<Batch> batches;
    for (int step = 0; step < numSteps; ++step)
      batches.push_back(
          {{draw(random, window.numImageElements(), -1.0, 1.0), draw(random, window.numResultElements(), -1.0, 1.0)}});
    return batches;
  }
  static std::vector<double> drawFilter(Generator &random, const Window &window, const Branch &branch) {
    return draw(random, static_cast<size_t>(window.outputs * window.inputs() * branch.rows * branch.columns), -0.3,
                0.3);
  }
  static double distance(const std::vector<double> &lhs, const std::vector<double> &rhs) {
    double largest = lhs.size() == rhs.size() ? 0.0 : INFINITY;
    for (size_t i = 0; i < std::min(lhs.size(), rhs.size()); ++i)
      largest = std::max(largest, std::fabs(lhs[i] - rhs[i]));
    return largest;
  }

  /// A whole window, its middle row and column, and its centre: branches with a filter of their own.
  static std::vector<Branch> drawCentred(Generator &random, const Window &window) {
    std::vector<Branch> branches = drawBranches(random, window);
    branches.resize(4);
    return branches;
  }

  /// The largest difference of a filter or factor at any step, with `rewrite` before differentiation on one side.
  double distanceOnline(const Window &window, const std::string &rewrite, const std::string &optimizer, uint64_t seed) {
    Generator random(seed);
    std::vector<Branch> branches = drawBranches(random, window);
    std::string text = branchedGraph(window, branches, /*trainFactors=*/true);
    std::string train = "cg-differentiate,cg-apply-optimizer{" + optimizer + "}";
    TrainedGraph plain(context, text, train), folded(context, text, rewrite + train);
    for (size_t b = 0; b < branches.size(); ++b)
      for (TrainedGraph *side : {&plain, &folded}) {
        Generator own(seed + b);
        side->value("branch" + std::to_string(b)) = drawFilter(own, window, branches[b]);
        side->value("factor" + std::to_string(b)) = branches[b].factors;
      }
    double largest = 0.0;
    for (const Batch &batch : drawBatches(random, window)) {
      plain.step(batch.inputs, 1e-3);
      folded.step(batch.inputs, 1e-3);
      for (size_t b = 0; b < branches.size(); ++b)
        for (std::string name : {"branch", "factor"})
          largest = std::max(largest,
                             distance(plain.value(name + std::to_string(b)), folded.value(name + std::to_string(b))));
    }
    return largest;
  }

  mlir::MLIRContext context;
};

int countConvolutions(mlir::MLIRContext &context, const std::string &text, const std::string &passes) {
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  mlir::PassManager manager(&context);
  EXPECT_TRUE(succeeded(mlir::parsePassPipeline("cg.graph(" + passes + ")", manager)));
  EXPECT_TRUE(succeeded(manager.run(*module)));
  int count = 0;
  module->walk([&](cg::Conv2dOp) { ++count; });
  return count;
}

/// Trained factors are no obstacle: gradients go through the fold.
TEST_F(BranchTraining, FoldsOnlineExactly) {
  for (int64_t stride : {1, 2})
    for (int64_t groups : {1, 2, 4})
      for (int64_t dilation : {1, 2})
        for (const char *optimizer : {"kind=sgd momentum=0.9 weight-decay=5e-4", "kind=adam"}) {
          Window window;
          window.stride = stride;
          window.groups = groups;
          window.dilation = dilation;
          EXPECT_LE(distanceOnline(window, "cg-fold-branches{online},", optimizer, 1), equal)
              << "stride " << stride << ", groups " << groups << ", dilation " << dilation << ", " << optimizer;
        }
  Generator random(1);
  std::vector<Branch> branches = drawBranches(random, {});
  std::string text = branchedGraph({}, branches, /*trainFactors=*/true);
  EXPECT_EQ(countConvolutions(context, text, "cg-fold-branches{online}"), 1);
  EXPECT_EQ(countConvolutions(context, text, "cg-differentiate"), static_cast<int>(branches.size()));
}

/// `cg-branches-to-gradient-scaling`, its initial filter and its matrix.
TEST_F(BranchTraining, LearnsAsBranchesWithAScaledGradient) {
  for (int64_t stride : {1, 2})
    for (int64_t groups : {1, 4})
      for (int64_t dilation : {1, 2}) {
        Window window;
        window.stride = stride;
        window.groups = groups;
        window.dilation = dilation;
        Generator random(5);
        std::vector<Branch> branches = drawCentred(random, window);
        std::string text = branchedGraph(window, branches);
        mlir::OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
        mlir::PassManager manager(&context);
        manager.addPass(cg::createBranchesToGradientScaling());
        ASSERT_TRUE(succeeded(manager.run(*module)));
        auto weights = module->lookupSymbol<cg::GraphOp>("net.weights");
        ASSERT_TRUE(weights);

        std::string optimizer = "cg-apply-optimizer{kind=sgd momentum=0.9 weight-decay=5e-4}";
        TrainedGraph plain(context, text, "cg-differentiate," + optimizer);
        std::vector<std::vector<double>> filters;
        for (size_t b = 0; b < branches.size(); ++b)
          plain.value("branch" + std::to_string(b)) = filters.emplace_back(drawFilter(random, window, branches[b]));
        auto read = [&](mlir::Operation *op) -> mlir::FailureOr<cg::ReferenceTensor> {
          cg::ReferenceTensor tensor(mlir::cast<mlir::RankedTensorType>(op->getResult(0).getType()));
          tensor.data = plain.value(mlir::cast<cg::ParameterOp>(op).getPath().str());
          return tensor;
        };
        mlir::FailureOr<cg::ReferenceRun> initial = cg::evaluateReference(weights, {}, read);
        ASSERT_TRUE(succeeded(initial));
        weights.erase();
        std::string scaledText;
        llvm::raw_string_ostream(scaledText) << *module;
        TrainedGraph scaled(context, scaledText,
                            "cg-differentiate,cg-insert-gradient-scaling{source=fixed}," + optimizer);
        scaled.value("branch0") = initial->results[0].data;

        double largest = 0.0;
        for (const Batch &batch : drawBatches(random, window)) {
          plain.step(batch.inputs, 1e-3);
          scaled.step(batch.inputs, 1e-3);
          for (size_t b = 0; b < branches.size(); ++b)
            filters[b] = plain.value("branch" + std::to_string(b));
          largest = std::max(largest, distance(collapse(window, branches, filters), scaled.value("branch0")));
        }
        EXPECT_LE(largest, equal) << "stride " << stride << ", groups " << groups << ", dilation " << dilation;
      }
}

} // namespace
