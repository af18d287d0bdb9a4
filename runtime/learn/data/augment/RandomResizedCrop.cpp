//===- RandomResizedCrop.cpp - A random part, scaled to one size ----------===//
//
// Szegedy et al., "Going deeper with convolutions" (CVPR 2015), section 6, in the form that torchvision gave it.
//
//===----------------------------------------------------------------------===//

#include "Stages.h"

#include <algorithm>
#include <cmath>

using namespace espalier::rt;

namespace {
struct RandomResizedCrop final : PixelStage {
  int64_t size;
  double minScale, maxScale, maxAspect;

  RandomResizedCrop(int64_t size, double minScale, double maxScale, double maxAspect)
      : size(size), minScale(minScale), maxScale(maxScale), maxAspect(maxAspect) {}

  Expected<ImageShape> shapeAfter(const ImageShape &shape) const override {
    return ImageShape{shape.channels, size, size};
  }

  /// A box of a uniformly random share of the area and log-uniform aspect; after ten that do not fit, the largest in
  /// the middle whose aspect is in range.
  Box draw(const ImageShape &shape, RandomStream &random) const {
    double area = static_cast<double>(shape.height * shape.width), limit = std::log(maxAspect);
    constexpr int maxTries = 10;
    for (int i = 0; i < maxTries; ++i) {
      double target = area * random.uniform(minScale, maxScale), aspect = std::exp(random.uniform(-limit, limit));
      int64_t width = std::llrint(std::sqrt(target * aspect)), height = std::llrint(std::sqrt(target / aspect));
      if (width < 1 || height < 1 || width > shape.width || height > shape.height)
        continue;
      int64_t top = random.below(shape.height - height + 1), left = random.below(shape.width - width + 1);
      return {top, left, height, width};
    }
    int64_t width = shape.width, height = shape.height;
    double aspect = static_cast<double>(width) / static_cast<double>(height);
    if (aspect > maxAspect)
      width = std::max<int64_t>(std::llrint(static_cast<double>(height) * maxAspect), 1);
    else if (aspect < 1 / maxAspect)
      height = std::max<int64_t>(std::llrint(static_cast<double>(width) * maxAspect), 1);
    return {(shape.height - height) / 2, (shape.width - width) / 2, height, width};
  }

  void apply(Sample &sample, StageScratch &scratch, RandomStream &random) const override {
    scratch.resizer.resize(sample.pixels, sample.shape, draw(sample.shape, random), size, size, scratch.bytes);
    std::swap(sample.pixels, scratch.bytes);
    sample.shape = {sample.shape.channels, size, size};
  }
};
} // namespace

AugmentationRecord espalier::rt::randomResizedCropRecord() {
  return {"random_resized_crop",
          "cuts out a random box and scales it to a square",
          {{"size", "pixels of a side of the result", 224, 1, maxImageSize, true},
           {"min_scale", "smallest share of the image's area", 0.08, 0, 1, false, /*openMin=*/true},
           {"max_scale", "largest share", 1, 0, 1, false, /*openMin=*/true},
           {"max_aspect", "largest ratio of a longer to a shorter side", 4.0 / 3, 1, 100}},
          stageName("rrcr"),
          /*isDeterministic=*/false,
          /*wantsImages=*/true,
          [](Span<const double> v) -> Expected<Augmentation> {
            if (v[1] > v[2])
              return invalidInput("'random_resized_crop' expects a min_scale of at most max_scale ({}), but got {}",
                                  v[2], v[1]);
            return makeStage<PixelStage>(RandomResizedCrop(int64_t(v[0]), v[1], v[2], v[3]));
          }};
}
