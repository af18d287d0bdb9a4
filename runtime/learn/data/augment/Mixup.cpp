//===- Mixup.cpp - The weighted mean of two samples -----------------------===//
//
// Zhang et al., "mixup: beyond empirical risk minimization" (ICLR 2018). Each sample draws its own weight.
//
//===----------------------------------------------------------------------===//

#include "Stages.h"

using namespace espalier::rt;

namespace {
struct Mixup final : MixStage {
  double alpha, probability;

  Mixup(double alpha, double probability) : alpha(alpha), probability(probability) {}

  double apply(Span<float> values, Span<const float> partner, const ImageShape &, RandomStream &random) const override {
    if (random.uniform() >= probability)
      return 1;
    double share = random.beta(alpha);
    auto own = static_cast<float>(share), other = static_cast<float>(1 - share);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = own * values[i] + other * partner[i];
    return share;
  }
};
} // namespace

AugmentationRecord espalier::rt::mixupRecord() {
  return {"mixup",
          "mean of two random samples and of their classes, weighted by Beta(alpha, alpha)",
          {{"alpha", "of the beta distribution", 0.2, 0, 1000, false, /*openMin=*/true}, probabilityKey(1)},
          stageName("mixu"),
          /*isDeterministic=*/false,
          /*wantsImages=*/false,
          [](Span<const double> v) { return makeStage<MixStage>(Mixup(v[0], v[1])); }};
}
