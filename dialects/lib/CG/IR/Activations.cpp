//===- Activations.cpp - unary elementwise ops ----------------------------===//

#include "espalier/Dialect/CG/IR/CGOps.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace espalier::cg;

/// The derivative of every unary op is its cotangent times a local factor.
static LogicalResult scaleCotangent(OpBuilder &builder, Location loc, ValueRange cotangents, Value factor,
                                    MutableArrayRef<Value> gradients) {
  gradients[0] = MulOp::create(builder, loc, cotangents[0], factor);
  return success();
}

/// The cotangent where `condition` holds, else zero.
static LogicalResult maskCotangent(OpBuilder &builder, Location loc, ValueRange cotangents, Value condition,
                                   MutableArrayRef<Value> gradients) {
  Value zero = createScalar(builder, loc, cotangents[0], 0.0);
  gradients[0] = WhereOp::create(builder, loc, condition, cotangents[0], zero);
  return success();
}

static Value compareWith(OpBuilder &builder, Location loc, ComparePredicate predicate, Value value, double bound) {
  return CompareOp::create(builder, loc, predicate, value, createScalar(builder, loc, value, bound));
}

double NegOp::evaluateScalar(ArrayRef<double> x) { return -x[0]; }
bool NegOp::isLinearIn(unsigned) { return true; }
LogicalResult NegOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool>,
                              MutableArrayRef<Value> gradients) {
  gradients[0] = NegOp::create(builder, getLoc(), cotangents[0]);
  return success();
}

double AbsOp::evaluateScalar(ArrayRef<double> x) { return std::fabs(x[0]); }
LogicalResult AbsOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool>,
                              MutableArrayRef<Value> gradients) {
  return scaleCotangent(builder, getLoc(), cotangents, SignOp::create(builder, getLoc(), getInput()), gradients);
}

double SignOp::evaluateScalar(ArrayRef<double> x) { return std::isnan(x[0]) ? x[0] : (x[0] > 0) - (x[0] < 0); }
LogicalResult SignOp::buildVjp(OpBuilder &, ValueRange, ArrayRef<bool>, MutableArrayRef<Value>) { return success(); }

double ExpOp::evaluateScalar(ArrayRef<double> x) { return std::exp(x[0]); }
LogicalResult ExpOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool>,
                              MutableArrayRef<Value> gradients) {
  return scaleCotangent(builder, getLoc(), cotangents, getResult(), gradients);
}

double LogOp::evaluateScalar(ArrayRef<double> x) { return std::log(x[0]); }
LogicalResult LogOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool>,
                              MutableArrayRef<Value> gradients) {
  gradients[0] = DivOp::create(builder, getLoc(), cotangents[0], getInput());
  return success();
}

double SqrtOp::evaluateScalar(ArrayRef<double> x) { return std::sqrt(x[0]); }
LogicalResult SqrtOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool>,
                               MutableArrayRef<Value> gradients) {
  Value half = MulOp::create(builder, getLoc(), cotangents[0], createScalar(builder, getLoc(), getInput(), 0.5));
  gradients[0] = DivOp::create(builder, getLoc(), half, getResult());
  return success();
}

double RsqrtOp::evaluateScalar(ArrayRef<double> x) { return 1.0 / std::sqrt(x[0]); }
LogicalResult RsqrtOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool>,
                                MutableArrayRef<Value> gradients) {
  // d/dx x^-1/2 = -1/2 x^-1/2 / x
  Value ratio = DivOp::create(builder, getLoc(), getResult(), getInput());
  Value factor = MulOp::create(builder, getLoc(), ratio, createScalar(builder, getLoc(), getInput(), -0.5));
  return scaleCotangent(builder, getLoc(), cotangents, factor, gradients);
}

double TanhOp::evaluateScalar(ArrayRef<double> x) { return std::tanh(x[0]); }
LogicalResult TanhOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool>,
                               MutableArrayRef<Value> gradients) {
  Value square = MulOp::create(builder, getLoc(), getResult(), getResult());
  Value factor = SubOp::create(builder, getLoc(), createScalar(builder, getLoc(), getInput(), 1.0), square);
  return scaleCotangent(builder, getLoc(), cotangents, factor, gradients);
}

double ErfOp::evaluateScalar(ArrayRef<double> x) { return std::erf(x[0]); }
LogicalResult ErfOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool>,
                              MutableArrayRef<Value> gradients) {
  // d/dx erf(x) = 2 / sqrt(pi) * exp(-x^2)
  constexpr double twoOverRootPi = 1.12837916709551257390;
  Value square = MulOp::create(builder, getLoc(), getInput(), getInput());
  Value bell = ExpOp::create(builder, getLoc(), NegOp::create(builder, getLoc(), square));
  Value factor = MulOp::create(builder, getLoc(), bell, createScalar(builder, getLoc(), getInput(), twoOverRootPi));
  return scaleCotangent(builder, getLoc(), cotangents, factor, gradients);
}

double SigmoidOp::evaluateScalar(ArrayRef<double> x) { return 1.0 / (1.0 + std::exp(-x[0])); }
LogicalResult SigmoidOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool>,
                                  MutableArrayRef<Value> gradients) {
  Value rest = SubOp::create(builder, getLoc(), createScalar(builder, getLoc(), getInput(), 1.0), getResult());
  Value factor = MulOp::create(builder, getLoc(), getResult(), rest);
  return scaleCotangent(builder, getLoc(), cotangents, factor, gradients);
}

double ReluOp::evaluateScalar(ArrayRef<double> x) { return x[0] > 0 || std::isnan(x[0]) ? x[0] : 0.0; }
LogicalResult ReluOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool>,
                               MutableArrayRef<Value> gradients) {
  // The result tells as much as the input, and it is what the next op keeps anyway.
  Value positive = compareWith(builder, getLoc(), ComparePredicate::gt, getResult(), 0.0);
  return maskCotangent(builder, getLoc(), cotangents, positive, gradients);
}

double LeakyReluOp::evaluateScalar(ArrayRef<double> x) { return x[0] > 0 ? x[0] : x[0] * getSlope().convertToDouble(); }
LogicalResult LeakyReluOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool>,
                                    MutableArrayRef<Value> gradients) {
  Value positive = compareWith(builder, getLoc(), ComparePredicate::gt, getInput(), 0.0);
  Value slope = createScalar(builder, getLoc(), getInput(), getSlope().convertToDouble());
  Value scaled = MulOp::create(builder, getLoc(), cotangents[0], slope);
  gradients[0] = WhereOp::create(builder, getLoc(), positive, cotangents[0], scaled);
  return success();
}

double ClampOp::evaluateScalar(ArrayRef<double> x) {
  double low = getLow().convertToDouble(), high = getHigh().convertToDouble();
  return x[0] < low ? low : x[0] > high ? high : x[0];
}
LogicalResult ClampOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool>,
                                MutableArrayRef<Value> gradients) {
  Value above = compareWith(builder, getLoc(), ComparePredicate::gt, getInput(), getLow().convertToDouble());
  Value below = compareWith(builder, getLoc(), ComparePredicate::lt, getInput(), getHigh().convertToDouble());
  SmallVector<Value, 1> inside(1);
  if (failed(maskCotangent(builder, getLoc(), cotangents, above, inside)))
    return failure();
  return maskCotangent(builder, getLoc(), inside, below, gradients);
}
LogicalResult ClampOp::verify() {
  double low = getLow().convertToDouble(), high = getHigh().convertToDouble();
  if (!(low <= high)) // clamp_c1
    return emitOpError("expects 'low' to be at most 'high', but got ") << low << " and " << high;
  return success();
}

double StopGradientOp::evaluateScalar(ArrayRef<double> x) { return x[0]; }
LogicalResult StopGradientOp::buildVjp(OpBuilder &, ValueRange, ArrayRef<bool>, MutableArrayRef<Value>) {
  return success();
}
