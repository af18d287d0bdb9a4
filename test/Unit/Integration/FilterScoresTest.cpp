//===- FilterScoresTest.cpp - scores in compiled training steps -----------===//

#include "TrainingRun.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

using namespace espalier;

namespace {

double scoreOf(cg::FilterScore kind, const std::vector<double> &weight, const std::vector<double> &gradient) {
  double sum = 0.0;
  for (size_t i = 0; i < weight.size(); ++i) {
    double product = (kind == cg::FilterScore::GradientNorm ? gradient[i] : weight[i]) * gradient[i];
    sum += kind == cg::FilterScore::SNIP ? std::fabs(product) : product;
  }
  return kind == cg::FilterScore::GradientNorm ? std::sqrt(sum) : sum;
}

class FilterScores : public testing::TestWithParam<cg::FilterScore> {};

/// Scores add up over steps. They are of the gradients of whole batches, before these are clipped, and of the weights
/// that a step begins with.
TEST_P(FilterScores, AreOfWholeGradients) {
  golden::Golden golden = golden::read("small_conv.nesterov");
  integration::LoadedNet net(integration::smallConv);
  ASSERT_TRUE(net.module);
  TrainingOptions options = net.trainingOptions(golden);
  options.accumulate = 4;
  options.sizes.front() = "N=2";
  options.returnGradients = true;
  integration::TrainingRun plain(net, options);
  options.clipNorm = 0.01; // far below the norm
  options.score.emplace();
  options.score->score = GetParam();
  integration::TrainingRun scored(net, options);
  ASSERT_TRUE(plain && scored);
  std::vector<std::string> slots;
  for (const rt::Place &place : scored.table().places)
    if (place.role == rt::Role::Slot && llvm::StringRef(place.name).ends_with("#score"))
      slots.push_back(place.name);
  EXPECT_EQ(slots, (std::vector<std::string>{"conv1.weight#score", "conv2.weight#score"}));

  plain.start(golden::initial);
  std::map<std::string, std::vector<double>> weights;
  for (const std::string path : {"conv1.weight", "conv2.weight"})
    weights[path] = plain.weight(path);
  plain.step(golden, 0);
  // The second time with the same weights, and the score of the first time.
  std::map<std::string, std::vector<double>> scores = {{"conv1.weight", {0.0}}, {"conv2.weight", {0.0}}};
  for (double times : {1.0, 2.0}) {
    scored.start(golden::initial);
    for (auto &[path, score] : scores)
      scored.setSlot(path, "score", score);
    scored.step(golden, 0);
    for (auto &[path, score] : scores) {
      double expected = times * scoreOf(GetParam(), weights[path], plain.gradient(path));
      score = scored.slot(path, "score");
      ASSERT_EQ(score.size(), 1u);
      EXPECT_NEAR(score[0], expected, 1e-12 * std::fabs(expected)) << path;
    }
  }
}

std::string nameOf(const testing::TestParamInfo<cg::FilterScore> &info) {
  constexpr const char *names[] = {"synflow", "snip", "gradient_norm"};
  return names[static_cast<int>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(All, FilterScores,
                         testing::Values(cg::FilterScore::SynFlow, cg::FilterScore::SNIP,
                                         cg::FilterScore::GradientNorm),
                         nameOf);

} // namespace
