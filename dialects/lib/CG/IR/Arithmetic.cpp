//===- Arithmetic.cpp - elementwise ops of several operands, casts --------===//

#include "espalier/Dialect/CG/IR/CGOps.h"

#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace espalier::cg;

//===----------------------------------------------------------------------===//
// Shared pieces
//===----------------------------------------------------------------------===//

/// Sums `cotangent` over broadcast dimensions into `gradients[index]`, when it is asked for.
static void store(OpBuilder &builder, Operation *op, unsigned index, ArrayRef<bool> needed,
                  llvm::function_ref<Value()> cotangent, MutableArrayRef<Value> gradients) {
  if (needed[index])
    gradients[index] = reduceToShapeOf(builder, op->getLoc(), cotangent(), op->getOperand(index));
}

static bool isSplat(Attribute attribute, double expected) {
  auto splat = dyn_cast_or_null<SplatElementsAttr>(attribute);
  if (!splat)
    return false;
  if (isa<FloatType>(splat.getElementType()))
    return splat.getSplatValue<APFloat>().convertToDouble() == expected;
  return splat.getSplatValue<APInt>().getSExtValue() == static_cast<int64_t>(expected);
}

/// `x op neutral` is x, where the neutral operand does not widen it.
static OpFoldResult foldNeutral(Value kept, Attribute other, double neutral, Type result) {
  return kept.getType() == result && isSplat(other, neutral) ? OpFoldResult(kept) : OpFoldResult();
}

static bool isInteger(Operation *op) {
  return cast<RankedTensorType>(op->getOperand(0).getType()).getElementType().isInteger();
}

//===----------------------------------------------------------------------===//
// Sums and products
//===----------------------------------------------------------------------===//

double AddOp::evaluateScalar(ArrayRef<double> x) { return x[0] + x[1]; }
LogicalResult AddOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                              MutableArrayRef<Value> gradients) {
  for (unsigned i : {0u, 1u})
    store(builder, *this, i, needed, [&]() -> Value { return cotangents[0]; }, gradients);
  return success();
}
OpFoldResult AddOp::fold(FoldAdaptor adaptor) { return foldNeutral(getLhs(), adaptor.getRhs(), 0.0, getType()); }

double SubOp::evaluateScalar(ArrayRef<double> x) { return x[0] - x[1]; }
LogicalResult SubOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                              MutableArrayRef<Value> gradients) {
  store(builder, *this, 0, needed, [&]() -> Value { return cotangents[0]; }, gradients);
  store(
      builder, *this, 1, needed, [&]() -> Value { return NegOp::create(builder, getLoc(), cotangents[0]); }, gradients);
  return success();
}
OpFoldResult SubOp::fold(FoldAdaptor adaptor) { return foldNeutral(getLhs(), adaptor.getRhs(), 0.0, getType()); }

double MulOp::evaluateScalar(ArrayRef<double> x) { return x[0] * x[1]; }
bool MulOp::isLinearIn(unsigned) { return true; }
LogicalResult MulOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                              MutableArrayRef<Value> gradients) {
  for (unsigned i : {0u, 1u})
    store(
        builder, *this, i, needed,
        [&]() -> Value { return MulOp::create(builder, getLoc(), cotangents[0], getOperand(1 - i)); }, gradients);
  return success();
}
OpFoldResult MulOp::fold(FoldAdaptor adaptor) { return foldNeutral(getLhs(), adaptor.getRhs(), 1.0, getType()); }

double DivOp::evaluateScalar(ArrayRef<double> x) {
  double quotient = x[0] / x[1];
  return isInteger(*this) ? std::trunc(quotient) : quotient;
}
bool DivOp::isLinearIn(unsigned operandIndex) { return operandIndex == 0 && !isInteger(*this); }
LogicalResult DivOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                              MutableArrayRef<Value> gradients) {
  auto overDivisor = [&](Value value) -> Value { return DivOp::create(builder, getLoc(), value, getRhs()); };
  store(builder, *this, 0, needed, [&] { return overDivisor(cotangents[0]); }, gradients);
  store(
      builder, *this, 1, needed,
      [&]() -> Value {
        Value product = MulOp::create(builder, getLoc(), cotangents[0], overDivisor(getResult()));
        return NegOp::create(builder, getLoc(), product);
      },
      gradients);
  return success();
}
OpFoldResult DivOp::fold(FoldAdaptor adaptor) { return foldNeutral(getLhs(), adaptor.getRhs(), 1.0, getType()); }

//===----------------------------------------------------------------------===//
// Extrema and powers
//===----------------------------------------------------------------------===//

/// The operand that wins takes the cotangent; tied operands take half of it each.
static LogicalResult extremumVjp(Operation *op, OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                 MutableArrayRef<Value> gradients) {
  Location loc = op->getLoc();
  for (unsigned i : {0u, 1u})
    store(
        builder, op, i, needed,
        [&]() -> Value {
          Value zero = createScalar(builder, loc, cotangents[0], 0.0);
          Value half = MulOp::create(builder, loc, cotangents[0], createScalar(builder, loc, cotangents[0], 0.5));
          Value wins = CompareOp::create(builder, loc, ComparePredicate::eq, op->getOperand(i), op->getResult(0));
          Value tied = CompareOp::create(builder, loc, ComparePredicate::eq, op->getOperand(0), op->getOperand(1));
          Value share = WhereOp::create(builder, loc, tied, half, cotangents[0]);
          return WhereOp::create(builder, loc, wins, share, zero);
        },
        gradients);
  return success();
}

double MaximumOp::evaluateScalar(ArrayRef<double> x) {
  return std::isnan(x[0]) || std::isnan(x[1]) ? x[0] + x[1] : std::max(x[0], x[1]);
}
LogicalResult MaximumOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                  MutableArrayRef<Value> gradients) {
  return extremumVjp(*this, builder, cotangents, needed, gradients);
}

double MinimumOp::evaluateScalar(ArrayRef<double> x) {
  return std::isnan(x[0]) || std::isnan(x[1]) ? x[0] + x[1] : std::min(x[0], x[1]);
}
LogicalResult MinimumOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                  MutableArrayRef<Value> gradients) {
  return extremumVjp(*this, builder, cotangents, needed, gradients);
}

double PowerOp::evaluateScalar(ArrayRef<double> x) { return std::pow(x[0], x[1]); }
LogicalResult PowerOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                MutableArrayRef<Value> gradients) {
  Location loc = getLoc();
  store(
      builder, *this, 0, needed,
      [&]() -> Value { // b a^(b - 1)
        Value less = SubOp::create(builder, loc, getRhs(), createScalar(builder, loc, getRhs(), 1.0));
        Value factor = MulOp::create(builder, loc, getRhs(), PowerOp::create(builder, loc, getLhs(), less));
        return MulOp::create(builder, loc, cotangents[0], factor);
      },
      gradients);
  store(
      builder, *this, 1, needed,
      [&]() -> Value { // a^b log(a)
        Value factor = MulOp::create(builder, loc, getResult(), LogOp::create(builder, loc, getLhs()));
        return MulOp::create(builder, loc, cotangents[0], factor);
      },
      gradients);
  return success();
}

//===----------------------------------------------------------------------===//
// Choices and conversions
//===----------------------------------------------------------------------===//

double CompareOp::evaluateScalar(ArrayRef<double> x) {
  switch (getPredicate()) {
  case ComparePredicate::eq:
    return x[0] == x[1];
  case ComparePredicate::ne:
    return x[0] != x[1];
  case ComparePredicate::lt:
    return x[0] < x[1];
  case ComparePredicate::le:
    return x[0] <= x[1];
  case ComparePredicate::gt:
    return x[0] > x[1];
  case ComparePredicate::ge:
    return x[0] >= x[1];
  }
  llvm_unreachable("all predicates are handled");
}
LogicalResult CompareOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  if (failed(inferElementwiseShape(adaptor.getOperands(), shapes, results)))
    return failure();
  results.back().elementType = IntegerType::get(adaptor.getLhs().getContext(), 1);
  return success();
}

double WhereOp::evaluateScalar(ArrayRef<double> x) { return x[0] != 0.0 ? x[1] : x[2]; }
LogicalResult WhereOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                MutableArrayRef<Value> gradients) {
  Value zero = createScalar(builder, getLoc(), cotangents[0], 0.0);
  store(
      builder, *this, 1, needed,
      [&]() -> Value { return WhereOp::create(builder, getLoc(), getCondition(), cotangents[0], zero); }, gradients);
  store(
      builder, *this, 2, needed,
      [&]() -> Value { return WhereOp::create(builder, getLoc(), getCondition(), zero, cotangents[0]); }, gradients);
  return success();
}

double CastOp::evaluateScalar(ArrayRef<double> x) {
  if (getType().isInteger(1))
    return x[0] != 0.0;
  return getType().isInteger() ? std::trunc(x[0]) : x[0];
}
bool CastOp::isLinearIn(unsigned) { return isa<FloatType>(getType()); }
LogicalResult CastOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                               MutableArrayRef<Value> gradients) {
  Type from = getInput().getType().getElementType();
  if (isa<FloatType>(from) && isa<FloatType>(getType()))
    gradients[0] = CastOp::create(builder, getLoc(), cotangents[0], from);
  return success();
}
LogicalResult CastOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  Type type = adaptor.getType();
  if (!type.isF16() && !type.isBF16() && !type.isF32() && !type.isF64() && !type.isInteger(1) && !type.isInteger(8) &&
      !type.isInteger(32) && !type.isInteger(64))
    return shapes.error("expects 'type' to be an element type of the dialect, but got ", type);
  results.push_back({type, shapes[adaptor.getInput()].dims});
  return success();
}
OpFoldResult CastOp::fold(FoldAdaptor) {
  return getInput().getType() == getResult().getType() ? getInput() : OpFoldResult();
}
