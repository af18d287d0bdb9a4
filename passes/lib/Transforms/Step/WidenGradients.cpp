//===- WidenGradients.cpp - f32 gradients of narrow activations -----------===//

#include "espalier/Transforms/StepPasses.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_WIDENGRADIENTS
#include "espalier/Transforms/StepPasses.h.inc"
} // namespace espalier::cg

static bool isNarrow(Value value) {
  return getElementTypeOrSelf(value).isBF16() || getElementTypeOrSelf(value).isF16();
}

/// A cast from a narrow type to f32.
static bool isWidening(CastOp cast) { return cast && cast.getType().isF32() && isNarrow(cast.getInput()); }

namespace {
struct WidenGradients final : espalier::cg::impl::WidenGradientsBase<WidenGradients> {
  void runOnOperation() override {
    Block &body = getOperation().getBody().front();
    SmallVector<Operation *> sums;
    for (Operation &op : body)
      if (op.hasTrait<ComputesWide>() && op.getNumResults() == 1 && isNarrow(op.getResult(0)))
        sums.push_back(&op);
    for (Operation *op : sums)
      if (failed(computeWide(op)))
        return signalPassFailure();

    llvm::SetVector<CastOp> pending; // two parameters may have one gradient
    for (auto mark : body.getOps<ParameterGradientOp>())
      if (auto cast = mark.getGradient().getDefiningOp<CastOp>())
        pending.insert(cast);
    while (!pending.empty())
      if (CastOp cast = pending.pop_back_val(); isWidening(cast) && failed(widen(cast, pending)))
        return signalPassFailure();
  }

private:
  /// Makes `op` take f32, and give f32 to those that cast its result to that.
  static LogicalResult computeWide(Operation *op) {
    OpBuilder builder(op);
    Value result = op->getResult(0);
    Type narrow = getElementTypeOrSelf(result);
    auto uses = llvm::to_vector(llvm::make_pointer_range(result.getUses()));
    for (OpOperand &operand : op->getOpOperands())
      if (isNarrow(operand.get()))
        operand.set(castFor(builder, op, operand.get(), builder.getF32Type()));
    if (failed(inferElementTypesAnew(op)))
      return failure();
    builder.setInsertionPointAfter(op);
    Value rounded;
    for (OpOperand *use : uses) {
      if (auto cast = dyn_cast<CastOp>(use->getOwner()); cast && cast.getType().isF32()) {
        cast.replaceAllUsesWith(result);
        cast.erase();
        continue;
      }
      if (!rounded)
        rounded = castFor(builder, op, result, narrow);
      use->set(rounded);
    }
    return success();
  }

  /// Makes the op whose result `cast` widens give f32, if nothing else needs that result. What it needs cast itself for
  /// that joins `pending`.
  static LogicalResult widen(CastOp cast, llvm::SetVector<CastOp> &pending) {
    Value value = cast.getInput();
    Operation *source = value.getDefiningOp();
    if (!source || !value.hasOneUse() || source->getNumResults() != 1)
      return success();
    OpBuilder builder(source);
    if (auto rounding = dyn_cast<CastOp>(source)) {
      if (getElementTypeOrSelf(rounding.getInput()).isF32()) {
        cast.replaceAllUsesWith(rounding.getInput());
        cast.erase();
        rounding.erase();
      }
      return success();
    }
    if (auto gradient = dyn_cast<Conv2dFilterGradientOp>(source)) {
      Value like = gradient.getLike();
      auto narrowed = like.getDefiningOp<CastOp>();
      bool isMaster = narrowed && getElementTypeOrSelf(narrowed.getInput()).isF32();
      gradient.getLikeMutable().assign(isMaster ? narrowed.getInput()
                                                : castFor(builder, source, like, builder.getF32Type()));
    } else if (auto matmul = dyn_cast<MatmulOp>(source)) {
      matmul.setResultType(builder.getF32Type());
    } else {
      if (!followsOperands(source))
        return success();
      for (OpOperand &operand : source->getOpOperands())
        if (isNarrow(operand.get())) {
          operand.set(castFor(builder, source, operand.get(), builder.getF32Type()));
          pending.insert(operand.get().getDefiningOp<CastOp>());
        }
    }
    if (failed(inferElementTypesAnew(source)))
      return failure();
    cast.replaceAllUsesWith(value);
    cast.erase();
    return success();
  }

  /// Is the result of `op` wider when its operands are?
  static bool followsOperands(Operation *op) {
    return isa<ShapeOpInterface>(op) && !op->hasTrait<ComputesNarrow>() && llvm::any_of(op->getOperands(), isNarrow);
  }
};
} // namespace
