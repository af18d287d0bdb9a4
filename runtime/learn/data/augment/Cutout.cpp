//===- Cutout.cpp - A square without content ------------------------------===//
//
// DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout" (2017).
//
//===----------------------------------------------------------------------===//

#include "Stages.h"

#include <algorithm>

using namespace espalier::rt;

namespace {
/// Zeros the normalised values in a square around a uniformly random pixel; what lies outside the image is cut off.
struct Cutout final : ValueStage {
  int64_t size;
  double probability;

  Cutout(int64_t size, double probability) : size(size), probability(probability) {}

  void apply(Span<float> values, const ImageShape &shape, RandomStream &random) const override {
    if (random.uniform() >= probability)
      return;
    int64_t top = random.below(shape.height) - size / 2, left = random.below(shape.width) - size / 2;
    int64_t firstColumn = std::max<int64_t>(left, 0), lastColumn = std::min(left + size, shape.width);
    for (int64_t c = 0; c < shape.channels; ++c)
      for (int64_t y = std::max<int64_t>(top, 0); y < std::min(top + size, shape.height); ++y) {
        float *row = values.data() + (c * shape.height + y) * shape.width;
        std::fill(row + firstColumn, row + lastColumn, 0.0f);
      }
  }
};
} // namespace

AugmentationRecord espalier::rt::cutoutRecord() {
  return {"cutout",
          "sets a square to the mean colour",
          {{"size", "pixels of a side", 16, 1, maxImageSize, true}, probabilityKey(1)},
          stageName("cout"),
          /*isDeterministic=*/false,
          /*wantsImages=*/true,
          [](Span<const double> v) { return makeStage<ValueStage>(Cutout(int64_t(v[0]), v[1])); }};
}
