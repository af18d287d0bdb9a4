//===- TrainerAveragesTest.cpp - moving averages before the first step ----===//

#include "TinyTrainer.h"

#include <gtest/gtest.h>

using namespace espalier;

static float scaleOf(const rt::Trainer &trainer) {
  auto weights = trainer.weights();
  return weights ? std::as_const(weights->at("norm.weight")).elements<float>()[0] : NAN;
}

// A run that stops before its first step must not leave a network of zeros.
TEST(TrainerAverages, StartAsWhatTheyAverage) {
  rt::Dataset data = tiny::makeDataset();
  TrainingOptions options;
  options.average = cg::AverageParametersOptions{0.9, false};
  std::unique_ptr<rt::Trainer> trainer = tiny::makeTrainer(data, options);
  ASSERT_TRUE(trainer);
  rt::Initializer two{rt::Initializer::Kind::Fill, 2.0, 0.0}, five{rt::Initializer::Kind::Fill, 5.0, 0.0};
  ASSERT_TRUE(trainer->initialize({{"norm.weight", two}}).ok());
  EXPECT_EQ(scaleOf(*trainer), 2);

  auto filled = [](const rt::Initializer &initializer, const std::string &name) {
    rt::HostTensor tensor = *rt::HostTensor::create(rt::DType::F32, {3});
    EXPECT_TRUE(rt::initialize(tensor, initializer, name, /*seed=*/0).ok());
    return tensor;
  };
  rt::TensorMap loaded;
  loaded.emplace("norm.weight", filled(five, "norm.weight"));
  ASSERT_TRUE(trainer->load(loaded).ok());
  EXPECT_EQ(scaleOf(*trainer), 5);
  // Those of a checkpoint stay what they are.
  loaded.emplace("norm.weight#average", filled(two, "norm.weight#average"));
  ASSERT_TRUE(trainer->load(loaded).ok());
  EXPECT_EQ(scaleOf(*trainer), 2);
}
