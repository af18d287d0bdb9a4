//===- Resize.cpp - Scales every image to one size ------------------------===//

#include "Stages.h"

#include <algorithm>

using namespace espalier::rt;

namespace {
/// Either the shorter side to `size`, keeping the aspect (the longer side rounds down), or both sides.
struct Resize final : PixelStage {
  int64_t size, height, width;

  Resize(int64_t size, int64_t height, int64_t width) : size(size), height(height), width(width) {}

  Expected<ImageShape> shapeAfter(const ImageShape &shape) const override {
    if (!size)
      return ImageShape{shape.channels, height, width};
    int64_t shorter = std::min(shape.height, shape.width), longer = std::max(shape.height, shape.width);
    int64_t scaled = size * longer / shorter;
    if (scaled > static_cast<int64_t>(maxImageSize))
      return invalidInput("'resize' to {} makes the longer side of an image of {}x{} exceed {}", size, shape.width,
                          shape.height, maxImageSize);
    bool isWide = shape.width > shape.height;
    return ImageShape{shape.channels, isWide ? size : scaled, isWide ? scaled : size};
  }

  void apply(Sample &sample, StageScratch &scratch, RandomStream &) const override {
    ImageShape target = *shapeAfter(sample.shape);
    if (target == sample.shape)
      return;
    Box whole{0, 0, sample.shape.height, sample.shape.width};
    scratch.resizer.resize(sample.pixels, sample.shape, whole, target.height, target.width, scratch.bytes);
    std::swap(sample.pixels, scratch.bytes);
    sample.shape = target;
  }
};
} // namespace

AugmentationRecord espalier::rt::resizeRecord() {
  return {
      "resize",
      "scales the whole image, bilinear with antialiasing",
      {{"size", "pixels of the shorter side, the aspect is kept; 0: give height and width", 0, 0, maxImageSize, true},
       {"height", "pixels", 0, 0, maxImageSize, true},
       {"width", "pixels", 0, 0, maxImageSize, true}},
      stageName("size"),
      /*isDeterministic=*/true,
      /*wantsImages=*/true,
      [](Span<const double> v) -> Expected<Augmentation> {
        bool both = v[1] > 0 && v[2] > 0, none = v[1] == 0 && v[2] == 0;
        if (!(v[0] > 0 ? none : both))
          return invalidInput("'resize' expects either size, or height and width");
        return makeStage<PixelStage>(Resize(int64_t(v[0]), int64_t(v[1]), int64_t(v[2])));
      }};
}
