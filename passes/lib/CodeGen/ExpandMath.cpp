//===- ExpandMath.cpp - Elementary functions as polynomials ---------------===//
//
// exp, expm1, log, log1p, tanh and erf on f32 and f64, scalars and vectors, in plain arithmetic: no libm, the same
// formula on every target, and loops that contain them vectorize. Measured errors are below 4 units in the last place
// (test/Unit/CodeGen/MathTest.cpp). Multiplications and additions may contract to fused ones, but are never reordered:
// the range reductions depend on the order.
//
//===----------------------------------------------------------------------===//

#include "MathCoefficients.h"
#include "espalier/CodeGen/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace espalier::codegen {
#define GEN_PASS_DEF_EXPANDMATH
#include "espalier/CodeGen/Passes.h.inc"
} // namespace espalier::codegen

using namespace mlir;
using namespace espalier;
using namespace espalier::codegen;

namespace {

/// Constants of one floating-point format.
struct Format {
  unsigned bits;
  unsigned mantissaBits;
  int64_t exponentBias;
  double ln2High, ln2Low; ///< ln 2 = ln2High + ln2Low; n * ln2High is exact for every exponent n
  double smallestNormal;
  double denormalScale;     ///< power of two that makes every denormal normal
  int64_t denormalExponent; ///< its exponent
  double expLow, expHigh;   ///< exp is 0 below and infinite above
  double expm1Low;          ///< expm1 is -1 below
  double erfHigh;           ///< erf is 1 above
  ArrayRef<double> expTail, logTail, erfHead, erfcScaled;
};

const Format f32Format = {
    32,  23,         127,        0.693115234375, 3.1946184945309415e-05, 0x1p-126, 0x1p+24, 24, -104.0, 89.0, -18.0,
    4.0, expTailF32, logTailF32, erfHeadF32,     erfcScaledF32};
const Format f64Format = {64,
                          52,
                          1023,
                          0.6931471803691238,
                          1.9082149292705877e-10,
                          0x1p-1022,
                          0x1p+54,
                          54,
                          -746.0,
                          710.0,
                          -40.0,
                          6.0,
                          expTailF64,
                          logTailF64,
                          erfHeadF64,
                          erfcScaledF64};

/// Emits arithmetic on one type. Values of the class are of that type, or of the integer type of the same width.
class Emitter {
public:
  Emitter(PatternRewriter &rewriter, Location loc, Type type)
      : b(loc, rewriter), type(type), format(getElementTypeOrSelf(type).isF32() ? f32Format : f64Format) {
    Type integer = b.getIntegerType(format.bits);
    intType = isa<VectorType>(type) ? cast<VectorType>(type).clone(integer) : integer;
  }

  Value exp(Value x) {
    auto [n, r, overOne] = reduceExp(clamp(x, format.expLow, format.expHigh));
    // Two factors, because 2^n itself may be out of range where exp(x) is not.
    Value half = arith::ShRSIOp::create(b, n, integer(1));
    Value result =
        mul(mul(add(constant(1.0), overOne), powerOfTwo(half)), powerOfTwo(arith::SubIOp::create(b, n, half)));
    return keepNaN(x, result);
  }

  Value expm1(Value x) {
    auto [n, r, overOne] = reduceExp(clamp(x, format.expm1Low, format.expHigh));
    // 2^n e^r - 1 = 2 (2^(n-1) (e^r - 1) + (2^(n-1) - 1/2)): 2^(n-1) is finite for every n.
    Value scale = powerOfTwo(arith::SubIOp::create(b, n, integer(1)));
    Value result = mul(constant(2.0), add(mul(scale, overOne), sub(scale, constant(0.5))));
    // Below the first rounding step of 1 + x the identity is exact, and keeps the sign of zero.
    Value tiny = less(math::AbsFOp::create(b, x), constant(format.bits == 32 ? 0x1p-26 : 0x1p-55));
    return keepNaN(x, select(tiny, x, result));
  }

  Value log(Value x) { return logOfSum(x, nullptr); }

  Value log1p(Value x) {
    Value u = add(constant(1.0), x);
    // What the sum rounded away, to first order: log(1 + x) = log(u) + (x - (u - 1)) / u.
    Value lost = arith::DivFOp::create(b, sub(x, sub(u, constant(1.0))), u);
    Value result = logOfSum(u, lost);
    return select(equal(x, constant(0.0)), x, result);
  }

  /// tanh(a) = -t / (t + 2) with t = expm1(-2a).
  Value tanh(Value x) {
    Value t = expm1(mul(constant(-2.0), math::AbsFOp::create(b, x)));
    Value magnitude = arith::DivFOp::create(b, arith::NegFOp::create(b, t), add(t, constant(2.0)));
    return math::CopySignOp::create(b, magnitude, x);
  }

  /// erf(a) = a P(a^2) up to 1, and 1 - exp(-a^2) E(a) from there.
  Value erf(Value x) {
    Value a = minimum(math::AbsFOp::create(b, x), constant(format.erfHigh));
    Value square = mul(a, a);
    Value head = mul(a, polynomial(format.erfHead, square));
    Value t = arith::DivFOp::create(b, sub(a, constant(2.5)), add(a, constant(2.5)));
    Value tail = sub(constant(1.0), mul(exp(arith::NegFOp::create(b, square)), polynomial(format.erfcScaled, t)));
    Value magnitude = select(less(a, constant(1.0)), head, tail);
    return keepNaN(x, math::CopySignOp::create(b, magnitude, x));
  }

private:
  struct ReducedExp {
    Value n;       ///< integer
    Value r;       ///< x - n ln 2, at most ln 2 / 2 in magnitude
    Value overOne; ///< e^r - 1
  };

  ReducedExp reduceExp(Value x) {
    Value n = math::RoundEvenOp::create(b, mul(x, constant(1.4426950408889634)));
    Value r = sub(sub(x, mul(n, constant(format.ln2High))), mul(n, constant(format.ln2Low)));
    Value overOne = add(r, mul(mul(r, r), polynomial(format.expTail, r)));
    return {arith::FPToSIOp::create(b, intType, n), r, overOne};
  }

  /// log(x), plus `correction` (small against the result, or null). With x = 2^n (1 + f) and s = f / (2 + f),
  /// log(1 + f) = f - f^2/2 + s (f^2/2 + 2/3 s^2 + 2/5 s^4 + ...): the first term is exact.
  Value logOfSum(Value x, Value correction) {
    Value isSmall = less(x, constant(format.smallestNormal));
    Value scaled = select(isSmall, mul(x, constant(format.denormalScale)), x);
    Value bits = arith::BitcastOp::create(b, intType, scaled);
    // Adding 1 - sqrt(1/2) in the mantissa moves the split of exponents from 1 to sqrt(1/2).
    int64_t one = format.exponentBias << format.mantissaBits;
    int64_t sqrtHalf = format.bits == 32 ? 0x3f3504f3 : 0x3fe6a09e667f3bcd;
    Value shifted = arith::AddIOp::create(b, bits, integer(one - sqrtHalf));
    Value exponent = arith::SubIOp::create(b, arith::ShRSIOp::create(b, shifted, integer(format.mantissaBits)),
                                           integer(format.exponentBias));
    exponent = arith::SubIOp::create(b, exponent,
                                     arith::SelectOp::create(b, isSmall, integer(format.denormalExponent), integer(0)));
    Value mantissa = arith::AndIOp::create(b, shifted, integer((int64_t(1) << format.mantissaBits) - 1));
    Value m = arith::BitcastOp::create(b, type, arith::AddIOp::create(b, mantissa, integer(sqrtHalf)));
    Value n = arith::SIToFPOp::create(b, type, exponent);

    Value f = sub(m, constant(1.0));
    Value s = arith::DivFOp::create(b, f, add(constant(2.0), f));
    Value z = mul(s, s);
    Value halfSquare = mul(mul(constant(0.5), f), f);
    Value tail = mul(s, add(halfSquare, mul(z, polynomial(format.logTail, z))));
    Value low = mul(n, constant(format.ln2Low));
    if (correction)
      low = add(low, correction);
    Value result = add(mul(n, constant(format.ln2High)), sub(f, sub(halfSquare, add(tail, low))));

    double infinity = std::numeric_limits<double>::infinity();
    result = select(equal(x, constant(0.0)), constant(-infinity), result);
    result = select(equal(x, constant(infinity)), x, result);
    Value invalid = arith::CmpFOp::create(b, arith::CmpFPredicate::ULT, x, constant(0.0));
    return select(invalid, constant(std::numeric_limits<double>::quiet_NaN()), result);
  }

  Value polynomial(ArrayRef<double> coefficients, Value x) {
    Value result = constant(coefficients.back());
    for (double coefficient : llvm::reverse(coefficients.drop_back()))
      result = add(mul(result, x), constant(coefficient));
    return result;
  }

  /// 2^n for an integer n in the range of normal exponents.
  Value powerOfTwo(Value n) {
    Value biased = arith::AddIOp::create(b, n, integer(format.exponentBias));
    return arith::BitcastOp::create(b, type, arith::ShLIOp::create(b, biased, integer(format.mantissaBits)));
  }

  /// NaN becomes `low`: the conversion to integer that follows must not see it.
  Value clamp(Value x, double low, double high) {
    return minimum(select(arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, constant(low)), x, constant(low)),
                   constant(high));
  }
  Value minimum(Value x, Value y) { return select(less(x, y), x, y); }
  Value keepNaN(Value x, Value result) {
    return select(arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, x, x), x, result);
  }
  Value less(Value x, Value y) { return arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, y); }
  Value equal(Value x, Value y) { return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, y); }
  Value select(Value condition, Value x, Value y) { return arith::SelectOp::create(b, condition, x, y); }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, x, y, arith::FastMathFlags::contract); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, x, y, arith::FastMathFlags::contract); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, x, y, arith::FastMathFlags::contract); }

  Value constant(double value) {
    auto element = cast<FloatType>(getElementTypeOrSelf(type));
    bool isInexact;
    APFloat number(value);
    number.convert(element.getFloatSemantics(), APFloat::rmNearestTiesToEven, &isInexact);
    TypedAttr attribute = b.getFloatAttr(element, number);
    if (auto vector = dyn_cast<VectorType>(type))
      attribute = DenseElementsAttr::get(vector, cast<FloatAttr>(attribute).getValue());
    return arith::ConstantOp::create(b, attribute);
  }
  Value integer(int64_t value) {
    APInt number(format.bits, value, /*isSigned=*/true);
    if (auto vector = dyn_cast<VectorType>(intType))
      return arith::ConstantOp::create(b, DenseElementsAttr::get(vector, number));
    return arith::ConstantOp::create(b, b.getIntegerAttr(intType, number));
  }

  ImplicitLocOpBuilder b;
  Type type, intType;
  const Format &format;
};

template <typename MathOp, Value (Emitter::*emit)(Value)> struct Expand final : OpRewritePattern<MathOp> {
  using OpRewritePattern<MathOp>::OpRewritePattern;
  LogicalResult matchAndRewrite(MathOp op, PatternRewriter &rewriter) const override {
    Type element = getElementTypeOrSelf(op.getType());
    if (!element.isF32() && !element.isF64())
      return rewriter.notifyMatchFailure(op, "expands f32 and f64 only");
    Emitter emitter(rewriter, op.getLoc(), op.getType());
    rewriter.replaceOp(op, (emitter.*emit)(op.getOperand()));
    return success();
  }
};

/// bf16 and f16 compute in f32.
template <typename MathOp> struct WidenToF32 final : OpRewritePattern<MathOp> {
  using OpRewritePattern<MathOp>::OpRewritePattern;
  LogicalResult matchAndRewrite(MathOp op, PatternRewriter &rewriter) const override {
    Type narrow = op.getType();
    if (getElementTypeOrSelf(narrow).getIntOrFloatBitWidth() >= 32)
      return rewriter.notifyMatchFailure(op, "is wide enough");
    Type wide = rewriter.getF32Type();
    if (auto vector = dyn_cast<VectorType>(narrow))
      wide = vector.clone(wide);
    Value operand = arith::ExtFOp::create(rewriter, op.getLoc(), wide, op.getOperand());
    Value result = MathOp::create(rewriter, op.getLoc(), operand);
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, narrow, result);
    return success();
  }
};

struct ExpandMath final : codegen::impl::ExpandMathBase<ExpandMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateExpandMathPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

void espalier::codegen::populateExpandMathPatterns(RewritePatternSet &patterns) {
  patterns.add<Expand<math::ExpOp, &Emitter::exp>, Expand<math::ExpM1Op, &Emitter::expm1>,
               Expand<math::LogOp, &Emitter::log>, Expand<math::Log1pOp, &Emitter::log1p>,
               Expand<math::TanhOp, &Emitter::tanh>, Expand<math::ErfOp, &Emitter::erf>, WidenToF32<math::ExpOp>,
               WidenToF32<math::ExpM1Op>, WidenToF32<math::LogOp>, WidenToF32<math::Log1pOp>, WidenToF32<math::TanhOp>,
               WidenToF32<math::ErfOp>>(patterns.getContext());
  // What these leave in terms of the functions above.
  math::populateExpansionPatterns(patterns,
                                  {"sinh", "cosh", "tan", "asinh", "acosh", "atanh", "powf", "fpowi", "exp2"});
}
