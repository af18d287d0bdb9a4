//===- TrainerGradientScalingTest.cpp - matrices in checkpoints -----------===//

#include "TinyTrainer.h"

#include <gtest/gtest.h>

using namespace espalier;

static constexpr const char *convolution = R"(
arch net(x: f32[N, 3, 4, 4]) -> f32[N, 3] {
  x |> conv(3, k = 3) as conv |> relu |> global_avg_pool
}
)";
static constexpr const char *matrixName = "conv.weight#gradient_scale";

static bool equalBits(const rt::HostTensor &a, const rt::HostTensor &b) {
  return a.bytes().size() == b.bytes().size() && std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin());
}

// A run goes on with the matrix that its checkpoint holds, to the bit, not with that of its recipe.
TEST(TrainerGradientScaling, RestoresTheMatrix) {
  rt::Dataset data = tiny::makeDataset();
  TrainingOptions options;
  options.gradientScaling = cg::InsertGradientScalingOptions();
  auto make = [&] { return tiny::makeTrainer(data, options, convolution); };
  std::unique_ptr<rt::Trainer> first = make(), resumed = make(), other = make();
  ASSERT_TRUE(first && resumed && other);
  rt::TensorMap start;
  auto add = [&](const char *name, std::vector<int64_t> shape, const rt::Initializer &initializer) {
    rt::HostTensor tensor = *rt::HostTensor::create(rt::DType::F32, std::move(shape));
    ASSERT_TRUE(rt::initialize(tensor, initializer, name, /*seed=*/0).ok());
    start.emplace(name, std::move(tensor));
  };
  add("conv.weight", {3, 3, 3, 3}, {rt::Initializer::Kind::Normal, 0.0, 0.3});
  add(matrixName, {3, 3}, {rt::Initializer::Kind::Uniform, 0.2, 2.0});
  ASSERT_TRUE(first->load(start).ok());
  ASSERT_TRUE(first->trainStep(0).ok());

  auto checkpoint = first->everything();
  ASSERT_TRUE(checkpoint.ok());
  EXPECT_TRUE(equalBits(checkpoint->at(matrixName), start.at(matrixName)));
  ASSERT_TRUE(resumed->load(*checkpoint).ok());
  for (float &element : checkpoint->at(matrixName).elements<float>())
    element = 1.0f;
  ASSERT_TRUE(other->load(*checkpoint).ok());
  for (rt::Trainer *trainer : {first.get(), resumed.get(), other.get()})
    ASSERT_TRUE(trainer->trainStep(1).ok());

  auto expected = first->everything(), found = resumed->everything(), different = other->everything();
  ASSERT_TRUE(expected.ok() && found.ok() && different.ok());
  for (const auto &[name, tensor] : *expected)
    EXPECT_TRUE(equalBits(found->at(name), tensor)) << name;
  EXPECT_FALSE(equalBits(different->at("conv.weight"), expected->at("conv.weight")));
}
