//===- LowerPointwise.cpp - scalar functions ------------------------------===//

#include "LoweringModels.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace espalier::cg;

namespace {

using Scalar = KernelBuilder;

bool isFloat(Value value) { return isa<FloatType>(value.getType()); }

Value compareFloats(Scalar &b, arith::CmpFPredicate predicate, Value lhs, Value rhs) {
  return b.create<arith::CmpFOp>(predicate, lhs, rhs);
}

/// The operation for floats, or the one for integers.
template <typename FloatOp, typename IntegerOp> Value arithmetic(Scalar &b, ValueRange x) {
  return isFloat(x[0]) ? b.create<FloatOp>(x[0], x[1]).getResult() : b.create<IntegerOp>(x[0], x[1]).getResult();
}

/// Integer division that rounds towards zero. Where the instruction would trap, x / 0 is 0 and x / -1 is -x.
Value divideIntegers(Scalar &b, Value lhs, Value rhs) {
  Value zero = b.number(lhs.getType(), 0), one = b.number(lhs.getType(), 1), minusOne = b.number(lhs.getType(), -1);
  Value byZero = b.compare(arith::CmpIPredicate::eq, rhs, zero);
  Value byMinusOne = b.compare(arith::CmpIPredicate::eq, rhs, minusOne);
  Value safe = b.select(byZero, one, b.select(byMinusOne, one, rhs));
  Value quotient = b.create<arith::DivSIOp>(lhs, safe);
  quotient = b.select(byMinusOne, b.create<arith::SubIOp>(zero, lhs), quotient);
  return b.select(byZero, zero, quotient);
}

/// Repeated squaring, modulo the type's range. A negative exponent rounds the reciprocal towards zero.
Value powerOfIntegers(Scalar &b, Value base, Value exponent) {
  Type type = base.getType();
  auto number = [&](int64_t value) { return b.number(type, static_cast<double>(value)); };
  Value one = number(1), zero = number(0);
  SmallVector<Value> last = b.forLoop(
      b.index(0), b.index(type.getIntOrFloatBitWidth()), {one, base, exponent}, [&](Value, ValueRange carried) {
        Value isOdd = b.compare(arith::CmpIPredicate::eq, b.create<arith::AndIOp>(carried[2], one), one);
        Value product = b.select(isOdd, b.create<arith::MulIOp>(carried[0], carried[1]), carried[0]);
        Value square = b.create<arith::MulIOp>(carried[1], carried[1]);
        return SmallVector<Value>{product, square, b.create<arith::ShRUIOp>(carried[2], one)};
      });
  Value isNegative = b.compare(arith::CmpIPredicate::slt, exponent, zero);
  // The reciprocal is a whole number for 1 and -1 alone.
  Value isOdd = b.compare(arith::CmpIPredicate::eq, b.create<arith::AndIOp>(exponent, one), one);
  Value ofMinusOne = b.select(isOdd, number(-1), one);
  Value reciprocal = b.select(b.compare(arith::CmpIPredicate::eq, base, one), one,
                              b.select(b.compare(arith::CmpIPredicate::eq, base, number(-1)), ofMinusOne, zero));
  return b.select(isNegative, reciprocal, last[0]);
}

Value compare(Scalar &b, ComparePredicate predicate, Value lhs, Value rhs) {
  static constexpr std::pair<arith::CmpFPredicate, arith::CmpIPredicate> predicates[] = {
      {arith::CmpFPredicate::OEQ, arith::CmpIPredicate::eq},  {arith::CmpFPredicate::UNE, arith::CmpIPredicate::ne},
      {arith::CmpFPredicate::OLT, arith::CmpIPredicate::slt}, {arith::CmpFPredicate::OLE, arith::CmpIPredicate::sle},
      {arith::CmpFPredicate::OGT, arith::CmpIPredicate::sgt}, {arith::CmpFPredicate::OGE, arith::CmpIPredicate::sge}};
  auto [ofFloats, ofIntegers] = predicates[static_cast<unsigned>(predicate)];
  if (isFloat(lhs))
    return compareFloats(b, ofFloats, lhs, rhs);
  if (lhs.getType().isInteger(1)) { // a boolean is 0 or 1, not -1
    lhs = b.create<arith::ExtUIOp>(b.getI8Type(), lhs);
    rhs = b.create<arith::ExtUIOp>(b.getI8Type(), rhs);
  }
  return b.create<arith::CmpIOp>(ofIntegers, lhs, rhs);
}

Value convert(Scalar &b, Value value, Type to) {
  Type from = value.getType();
  if (from == to)
    return value;
  bool toFloat = isa<FloatType>(to), fromFloat = isFloat(value);
  if (to.isInteger(1))
    return fromFloat ? compareFloats(b, arith::CmpFPredicate::UNE, value, b.number(from, 0.0))
                     : b.compare(arith::CmpIPredicate::ne, value, b.number(from, 0.0));
  unsigned fromBits = from.getIntOrFloatBitWidth(), toBits = to.getIntOrFloatBitWidth();
  if (fromFloat && toFloat) {
    return fromBits < toBits ? b.create<arith::ExtFOp>(to, value).getResult()
                             : b.create<arith::TruncFOp>(to, value).getResult();
  }
  if (fromFloat)
    return b.create<arith::FPToSIOp>(to, value);
  if (from.isInteger(1))
    return toFloat ? b.create<arith::UIToFPOp>(to, value).getResult() : b.create<arith::ExtUIOp>(to, value).getResult();
  if (toFloat)
    return b.create<arith::SIToFPOp>(to, value);
  return fromBits < toBits ? b.create<arith::ExtSIOp>(to, value).getResult()
                           : b.create<arith::TruncIOp>(to, value).getResult();
}

// One overload of `emit` for each op, and costs where they are far from one instruction.

Value emit(NegOp, Scalar &b, ValueRange x) { return b.create<arith::NegFOp>(x[0]); }
Value emit(AbsOp, Scalar &b, ValueRange x) { return b.create<math::AbsFOp>(x[0]); }
Value emit(SignOp, Scalar &b, ValueRange x) {
  Value zero = b.number(x[0].getType(), 0.0), one = b.number(x[0].getType(), 1.0);
  Value negative = b.select(compareFloats(b, arith::CmpFPredicate::OLT, x[0], zero), b.number(x[0].getType(), -1.0),
                            b.select(compareFloats(b, arith::CmpFPredicate::OEQ, x[0], zero), zero, x[0]));
  return b.select(compareFloats(b, arith::CmpFPredicate::OGT, x[0], zero), one, negative);
}
Value emit(ExpOp, Scalar &b, ValueRange x) { return b.create<math::ExpOp>(x[0]); }
Value emit(LogOp, Scalar &b, ValueRange x) { return b.create<math::LogOp>(x[0]); }
Value emit(SqrtOp, Scalar &b, ValueRange x) { return b.create<math::SqrtOp>(x[0]); }
Value emit(RsqrtOp, Scalar &b, ValueRange x) {
  return b.create<arith::DivFOp>(b.number(x[0].getType(), 1.0), b.create<math::SqrtOp>(x[0]));
}
Value emit(TanhOp, Scalar &b, ValueRange x) { return b.create<math::TanhOp>(x[0]); }
Value emit(ErfOp, Scalar &b, ValueRange x) { return b.create<math::ErfOp>(x[0]); }
Value emit(SigmoidOp, Scalar &b, ValueRange x) {
  Value one = b.number(x[0].getType(), 1.0);
  Value power = b.create<math::ExpOp>(b.create<arith::NegFOp>(x[0]));
  return b.create<arith::DivFOp>(one, b.create<arith::AddFOp>(one, power));
}
Value emit(ReluOp, Scalar &b, ValueRange x) { // unordered: NaN stays
  Value zero = b.number(x[0].getType(), 0.0);
  return b.select(compareFloats(b, arith::CmpFPredicate::UGT, x[0], zero), x[0], zero);
}
Value emit(LeakyReluOp op, Scalar &b, ValueRange x) {
  Value scaled = b.create<arith::MulFOp>(x[0], b.number(x[0].getType(), op.getSlope().convertToDouble()));
  return b.select(compareFloats(b, arith::CmpFPredicate::OGT, x[0], b.number(x[0].getType(), 0.0)), x[0], scaled);
}
Value emit(ClampOp op, Scalar &b, ValueRange x) {
  Value low = b.number(x[0].getType(), op.getLow().convertToDouble());
  Value high = b.number(x[0].getType(), op.getHigh().convertToDouble());
  Value notAbove = b.select(compareFloats(b, arith::CmpFPredicate::OGT, x[0], high), high, x[0]);
  return b.select(compareFloats(b, arith::CmpFPredicate::OLT, x[0], low), low, notAbove);
}
Value emit(StopGradientOp, Scalar &, ValueRange x) { return x[0]; }
Value emit(BroadcastLikeOp, Scalar &, ValueRange x) { return x[0]; }
Value emit(AddOp, Scalar &b, ValueRange x) { return arithmetic<arith::AddFOp, arith::AddIOp>(b, x); }
Value emit(SubOp, Scalar &b, ValueRange x) { return arithmetic<arith::SubFOp, arith::SubIOp>(b, x); }
Value emit(MulOp, Scalar &b, ValueRange x) { return arithmetic<arith::MulFOp, arith::MulIOp>(b, x); }
Value emit(DivOp, Scalar &b, ValueRange x) {
  return isFloat(x[0]) ? b.create<arith::DivFOp>(x[0], x[1]).getResult() : divideIntegers(b, x[0], x[1]);
}
Value emit(MaximumOp, Scalar &b, ValueRange x) { return arithmetic<arith::MaximumFOp, arith::MaxSIOp>(b, x); }
Value emit(MinimumOp, Scalar &b, ValueRange x) { return arithmetic<arith::MinimumFOp, arith::MinSIOp>(b, x); }
Value emit(PowerOp, Scalar &b, ValueRange x) {
  if (isFloat(x[0]))
    return b.create<math::PowFOp>(x[0], x[1]);
  return powerOfIntegers(b, x[0], x[1]);
}
Value emit(CompareOp op, Scalar &b, ValueRange x) { return compare(b, op.getPredicate(), x[0], x[1]); }
Value emit(WhereOp, Scalar &b, ValueRange x) { return b.select(x[0], x[1], x[2]); }
Value emit(CastOp op, Scalar &b, ValueRange x) {
  return convert(b, x[0], getScalarType(getElementTypeOrSelf(op.getResult())));
}

template <typename OpT> constexpr int64_t scalarCost = 1;
template <> constexpr int64_t scalarCost<DivOp> = 4;
template <> constexpr int64_t scalarCost<SqrtOp> = 4;
template <> constexpr int64_t scalarCost<RsqrtOp> = 8;
template <> constexpr int64_t scalarCost<ExpOp> = 16;
template <> constexpr int64_t scalarCost<LogOp> = 24;
template <> constexpr int64_t scalarCost<TanhOp> = 24;
template <> constexpr int64_t scalarCost<SigmoidOp> = 24;
template <> constexpr int64_t scalarCost<ErfOp> = 32;
template <> constexpr int64_t scalarCost<PowerOp> = 64;

template <typename OpT> struct Pointwise final : PointwiseLoweringOpInterface::ExternalModel<Pointwise<OpT>, OpT> {
  Value emitScalar(Operation *op, OpBuilder &builder, Location loc, ValueRange operands) const {
    KernelBuilder b(loc, builder);
    return emit(cast<OpT>(op), b, operands);
  }
  int64_t getScalarCost(Operation *) const { return scalarCost<OpT>; }
};

template <typename... OpTs> void attachAll(MLIRContext *context) {
  (OpTs::template attachInterface<Pointwise<OpTs>>(*context), ...);
}

} // namespace

void espalier::cg::attachPointwiseModels(MLIRContext *context) {
  attachAll<NegOp, AbsOp, SignOp, ExpOp, LogOp, SqrtOp, RsqrtOp, TanhOp, ErfOp, SigmoidOp, ReluOp, LeakyReluOp, ClampOp,
            StopGradientOp, BroadcastLikeOp, AddOp, SubOp, MulOp, DivOp, MaximumOp, MinimumOp, PowerOp, CompareOp,
            WhereOp, CastOp>(context);
}
