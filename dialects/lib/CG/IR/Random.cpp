//===- Random.cpp - counter-based random numbers --------------------------===//

#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Dialect/CG/IR/Philox.h"

#include <cmath>

using namespace mlir;
using namespace espalier::cg;

std::array<uint32_t, 4> espalier::cg::philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  // Salmon et al. 2011, section 3.4: multipliers and Weyl increments of the 4x32 variant.
  constexpr uint64_t multipliers[] = {0xD2511F53, 0xCD9E8D57};
  constexpr uint32_t increments[] = {0x9E3779B9, 0xBB67AE85};
  for (int round = 0; round < 10; ++round) {
    uint64_t first = multipliers[0] * counter[0], second = multipliers[1] * counter[2];
    counter = {static_cast<uint32_t>(second >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(second),
               static_cast<uint32_t>(first >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(first)};
    for (int i : {0, 1})
      key[i] += increments[i];
  }
  return counter;
}

uint64_t espalier::cg::hashKey(StringRef key) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char byte : key.bytes())
    hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

/// Element `index` of `cg.random_uniform`.
static double uniformAt(uint64_t index, uint64_t seed, uint64_t key) {
  auto low = [](uint64_t word) { return static_cast<uint32_t>(word); };
  auto high = [](uint64_t word) { return static_cast<uint32_t>(word >> 32); };
  uint64_t block = index / 4;
  std::array<uint32_t, 4> words = philox4x32({low(block), high(block), low(seed), high(seed)}, {low(key), high(key)});
  return std::ldexp(static_cast<double>(words[index % 4] >> 8), -24);
}

static uint64_t seedOf(const ReferenceTensor &seed) {
  return static_cast<uint64_t>(static_cast<int64_t>(seed.data[0]));
}

LogicalResult RandomUniformOp::inferShapes(Adaptor adaptor, ShapeContext &shapes,
                                           SmallVectorImpl<TensorShape> &results) {
  results.push_back(shapes[adaptor.getLike()]);
  return success();
}

LogicalResult RandomNormalOp::inferShapes(Adaptor adaptor, ShapeContext &shapes,
                                          SmallVectorImpl<TensorShape> &results) {
  results.push_back(shapes[adaptor.getLike()]);
  return success();
}

/// Drawing an integer costs no floating-point operation; turning it into the result does. `like` is not read.
static OpCost randomCost(Value seed, Value result, int64_t flopsPerElement, ShapeContext &shapes) {
  OpCost cost;
  cost.flops = shapes[result].elements() * DimExpr(flopsPerElement);
  cost.bytesRead = shapes[seed].bytes();
  cost.bytesWritten = shapes[result].bytes();
  return cost;
}

OpCost RandomUniformOp::getCost(ShapeContext &shapes) { return randomCost(getSeed(), getResult(), 1, shapes); }
// For each pair: two scalings, 1 - u, log, * -2, sqrt, 2 pi v, sine, cosine and two products.
OpCost RandomNormalOp::getCost(ShapeContext &shapes) { return randomCost(getSeed(), getResult(), 6, shapes); }

LogicalResult RandomUniformOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                        MutableArrayRef<ReferenceTensor> results) {
  uint64_t seed = seedOf(*operands[0]), key = hashKey(getKey());
  for (auto [index, element] : llvm::enumerate(results[0].data))
    element = uniformAt(index, seed, key);
  return success();
}

LogicalResult RandomNormalOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                       MutableArrayRef<ReferenceTensor> results) {
  constexpr double twoPi = 6.283185307179586477;
  uint64_t seed = seedOf(*operands[0]), key = hashKey(getKey());
  for (auto [index, element] : llvm::enumerate(results[0].data)) {
    uint64_t first = index & ~uint64_t(1);
    double radius = std::sqrt(-2.0 * std::log1p(-uniformAt(first, seed, key)));
    double angle = twoPi * uniformAt(first + 1, seed, key);
    element = radius * (index == first ? std::cos(angle) : std::sin(angle));
  }
  return success();
}
