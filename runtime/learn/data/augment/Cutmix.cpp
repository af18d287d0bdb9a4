//===- Cutmix.cpp - A box of one image inside another ---------------------===//
//
// Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features" (ICCV 2019).
// Each sample draws its own box.
//
//===----------------------------------------------------------------------===//

#include "Stages.h"

#include <algorithm>
#include <cmath>

using namespace espalier::rt;

namespace {
/// The box has the image's aspect, a share 1 - Beta(alpha, alpha) of its area and a uniformly random centre; what lies
/// outside is cut off. The classes weigh as the areas that are seen.
struct Cutmix final : MixStage {
  double alpha, probability;

  Cutmix(double alpha, double probability) : alpha(alpha), probability(probability) {}

  double apply(Span<float> values, Span<const float> partner, const ImageShape &shape,
               RandomStream &random) const override {
    if (random.uniform() >= probability)
      return 1;
    double side = std::sqrt(1 - random.beta(alpha));
    auto height = static_cast<int64_t>(static_cast<double>(shape.height) * side);
    auto width = static_cast<int64_t>(static_cast<double>(shape.width) * side);
    int64_t centreY = random.below(shape.height), centreX = random.below(shape.width);
    int64_t top = std::max<int64_t>(centreY - height / 2, 0), bottom = std::min(centreY + height / 2, shape.height);
    int64_t left = std::max<int64_t>(centreX - width / 2, 0), right = std::min(centreX + width / 2, shape.width);
    for (int64_t c = 0; c < shape.channels; ++c)
      for (int64_t y = top; y < bottom; ++y) {
        int64_t row = (c * shape.height + y) * shape.width;
        std::copy(partner.begin() + row + left, partner.begin() + row + right, values.begin() + row + left);
      }
    double pasted = static_cast<double>((bottom - top) * (right - left));
    return 1 - pasted / static_cast<double>(shape.height * shape.width);
  }
};
} // namespace

AugmentationRecord espalier::rt::cutmixRecord() {
  return {"cutmix",
          "a box of another random image, whose class weighs as its area",
          {{"alpha", "of the beta distribution of the area", 1, 0, 1000, false, /*openMin=*/true}, probabilityKey(1)},
          stageName("cutm"),
          /*isDeterministic=*/false,
          /*wantsImages=*/true,
          [](Span<const double> v) { return makeStage<MixStage>(Cutmix(v[0], v[1])); }};
}
