//===- AccumulateGradients.cpp - sum gradients over parts of a batch ------===//

#include "espalier/Transforms/StepPasses.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_ACCUMULATEGRADIENTS
#include "espalier/Transforms/StepPasses.h.inc"
} // namespace espalier::cg

void espalier::cg::replaceGradient(OpBuilder &builder, ParameterGradientOp mark, Value value) {
  auto moved = ParameterGradientOp::create(builder, mark.getLoc(), mark.getPathAttr(), value);
  moved->setDiscardableAttrs(mark->getDiscardableAttrDictionary());
  mark.getResult().replaceAllUsesWith(mark.getGradient());
  mark.erase();
}

namespace {
struct AccumulateGradients final : espalier::cg::impl::AccumulateGradientsBase<AccumulateGradients> {
  using Base::Base;

  void runOnOperation() override {
    if (count < 1) {
      getOperation().emitError("expects a batch of at least 1 part, but got ") << static_cast<int64_t>(count);
      return signalPassFailure();
    }
    Block &body = getOperation().getBody().front();
    OpBuilder builder(body.getTerminator());
    for (ParameterGradientOp mark : llvm::to_vector(body.getOps<ParameterGradientOp>()))
      accumulate(builder, mark);
  }

private:
  void accumulate(OpBuilder &builder, ParameterGradientOp mark) {
    Location loc = mark.getLoc();
    StringAttr path = mark.getPathAttr(), slot = builder.getStringAttr("accumulated");
    Value gradient = mark.getGradient();
    auto zero = FillAttr::get(builder.getContext(), builder.getF64FloatAttr(0.0));
    Value old = StateOp::create(builder, loc, gradient.getType(), path, slot, zero);
    Value share =
        MulOp::create(builder, loc, gradient, createScalar(builder, loc, gradient, 1.0 / static_cast<double>(count)));
    Value sum = AddOp::create(builder, loc, old, share);
    if (part == BatchPart::Early) {
      UpdateOp::create(builder, loc, path, slot, sum);
      mark.getResult().replaceAllUsesWith(gradient);
      mark.erase();
      return;
    }
    // A sum that is not finite stays in the slot, where a check for such values finds it.
    UpdateOp::create(builder, loc, path, slot, MulOp::create(builder, loc, old, createScalar(builder, loc, old, 0.0)));
    replaceGradient(builder, mark, sum);
  }
};
} // namespace
