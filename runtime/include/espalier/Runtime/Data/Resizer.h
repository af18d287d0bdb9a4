//===- Resizer.h - Scales images --------------------------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_DATA_RESIZER_H
#define ESPALIER_RUNTIME_DATA_RESIZER_H

#include "espalier/Runtime/Data/Image.h"

namespace espalier::rt {

/// A part of an image, in pixels.
struct Box {
  int64_t top = 0, left = 0, height = 0, width = 0;
};

/// Scales with the triangle filter, half-pixel centres. Upwards this is plain bilinear interpolation (PyTorch's
/// `align_corners=False`); downwards the filter widens with the factor and so does not alias (`antialias=True`, what
/// torchvision does to image files). The result equals Pillow's `resize(..., BILINEAR)` up to one step of rounding.
/// Keeps its memory from one image to the next.
class Resizer {
public:
  /// Scales the pixels inside `box` of a CHW image, and no others, to `height` x `width`, both at least 1.
  void resize(Span<const uint8_t> pixels, const ImageShape &shape, const Box &box, int64_t height, int64_t width,
              std::vector<uint8_t> &result);

private:
  /// The source pixels that each output pixel averages along one axis.
  struct Taps {
    std::vector<int64_t> firsts;
    std::vector<size_t> ends; ///< in `weights`
    std::vector<int32_t> weights;

    void compute(int64_t from, int64_t to);
  };

  Taps horizontal, vertical;
  std::vector<uint8_t> narrowed;
  std::vector<int32_t> sums;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_DATA_RESIZER_H
