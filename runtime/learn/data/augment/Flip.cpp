//===- Flip.cpp - Left and right change places ----------------------------===//

#include "Stages.h"

#include <algorithm>

using namespace espalier::rt;

namespace {
struct Flip final : PixelStage {
  double probability;

  explicit Flip(double probability) : probability(probability) {}

  void apply(Sample &sample, StageScratch &, RandomStream &random) const override {
    if (random.uniform() >= probability)
      return;
    int64_t width = sample.shape.width;
    for (auto row = sample.pixels.begin(); row != sample.pixels.end(); row += width)
      std::reverse(row, row + width);
  }
};
} // namespace

AugmentationRecord espalier::rt::flipRecord() {
  return {"flip",
          "mirrors the image left to right",
          {probabilityKey(0.5)},
          stageName("flip"),
          /*isDeterministic=*/false,
          /*wantsImages=*/true,
          [](Span<const double> v) { return makeStage<PixelStage>(Flip(v[0])); }};
}
