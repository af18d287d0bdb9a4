//===- Crop.cpp - A random part of an image with padding ------------------===//

#include "Stages.h"

#include <algorithm>

using namespace espalier::rt;

namespace {
/// Pads all sides with zeros and takes a square, or a box of the image's size, at a uniformly random place.
struct Crop final : PixelStage {
  int64_t padding, size; ///< size 0: the image's

  Crop(int64_t padding, int64_t size) : padding(padding), size(size) {}

  Expected<ImageShape> shapeAfter(const ImageShape &shape) const override {
    if (shape.height + 2 * padding < size || shape.width + 2 * padding < size)
      return invalidInput("'crop' of {} with padding {} expects larger images, but got {}x{}", size, padding,
                          shape.width, shape.height);
    return size ? ImageShape{shape.channels, size, size} : shape;
  }

  void apply(Sample &sample, StageScratch &scratch, RandomStream &random) const override {
    ImageShape from = sample.shape, to = *shapeAfter(from);
    int64_t top = random.below(from.height + 2 * padding - to.height + 1) - padding;
    int64_t left = random.below(from.width + 2 * padding - to.width + 1) - padding;
    // The columns and rows of the result that lie inside the image.
    int64_t firstColumn = std::clamp<int64_t>(-left, 0, to.width);
    int64_t lastColumn = std::clamp<int64_t>(from.width - left, firstColumn, to.width);
    scratch.bytes.assign(static_cast<size_t>(to.numElements()), 0);
    for (int64_t c = 0; c < to.channels; ++c)
      for (int64_t y = std::max<int64_t>(-top, 0); y < std::min(to.height, from.height - top); ++y)
        std::copy_n(sample.pixels.data() + (c * from.height + top + y) * from.width + left + firstColumn,
                    lastColumn - firstColumn, scratch.bytes.data() + (c * to.height + y) * to.width + firstColumn);
    std::swap(sample.pixels, scratch.bytes);
    sample.shape = to;
  }
};
} // namespace

AugmentationRecord espalier::rt::cropRecord() {
  return {"crop",
          "cuts out a random box after padding all sides with zeros",
          {{"padding", "pixels added to each side", 4, 0, 1024, true},
           {"size", "pixels of a side; 0: as large as the image", 0, 0, maxImageSize, true}},
          stageName("crop"),
          /*isDeterministic=*/false,
          /*wantsImages=*/true,
          [](Span<const double> v) { return makeStage<PixelStage>(Crop(int64_t(v[0]), int64_t(v[1]))); }};
}
