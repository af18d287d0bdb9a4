//===- Image.h - PNG and JPEG images ----------------------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_DATA_IMAGE_H
#define ESPALIER_RUNTIME_DATA_IMAGE_H

#include "espalier/Runtime/Core/Span.h"
#include "espalier/Runtime/Core/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace espalier::rt {

/// Channels (1 grey, 3 RGB), height, width of an image. A sample of features is a column of channels: F, 1, 1.
struct ImageShape {
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;

  int64_t numElements() const { return channels * height * width; }
  friend bool operator==(const ImageShape &a, const ImageShape &b) {
    return a.channels == b.channels && a.height == b.height && a.width == b.width;
  }
};

/// "3x32x32".
std::string formatShape(const ImageShape &shape);

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

/// Scales as Resizer does. `height` and `width` are at least 1.
Image resizeImage(const Image &image, int64_t height, int64_t width);

/// Grey to RGB by repetition, RGB to grey by luma (ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B, rounded).
Image convertChannels(Image image, int64_t channels);

/// \name Copies of pixels in the other order: HWC to CHW and back.
/// @{
void toPlanar(const uint8_t *interleaved, const ImageShape &shape, uint8_t *planar);
void toInterleaved(const uint8_t *planar, const ImageShape &shape, uint8_t *interleaved);
/// @}

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_DATA_IMAGE_H
