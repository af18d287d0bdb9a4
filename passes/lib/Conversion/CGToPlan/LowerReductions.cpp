//===- LowerReductions.cpp - sums, maxima, positions of maxima ------------===//

#include "LoweringModels.h"

#include <limits>

using namespace mlir;
using namespace espalier::cg;

namespace {

Type getElement(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

/// What a maximum starts with.
Value lowest(KernelBuilder &b, Type type) {
  if (isa<FloatType>(type))
    return b.number(type, -std::numeric_limits<double>::infinity());
  unsigned bits = type.getIntOrFloatBitWidth();
  APInt value = bits == 1 ? APInt::getZero(1) : APInt::getSignedMinValue(bits);
  return b.create<arith::ConstantOp>(b.getIntegerAttr(type, value));
}

struct LowerReduceSum final : ReductionLoweringOpInterface::ExternalModel<LowerReduceSum, ReduceSumOp> {
  ArrayRef<int64_t> getReducedDims(Operation *op) const { return cast<ReduceSumOp>(op).getAxes(); }
  Value emitIdentity(Operation *op, OpBuilder &builder, Location loc) const {
    return KernelBuilder(loc, builder).number(getElement(op->getResult(0)), 0.0);
  }
  Value emitCombine(Operation *, OpBuilder &builder, Location loc, Value lhs, Value rhs) const {
    if (isa<FloatType>(lhs.getType()))
      return arith::AddFOp::create(builder, loc, lhs, rhs);
    return arith::AddIOp::create(builder, loc, lhs, rhs);
  }
};

struct LowerReduceMax final : ReductionLoweringOpInterface::ExternalModel<LowerReduceMax, ReduceMaxOp> {
  ArrayRef<int64_t> getReducedDims(Operation *op) const { return cast<ReduceMaxOp>(op).getAxes(); }
  Value emitIdentity(Operation *op, OpBuilder &builder, Location loc) const {
    KernelBuilder b(loc, builder);
    return lowest(b, getElement(op->getResult(0)));
  }
  Value emitCombine(Operation *, OpBuilder &builder, Location loc, Value lhs, Value rhs) const {
    KernelBuilder b(loc, builder);
    return b.select(b.isLarger(rhs, lhs), rhs, lhs);
  }
};

struct LowerArgmax final : IndexedLoweringOpInterface::ExternalModel<LowerArgmax, ArgmaxOp> {
  Value emitElement(Operation *op, KernelBuilder &b, ValueRange position) const {
    auto argmax = cast<ArgmaxOp>(op);
    auto input = cast<RankedTensorType>(argmax.getInput().getType());
    SmallVector<Value> place(position);
    place.insert(place.begin() + argmax.getAxis(), b.index(0));
    Value extent = b.index(input.getDimSize(argmax.getAxis()));
    SmallVector<Value> found =
        b.forLoop(b.index(1), extent, {b.loadOperand(0, place), b.index(0)}, [&](Value i, ValueRange best) {
          place[argmax.getAxis()] = i;
          Value element = b.loadOperand(0, place);
          Value better = b.isLarger(element, best[0]);
          return SmallVector<Value>{b.select(better, element, best[0]), b.select(better, i, best[1])};
        });
    return b.create<arith::IndexCastOp>(getElement(argmax.getResult()), found[1]);
  }
};

} // namespace

void espalier::cg::attachReductionModels(MLIRContext *context) {
  ReduceSumOp::attachInterface<LowerReduceSum>(*context);
  ReduceMaxOp::attachInterface<LowerReduceMax>(*context);
  ArgmaxOp::attachInterface<LowerArgmax>(*context);
}
