//===- TrajectoryTest.cpp - compiled training runs against PyTorch --------===//

#include "TrainingRun.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace espalier;

namespace {

/// Runs as many steps as the golden has; losses and the norms of the final weights agree to 1e-6.
void expectTrajectory(const integration::LoadedNet &net, const TrainingOptions &options,
                      const golden::Golden &expected) {
  ASSERT_TRUE(net.module);
  ASSERT_EQ(expected.losses.size(), 50u);
  integration::TrainingRun run(net, options);
  ASSERT_TRUE(run);
  run.start(golden::initial);
  for (size_t step = 0; step < expected.losses.size(); ++step)
    ASSERT_NEAR(run.step(expected, step), expected.losses[step], 1e-6 * std::fabs(expected.losses[step]))
        << "step " << step;
  EXPECT_EQ(run.parameters().size(), expected.weightsAfter.size());
  for (const auto &[path, norm] : expected.weightsAfter)
    EXPECT_NEAR(integration::norm(options.average ? run.slot(path, "average") : run.weight(path)), norm, 1e-6 * norm)
        << path;
}

class Trajectories : public testing::TestWithParam<integration::Net> {};

/// Steps of SGD with momentum and weight decay in compiled float64 agree with PyTorch's float64.
TEST_P(Trajectories, EqualPyTorchInFloat64) {
  golden::Golden expected = golden::read(GetParam().name);
  integration::LoadedNet net(GetParam());
  TrainingOptions options = net.trainingOptions(expected);
  options.optimizer.momentum = 0.9;
  options.optimizer.weightDecay = 5e-4;
  expectTrajectory(net, options, expected);
}

INSTANTIATE_TEST_SUITE_P(Nets, Trajectories, testing::ValuesIn(integration::nets),
                         [](const auto &info) { return std::string(info.param.name); });

void useMomentum(TrainingOptions &options) {
  options.optimizer.momentum = 0.9;
  options.optimizer.weightDecay = 5e-4;
}

/// A golden of small_conv and what makes the same run here.
struct Optimiser {
  const char *name;
  void (*configure)(TrainingOptions &options);
  double smoothing = 0.0;
};
constexpr Optimiser optimisers[] = {
    {"nesterov",
     [](TrainingOptions &options) {
       useMomentum(options);
       options.optimizer.nesterov = true;
     }},
    {"clip", [](TrainingOptions &options) { options.clipNorm = 0.5; }},
    {"clip_value",
     [](TrainingOptions &options) {
       options.clipValue = 0.01;
       options.optimizer.weightDecay = 0.05;
     }},
    {"adam",
     [](TrainingOptions &options) {
       options.optimizer.kind = cg::OptimizerKind::Adam;
       options.optimizer.weightDecay = 0.01;
     }},
    {"adamw",
     [](TrainingOptions &options) {
       options.optimizer.kind = cg::OptimizerKind::AdamW;
       options.optimizer.weightDecay = 0.1;
     }},
    {"rmsprop",
     [](TrainingOptions &options) {
       options.optimizer.kind = cg::OptimizerKind::RMSprop;
       options.optimizer.momentum = 0.9;
       options.optimizer.epsilon = 1e-3;
       options.optimizer.weightDecay = 0.01;
     }},
    {"rmsprop_centred",
     [](TrainingOptions &options) {
       options.optimizer.kind = cg::OptimizerKind::RMSprop;
       options.optimizer.alpha = 0.9;
       options.optimizer.centered = true;
       options.optimizer.epsilon = 1e-3;
     }},
    {"groups",
     [](TrainingOptions &options) {
       options.optimizer.momentum = 0.9;
       options.optimizer.weightDecay = 0.05;
       options.groups.groups = {"fc.*:rate=0.1:weight-decay=0.2", "conv2.bias:frozen"};
       options.groups.decayNormsAndBiases = false;
     }},
    {"smoothing", useMomentum, 0.1},
    // The sum of the parts is clipped, then weight decay is added. Batch norm sees each part by itself in both.
    {"accumulate",
     [](TrainingOptions &options) {
       useMomentum(options);
       options.accumulate = 4;
       options.sizes.front() = "N=2";
       options.clipNorm = 0.5;
     }},
    {"average",
     [](TrainingOptions &options) {
       useMomentum(options);
       options.average = cg::AverageParametersOptions{0.9, /*warmup=*/false};
     }},
    {"average_warmup",
     [](TrainingOptions &options) {
       useMomentum(options);
       options.average = cg::AverageParametersOptions{0.95, /*warmup=*/true};
     }},
};

class Optimisers : public testing::TestWithParam<Optimiser> {};

TEST_P(Optimisers, EqualPyTorchInFloat64) {
  golden::Golden expected = golden::read(std::string("small_conv.") + GetParam().name);
  integration::LoadedNet net(integration::smallConv, GetParam().smoothing);
  TrainingOptions options = net.trainingOptions(expected);
  GetParam().configure(options);
  expectTrajectory(net, options, expected);
}

INSTANTIATE_TEST_SUITE_P(All, Optimisers, testing::ValuesIn(optimisers),
                         [](const auto &info) { return std::string(info.param.name); });

/// Without batch norm, the parts of a batch give what the whole batch gives.
TEST(Accumulation, EqualsTheLargeBatch) {
  golden::Golden golden = golden::read("small_conv.nesterov");
  integration::LoadedNet net(integration::smallPlain);
  ASSERT_TRUE(net.module);
  TrainingOptions options = net.trainingOptions(golden);
  useMomentum(options);
  options.clipNorm = 0.5;
  integration::TrainingRun whole(net, options);
  options.accumulate = 4;
  options.sizes.front() = "N=2";
  integration::TrainingRun parts(net, options);
  ASSERT_TRUE(whole && parts);
  whole.start(golden::initial);
  parts.start(golden::initial);
  for (size_t step = 0; step < 20; ++step) {
    double loss = whole.step(golden, step);
    ASSERT_NEAR(parts.step(golden, step), loss, 1e-12 * std::fabs(loss)) << "step " << step;
  }
  for (const std::string &path : whole.parameters())
    EXPECT_LE(integration::relativeError(parts.weight(path), whole.weight(path)), 1e-12) << path;
}

/// A step in code for another processor than the one at hand: the same loss and gradients within rounding, and in
/// float64, which no library computes, within rounding of that.
TEST(OtherProcessor, TrainsLikeTheHost) {
  golden::Golden golden = golden::read("cifar_resnet20");
  integration::LoadedNet net(integration::nets[0]);
  ASSERT_TRUE(net.module);
  for (bool float64 : {false, true}) {
    TrainingOptions options = net.trainingOptions(golden);
    options.precision = float64 ? Precision::F64 : Precision::F32;
    options.returnGradients = true;
    integration::TrainingRun host(net, options), v3(net, options, "x86-64-v3");
    ASSERT_TRUE(host && v3);
    host.start(golden::initial);
    v3.start(golden::initial);
    double loss = host.step(golden, 0);
    EXPECT_NEAR(v3.step(golden, 0), loss, (float64 ? 1e-13 : 1e-5) * std::fabs(loss));
    for (const std::string &path : host.parameters())
      EXPECT_LE(integration::relativeError(v3.gradient(path), host.gradient(path)), float64 ? 1e-10 : 1e-4) << path;
  }
}

} // namespace
