//===- Schedule.cpp - How the learning rate changes over a run ------------===//

#include "espalier/Runtime/Train/Recipe.h"

#include <algorithm>
#include <cmath>

using namespace espalier::rt;

/// From `from` at t = 0 to `to` at t = 1, along half a cosine.
static double halfCosine(double from, double to, double t) { return to + (from - to) * 0.5 * (1 + std::cos(M_PI * t)); }

/// Smith and Topin 2018, as PyTorch's OneCycleLR: the rise takes the first `rise` of `total` steps.
static double oneCycle(const Recipe &recipe, int64_t step, int64_t total) {
  double top = recipe.learningRate, start = top / recipe.oneCycleStartDivisor;
  double now = static_cast<double>(step), last = static_cast<double>(total - 1);
  double turn = recipe.oneCycleRise * static_cast<double>(total) - 1;
  if (turn > 0 && now <= turn)
    return halfCosine(start, top, now / turn);
  turn = std::max(turn, 0.0);
  return last > turn ? halfCosine(top, start / recipe.oneCycleEndDivisor, (now - turn) / (last - turn)) : top;
}

double Recipe::learningRateAt(int64_t step, int64_t stepsPerEpoch) const {
  int64_t warmup = warmupEpochs * stepsPerEpoch, total = epochs * stepsPerEpoch;
  if (step < warmup)
    return learningRate * static_cast<double>(step + 1) / static_cast<double>(warmup);
  int64_t epoch = step / stepsPerEpoch;
  double progress = static_cast<double>(step - warmup) / static_cast<double>(total - warmup);
  auto decayed = [&](int64_t times) { return learningRate * std::pow(gamma, static_cast<double>(times)); };
  switch (schedule) {
  case Schedule::Constant:
    return learningRate;
  case Schedule::Cosine:
    return halfCosine(learningRate, minLearningRate, progress);
  case Schedule::MultiStep:
    return decayed(std::upper_bound(milestones.begin(), milestones.end(), epoch) - milestones.begin());
  case Schedule::Step:
    return decayed(epoch / stepEpochs);
  case Schedule::OneCycle:
    return oneCycle(*this, step, total);
  case Schedule::Polynomial:
    return minLearningRate + (learningRate - minLearningRate) * std::pow(1 - progress, power);
  }
  return learningRate;
}

bool Recipe::growsBranches(int64_t epoch) const {
  return growthInterval > 0 && epoch > 0 && epoch % growthInterval == 0 && (growthUntil == 0 || epoch <= growthUntil);
}

bool Recipe::estimatesGradientScales(int64_t epoch) const {
  return gradientScaling == GradientScaling::MutualInformation &&
         (epoch == scalingWarmup || (epoch > scalingWarmup && epoch % scalingInterval == 0));
}
