//===- Image.cpp - Reading, writing and scaling images --------------------===//

#include "espalier/Runtime/Data/Image.h"

#include "ImageCodecs.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Core/Text.h"
#include "espalier/Runtime/Data/Resizer.h"

#include <algorithm>
#include <cstring>

using namespace espalier::rt;

std::string espalier::rt::formatShape(const ImageShape &shape) {
  return fmt::format("{}x{}x{}", shape.channels, shape.height, shape.width);
}

static bool startsWith(Span<const uint8_t> bytes, std::string_view signature) {
  return bytes.size() >= signature.size() && std::memcmp(bytes.data(), signature.data(), signature.size()) == 0;
}

Expected<Image> espalier::rt::decodeImage(Span<const uint8_t> encoded) {
  if (startsWith(encoded, "\x89PNG\r\n\x1a\n"))
    return decodePng(encoded);
  if (startsWith(encoded, "\xff\xd8\xff"))
    return decodeJpeg(encoded);
  return invalidInput("not a PNG or JPEG image");
}

Expected<Image> espalier::rt::readImage(const std::string &path) {
  constexpr uint64_t maxBytes = uint64_t(256) << 20;
  Expected<std::vector<uint8_t>> content = readFile(path, maxBytes);
  if (!content)
    return content.takeStatus();
  Expected<Image> image = decodeImage(*content);
  if (!image)
    return image.takeStatus().in(path);
  return image;
}

Status espalier::rt::writePng(const std::string &path, const Image &image) {
  Expected<std::string> encoded = encodePng(image);
  if (!encoded)
    return encoded.takeStatus().in(fmt::format("cannot write {}", quote(path)));
  return writeFileAtomically(path, *encoded);
}

Image espalier::rt::resizeImage(const Image &image, int64_t height, int64_t width) {
  ImageShape shape{image.channels, image.height, image.width};
  std::vector<uint8_t> planar(image.pixels.size()), scaled;
  toPlanar(image.pixels.data(), shape, planar.data());
  Resizer().resize(planar, shape, {0, 0, image.height, image.width}, height, width, scaled);
  Image result{height, width, image.channels, std::vector<uint8_t>(scaled.size())};
  toInterleaved(scaled.data(), {image.channels, height, width}, result.pixels.data());
  return result;
}

void espalier::rt::toPlanar(const uint8_t *interleaved, const ImageShape &shape, uint8_t *planar) {
  int64_t numPixels = shape.height * shape.width;
  for (int64_t c = 0; c < shape.channels; ++c)
    for (int64_t i = 0; i < numPixels; ++i)
      *planar++ = interleaved[i * shape.channels + c];
}

void espalier::rt::toInterleaved(const uint8_t *planar, const ImageShape &shape, uint8_t *interleaved) {
  int64_t numPixels = shape.height * shape.width;
  for (int64_t c = 0; c < shape.channels; ++c)
    for (int64_t i = 0; i < numPixels; ++i)
      interleaved[i * shape.channels + c] = *planar++;
}

Image espalier::rt::convertChannels(Image image, int64_t channels) {
  assert((channels == 1 || channels == 3) && "images are grey or RGB");
  if (image.channels == channels)
    return image;
  size_t numPixels = static_cast<size_t>(image.height * image.width);
  std::vector<uint8_t> pixels(numPixels * channels);
  const uint8_t *source = image.pixels.data();
  for (size_t i = 0; i < numPixels; ++i) {
    if (channels == 3)
      std::fill_n(&pixels[3 * i], 3, source[i]);
    else
      pixels[i] =
          static_cast<uint8_t>((299 * source[3 * i] + 587 * source[3 * i + 1] + 114 * source[3 * i + 2] + 500) / 1000);
  }
  return {image.height, image.width, channels, std::move(pixels)};
}
