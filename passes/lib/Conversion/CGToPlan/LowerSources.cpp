//===- LowerSources.cpp - iota and random numbers -------------------------===//

#include "LoweringModels.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace espalier::cg;

namespace {

struct LowerIota final : IndexedLoweringOpInterface::ExternalModel<LowerIota, IotaOp> {
  Value emitElement(Operation *op, KernelBuilder &b, ValueRange position) const {
    Type type = getScalarType(getElementTypeOrSelf(op->getResult(0)));
    Value number = b.create<arith::IndexCastOp>(b.getI64Type(), position[0]);
    if (isa<FloatType>(type))
      return b.create<arith::SIToFPOp>(type, number);
    return type.isInteger(64) ? number : b.create<arith::TruncIOp>(type, number).getResult();
  }
};

/// The 64-bit FNV-1a hash.
uint64_t hashKey(StringRef key) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char byte : key.bytes())
    hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

/// Emits Philox4x32-10 (Salmon et al. 2011) on 32-bit words.
std::array<Value, 4> emitPhilox(KernelBuilder &b, std::array<Value, 4> counter, uint64_t key) {
  Type i32 = b.getI32Type(), i64 = b.getI64Type();
  auto word = [&](uint32_t value) -> Value {
    return b.create<arith::ConstantOp>(b.getIntegerAttr(i32, static_cast<int32_t>(value)));
  };
  auto multiply = [&](Value lhs, uint32_t rhs) { // high and low word
    Value factor = b.create<arith::ConstantOp>(b.getI64IntegerAttr(rhs));
    Value product = b.create<arith::MulIOp>(b.create<arith::ExtUIOp>(i64, lhs), factor);
    Value shift = b.create<arith::ConstantOp>(b.getI64IntegerAttr(32));
    Value high = b.create<arith::TruncIOp>(i32, b.create<arith::ShRUIOp>(product, shift));
    return std::pair<Value, Value>(high, b.create<arith::TruncIOp>(i32, product));
  };
  auto key0 = static_cast<uint32_t>(key), key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    auto [high0, low0] = multiply(counter[0], 0xD2511F53);
    auto [high1, low1] = multiply(counter[2], 0xCD9E8D57);
    Value next0 = b.create<arith::XOrIOp>(b.create<arith::XOrIOp>(high1, counter[1]), word(key0));
    Value next2 = b.create<arith::XOrIOp>(b.create<arith::XOrIOp>(high0, counter[3]), word(key1));
    counter = {next0, low1, next2, low0};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

/// Draws for the element at `position` of a random op.
class Generator {
public:
  Generator(KernelBuilder &b, Operation *op, ValueRange position)
      : b(b), element(getScalarType(cast<RankedTensorType>(op->getResult(0).getType()).getElementType())),
        key(hashKey(op->getAttrOfType<StringAttr>("key").getValue())) {
    Type i64 = b.getI64Type();
    Value linear = b.index(0);
    for (auto [index, stride] : llvm::zip_equal(
             position, getStrides(cast<RankedTensorType>(op->getResult(0).getType()).getShape(), /*order=*/{})))
      linear = b.add(linear, b.mul(index, stride));
    number = b.create<arith::IndexCastOp>(i64, linear);
    seed = b.loadOperand(0, {});
    if (isa<FloatType>(seed.getType()))
      seed = b.create<arith::FPToSIOp>(i64, seed);
    else if (seed.getType().getIntOrFloatBitWidth() < 64)
      seed = b.create<arith::ExtSIOp>(i64, seed);
  }

  Value getNumber() const { return number; }

  /// Uniform number `number`, in [0, 1).
  Value uniform(Value number) {
    Type i32 = b.getI32Type(), i64 = b.getI64Type();
    auto constant = [&](Type type, int64_t value) -> Value {
      return b.create<arith::ConstantOp>(b.getIntegerAttr(type, value));
    };
    auto low = [&](Value value) -> Value { return b.create<arith::TruncIOp>(i32, value); };
    auto high = [&](Value value) { return low(b.create<arith::ShRUIOp>(value, constant(i64, 32))); };
    Value block = b.create<arith::ShRUIOp>(number, constant(i64, 2));
    std::array<Value, 4> words = emitPhilox(b, {low(block), high(block), low(seed), high(seed)}, key);
    Value lane = low(b.create<arith::AndIOp>(number, constant(i64, 3)));
    Value word = words[0];
    for (int i = 1; i < 4; ++i)
      word = b.select(b.compare(arith::CmpIPredicate::eq, lane, constant(i32, i)), words[i], word);
    // 24 bits are exact in f32.
    Value bits = b.create<arith::UIToFPOp>(element, b.create<arith::ShRUIOp>(word, constant(i32, 8)));
    return b.create<arith::MulFOp>(bits, b.number(element, 0x1p-24));
  }

private:
  KernelBuilder &b;
  Type element;
  uint64_t key;
  Value number, seed;
};

struct LowerRandomUniform final : IndexedLoweringOpInterface::ExternalModel<LowerRandomUniform, RandomUniformOp> {
  Value emitElement(Operation *op, KernelBuilder &b, ValueRange position) const {
    Generator generator(b, op, position);
    return generator.uniform(generator.getNumber());
  }
};

/// cos(2 pi t) for t in [0, 1), by a polynomial on one eighth of the circle and symmetry. Within 2^-50 in f64.
Value emitCosineOfTurns(KernelBuilder &b, Value t) {
  Type type = t.getType();
  auto number = [&](double value) { return b.number(type, value); };
  auto polynomial = [&](ArrayRef<double> coefficients, Value x) {
    Value sum = number(coefficients.back());
    for (double coefficient : llvm::reverse(coefficients.drop_back()))
      sum = b.create<arith::AddFOp>(b.create<arith::MulFOp>(sum, x), number(coefficient));
    return sum;
  };
  // t = quadrant / 4 + rest with |rest| <= 1/8, exactly.
  Value quadrant = b.create<math::RoundEvenOp>(b.create<arith::MulFOp>(t, number(4.0)));
  Value rest = b.create<arith::SubFOp>(t, b.create<arith::MulFOp>(quadrant, number(0.25)));
  Value angle = b.create<arith::MulFOp>(rest, number(6.283185307179586477));
  Value square = b.create<arith::MulFOp>(angle, angle);
  // Taylor series; at pi / 4 the first term left out is below 1e-17.
  static constexpr double cosine[] = {1.0,
                                      -1.0 / 2,
                                      1.0 / 24,
                                      -1.0 / 720,
                                      1.0 / 40320,
                                      -1.0 / 3628800,
                                      1.0 / 479001600,
                                      -1.0 / 87178291200.0,
                                      1.0 / 20922789888000.0};
  static constexpr double sine[] = {1.0,          -1.0 / 6,        1.0 / 120,          -1.0 / 5040,
                                    1.0 / 362880, -1.0 / 39916800, 1.0 / 6227020800.0, -1.0 / 1307674368000.0};
  Value ofCosine = polynomial(cosine, square), ofSine = b.create<arith::MulFOp>(angle, polynomial(sine, square));
  auto isQuadrant = [&](double q) -> Value {
    return b.create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, quadrant, number(q));
  };
  Value odd = b.create<arith::OrIOp>(isQuadrant(1.0), isQuadrant(3.0));
  Value negative = b.create<arith::OrIOp>(isQuadrant(1.0), isQuadrant(2.0));
  Value magnitude = b.select(odd, ofSine, ofCosine);
  return b.select(negative, b.create<arith::NegFOp>(magnitude), magnitude);
}

struct LowerRandomNormal final : IndexedLoweringOpInterface::ExternalModel<LowerRandomNormal, RandomNormalOp> {
  Value emitElement(Operation *op, KernelBuilder &b, ValueRange position) const {
    Generator generator(b, op, position);
    auto constant = [&](int64_t value) -> Value { return b.create<arith::ConstantOp>(b.getI64IntegerAttr(value)); };
    Value isSecond = b.create<arith::AndIOp>(generator.getNumber(), constant(1));
    Value first = b.create<arith::SubIOp>(generator.getNumber(), isSecond);
    Value u = generator.uniform(first), v = generator.uniform(b.create<arith::AddIOp>(first, constant(1)));
    Type type = u.getType();
    Value one = b.number(type, 1.0);
    // 1 - u is exact and at least 2^-24.
    Value logarithm = b.create<math::LogOp>(b.create<arith::SubFOp>(one, u));
    Value radius = b.create<math::SqrtOp>(b.create<arith::MulFOp>(b.number(type, -2.0), logarithm));
    // sin(2 pi v) = cos(2 pi (v + 3/4)), with the sum taken modulo 1.
    Value wrapped =
        b.select(b.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, v, b.number(type, 0.25)),
                 b.create<arith::AddFOp>(v, b.number(type, 0.75)), b.create<arith::SubFOp>(v, b.number(type, 0.25)));
    Value turn = b.select(b.create<arith::CmpIOp>(arith::CmpIPredicate::eq, isSecond, constant(1)), wrapped, v);
    return b.create<arith::MulFOp>(radius, emitCosineOfTurns(b, turn));
  }
};

} // namespace

void espalier::cg::attachSourceModels(MLIRContext *context) {
  IotaOp::attachInterface<LowerIota>(*context);
  RandomUniformOp::attachInterface<LowerRandomUniform>(*context);
  RandomNormalOp::attachInterface<LowerRandomNormal>(*context);
}
