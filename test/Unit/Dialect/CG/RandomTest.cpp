//===- RandomTest.cpp - Philox and what is drawn from it ------------------===//

#include "espalier/Analysis/ReferenceEvaluator.h"
#include "espalier/Dialect/CG/IR/Philox.h"

#include "mlir/IR/BuiltinOps.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace mlir;
using namespace espalier::cg;

namespace {

using Words = std::array<uint32_t, 4>;

// Known answers of philox4x32-10, published with the algorithm (Random123, kat_vectors).
TEST(Random, philoxGivesKnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Known answers of 64-bit FNV-1a, from its specification.
TEST(Random, keysAreHashedByFnv1a) {
  EXPECT_EQ(hashKey(""), 0xcbf29ce484222325u);
  EXPECT_EQ(hashKey("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(hashKey("foobar"), 0x85944171f73967e8u);
}

class RandomOpTest : public testing::Test {
protected:
  RandomOpTest() : builder(&context), loc(builder.getUnknownLoc()) {
    context.loadDialect<CGDialect>();
    module = ModuleOp::create(loc);
    builder.setInsertionPointToEnd(module->getBody());
  }

  template <typename Op> std::vector<double> draw(StringRef key, int64_t seed, int64_t size) {
    ReferenceTensor seedTensor(RankedTensorType::get({}, builder.getI64Type()));
    seedTensor.data[0] = static_cast<double>(seed);
    ReferenceTensor like(RankedTensorType::get({size}, builder.getF64Type()));
    Value seedValue = HyperOp::create(builder, loc, seedTensor.type, "seed");
    Value likeValue = HyperOp::create(builder, loc, like.type, "like");
    auto op = Op::create(builder, loc, seedValue, likeValue, key);
    auto results = evaluateReference(op, {&seedTensor, &like});
    EXPECT_TRUE(succeeded(results));
    return (*results)[0].data;
  }

  MLIRContext context;
  OpBuilder builder;
  Location loc;
  OwningOpRef<ModuleOp> module;
};

TEST_F(RandomOpTest, uniformsAreTheWordsOfPhilox) {
  std::vector<double> drawn = draw<RandomUniformOp>("k", -2, 11);
  uint64_t key = hashKey("k");
  for (uint32_t i = 0; i < 11; ++i) {
    Words words =
        philox4x32({i / 4, 0, 0xfffffffe, 0xffffffff}, {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)});
    EXPECT_EQ(drawn[i], static_cast<double>(words[i % 4] >> 8) / 16777216.0);
  }
}

TEST_F(RandomOpTest, numbersDependOnPlaceKeyAndSeed) {
  std::vector<double> all = draw<RandomUniformOp>("k", 1, 40), fewer = draw<RandomUniformOp>("k", 1, 7);
  EXPECT_TRUE(std::equal(fewer.begin(), fewer.end(), all.begin()));
  EXPECT_NE(draw<RandomUniformOp>("k", 2, 7), fewer);
  EXPECT_NE(draw<RandomUniformOp>("l", 1, 7), fewer);
}

TEST_F(RandomOpTest, normalsArePairsOfUniforms) {
  std::vector<double> uniform = draw<RandomUniformOp>("k", 5, 8), normal = draw<RandomNormalOp>("k", 5, 7);
  for (int i = 0; i < 7; ++i) {
    double u = uniform[i / 2 * 2], angle = 2 * M_PI * uniform[i / 2 * 2 + 1];
    EXPECT_NEAR(normal[i], std::sqrt(-2 * std::log(1 - u)) * (i % 2 == 0 ? std::cos(angle) : std::sin(angle)), 1e-12);
  }
}

TEST_F(RandomOpTest, momentsAreThoseOfTheDistribution) {
  constexpr int64_t size = 100000;
  auto moments = [](const std::vector<double> &data) {
    double sum = 0.0, square = 0.0;
    for (double x : data) {
      sum += x;
      square += x * x;
    }
    return std::pair(sum / size, square / size);
  };
  auto [mean, square] = moments(draw<RandomUniformOp>("k", 3, size));
  EXPECT_NEAR(mean, 0.5, 0.005); // five standard errors
  EXPECT_NEAR(square, 1.0 / 3.0, 0.005);
  std::tie(mean, square) = moments(draw<RandomNormalOp>("k", 3, size));
  EXPECT_NEAR(mean, 0.0, 0.016);
  EXPECT_NEAR(square, 1.0, 0.023);
}

} // namespace
