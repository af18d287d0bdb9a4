//===- Image.h - PNG and JPEG images ----------------------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_DATA_IMAGE_H
#define ESPALIER_RUNTIME_DATA_IMAGE_H

#include "espalier/Runtime/Core/Span.h"
#include "espalier/Runtime/Core/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace espalier::rt {

/// Pixels as bytes, rows first, channels innermost (HWC): 1 channel is grey, 3 are red, green, blue.
struct Image {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  std::vector<uint8_t> pixels;
};

/// An image with more pixels is refused before memory is allocated for it.
constexpr int64_t maxImagePixels = int64_t(1) << 26;

/// Decodes PNG or JPEG, told apart by their first bytes. Grey images stay grey, all others become RGB; an alpha channel
/// is dropped and 16-bit samples keep their high byte. Colour profiles, gamma and the EXIF orientation are ignored, as
/// the usual training pipelines do. Damage and early ends are errors, and the message says at which byte.
Expected<Image> decodeImage(Span<const uint8_t> encoded);

/// decodeImage() of a file of at most 256 MiB; failures name it.
Expected<Image> readImage(const std::string &path);

/// Writes an 8-bit grey or RGB PNG atomically.
Status writePng(const std::string &path, const Image &image);

/// Scales with the triangle filter, half-pixel centres. Upwards this is plain bilinear interpolation (PyTorch's
/// `align_corners=False`); downwards the filter widens with the factor and so does not alias (`antialias=True`, what
/// torchvision does to image files). The result equals Pillow's `resize(..., BILINEAR)` up to one step of rounding.
/// `height` and `width` are at least 1.
Image resizeImage(const Image &image, int64_t height, int64_t width);

/// Grey to RGB by repetition, RGB to grey by luma (ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B, rounded).
Image convertChannels(Image image, int64_t channels);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_DATA_IMAGE_H
