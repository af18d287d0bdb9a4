//===- CentreCrop.cpp - The middle of an image ----------------------------===//

#include "Stages.h"

#include <cmath>

using namespace espalier::rt;

namespace {
struct CentreCrop final : PixelStage {
  int64_t size;

  explicit CentreCrop(int64_t size) : size(size) {}

  Expected<ImageShape> shapeAfter(const ImageShape &shape) const override {
    if (shape.height < size || shape.width < size)
      return invalidInput("'centre_crop' of {} expects images at least as large, but got {}x{}", size, shape.width,
                          shape.height);
    return ImageShape{shape.channels, size, size};
  }

  /// Half a pixel too many goes where torchvision lets it: round half to even.
  static int64_t middle(int64_t margin) { return std::llrint(static_cast<double>(margin) / 2); }

  void apply(Sample &sample, StageScratch &scratch, RandomStream &) const override {
    cropTo(sample, {middle(sample.shape.height - size), middle(sample.shape.width - size), size, size}, scratch);
  }
};
} // namespace

AugmentationRecord espalier::rt::centreCropRecord() {
  return {"centre_crop",
          "cuts a square out of the middle",
          {{"size", "pixels of a side", 224, 1, maxImageSize, true}},
          stageName("cent"),
          /*isDeterministic=*/true,
          /*wantsImages=*/true,
          [](Span<const double> v) { return makeStage<PixelStage>(CentreCrop(int64_t(v[0]))); }};
}
