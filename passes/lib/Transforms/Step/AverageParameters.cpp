//===- AverageParameters.cpp - moving average of weights ------------------===//

#include "espalier/Transforms/StepPasses.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_AVERAGEPARAMETERS
#include "espalier/Transforms/StepPasses.h.inc"
} // namespace espalier::cg

namespace {
struct AverageParameters final : espalier::cg::impl::AverageParametersBase<AverageParameters> {
  using Base::Base;

  void runOnOperation() override {
    if (!(decay >= 0.0 && decay < 1.0)) {
      getOperation().emitError("expects a decay of at least 0 and below 1, but got ") << static_cast<double>(decay);
      return signalPassFailure();
    }
    Block &body = getOperation().getBody().front();
    // The last write of a path is its new value.
    llvm::MapVector<StringAttr, Value> written;
    for (Operation &op : body) {
      if (auto update = dyn_cast<ParameterUpdateOp>(op))
        written[update.getPathAttr()] = update.getValue();
      else if (auto update = dyn_cast<UpdateOp>(op); update && !update.getSlotAttr())
        written[update.getPathAttr()] = update.getValue();
    }
    OpBuilder builder(body.getTerminator());
    llvm::MapVector<Type, Value> weights; // of the old average, by element type
    for (auto &[path, value] : written) {
      auto type = cast<RankedTensorType>(value.getType());
      if (!isa<FloatType>(type.getElementType()))
        continue;
      Value &weight = weights[type.getElementType()];
      if (!weight)
        weight = weightOfOld(builder, type.getElementType());
      average(builder, path, value, weight);
    }
  }

private:
  Value weightOfOld(OpBuilder &builder, Type elementType) {
    Location loc = getOperation().getLoc();
    Value step = HyperOp::create(builder, loc, RankedTensorType::get({}, elementType), "step");
    auto number = [&](double value) { return createScalar(builder, loc, step, value); };
    Value one = number(1.0);
    Value start = warmup ? SubOp::create(builder, loc, one, PowerOp::create(builder, loc, step, number(-2.0 / 3.0)))
                         : SubOp::create(builder, loc, step, one);
    return MinimumOp::create(builder, loc, start, number(decay));
  }

  static void average(OpBuilder &builder, StringAttr path, Value value, Value weight) {
    Location loc = value.getLoc();
    StringAttr slot = builder.getStringAttr("average");
    auto zero = FillAttr::get(builder.getContext(), builder.getF64FloatAttr(0.0));
    Value old = StateOp::create(builder, loc, value.getType(), path, slot, zero);
    // new + d (old - new): exactly new where d is 0.
    Value difference = SubOp::create(builder, loc, old, value);
    Value sum = AddOp::create(builder, loc, value, MulOp::create(builder, loc, difference, weight));
    UpdateOp::create(builder, loc, path, slot, sum);
  }
};
} // namespace
