//===- FoldBranches.cpp - one convolution for a region of them ------------===//

#include "BranchPlanner.h"
#include "NormsAfter.h"

#include "espalier/Transforms/BranchPasses.h"
#include "espalier/Transforms/StepPasses.h"

#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_FOLDBRANCHES
#include "espalier/Transforms/BranchPasses.h.inc"
} // namespace espalier::cg

namespace {

struct FoldBranches final : espalier::cg::impl::FoldBranchesBase<FoldBranches> {
  using Base::Base;

  static constexpr StringLiteral category = "cg-fold-branches";

  void runOnOperation() override {
    WalkResult result = getOperation()->walk([&](FunctionOpInterface function) {
      return failed(fold(function)) ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

private:
  LogicalResult fold(FunctionOpInterface function) {
    if (function.isExternal())
      return success();
    if (!function.getFunctionBody().hasOneBlock())
      return function.emitOpError("expects a body of one block, but got ")
             << function.getFunctionBody().getBlocks().size();
    if (norms == BranchNorms::After)
      moveNormsAfterSums(function);
    BranchPlanner planner(function, online, [](Operation *op, StringRef reason) {
      remark::missed(op->getLoc(), remark::RemarkOpts::name("not-folded").category(category))
          << remark::reason("{0}", reason);
    });
    if (failed(planner.run()))
      return failure();

    SmallVector<Operation *> ops;
    for (Operation &op : function.getFunctionBody().front())
      ops.push_back(&op);
    // From the last op on, so that what a region has swallowed is dead when its turn comes.
    for (Operation *op : llvm::reverse(ops)) {
      if (isOpTriviallyDead(op) && isa<CGDialect>(op->getDialect())) {
        op->erase();
      } else if (op->getNumResults() == 1) {
        if (const BranchPlan *plan = planner.getPlan(op))
          replace(op, *plan, planner);
      }
    }
    return success();
  }

  void replace(Operation *op, const BranchPlan &plan, BranchPlanner &planner) {
    OpBuilder &builder = planner.getBuilder();
    builder.setInsertionPoint(op);
    planner.getAlgebra().setLocation(op->getLoc());
    Value sum;
    auto addUp = [&](Value value) { sum = sum ? AddOp::create(builder, op->getLoc(), sum, value).getResult() : value; };
    for (const BranchRegion &part : plan.parts) {
      addUp(planner.getAlgebra().apply(part.map, part.source));
      ++numFolded;
      remark::passed(op->getLoc(), remark::RemarkOpts::name("folded").category(category))
          << remark::metric("Ops", part.cost.ops) << remark::metric("Weights", part.cost.weights)
          << remark::metric("FoldedWeights", part.map.filterSize() + (part.map.bias ? part.map.features : 0));
    }
    for (Value value : plan.rest)
      addUp(value);
    op->getResult(0).replaceAllUsesWith(sum);
    op->erase();
  }
};

} // namespace
