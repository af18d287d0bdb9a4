//===- Image.cpp - Reading, writing and scaling images --------------------===//

#include "espalier/Runtime/Data/Image.h"

#include "ImageCodecs.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Core/Text.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace espalier::rt;

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

namespace {
/// The source pixels that one output pixel averages along one axis.
struct Tap {
  int64_t first;
  std::vector<int32_t> weights; ///< fixed point, sum is about 1 << weightBits
};
} // namespace

// Integer sums and a rounding to bytes after each axis, as in Pillow.
static constexpr int weightBits = 22;

static std::vector<Tap> triangleTaps(int64_t from, int64_t to) {
  double scale = static_cast<double>(from) / static_cast<double>(to);
  double support = std::max(scale, 1.0);
  std::vector<Tap> taps;
  for (int64_t i = 0; i < to; ++i) {
    double centre = (static_cast<double>(i) + 0.5) * scale;
    int64_t first = std::max<int64_t>(static_cast<int64_t>(centre - support + 0.5), 0);
    int64_t last = std::min<int64_t>(static_cast<int64_t>(centre + support + 0.5), from);
    std::vector<double> weights;
    double sum = 0;
    for (int64_t j = first; j < last; ++j) {
      double distance = std::abs((static_cast<double>(j) + 0.5 - centre) / support);
      weights.push_back(std::max(1.0 - distance, 0.0));
      sum += weights.back();
    }
    Tap tap{first, {}};
    for (double weight : weights)
      tap.weights.push_back(static_cast<int32_t>(std::lround(weight / sum * (1 << weightBits))));
    taps.push_back(std::move(tap));
  }
  return taps;
}

/// Scales the middle one of three dims, `outer` x `from` x `inner`, to `to`.
static std::vector<uint8_t> scaleAxis(const std::vector<uint8_t> &pixels, int64_t outer, int64_t from, int64_t to,
                                      int64_t inner) {
  if (from == to)
    return pixels;
  std::vector<Tap> taps = triangleTaps(from, to);
  std::vector<uint8_t> result(static_cast<size_t>(outer * to * inner));
  std::vector<int64_t> sums(static_cast<size_t>(inner));
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t t = 0; t < to; ++t) {
      std::fill(sums.begin(), sums.end(), int64_t(1) << (weightBits - 1));
      const uint8_t *source = &pixels[(o * from + taps[t].first) * inner];
      for (int32_t weight : taps[t].weights) {
        for (int64_t i = 0; i < inner; ++i)
          sums[i] += int64_t(weight) * source[i];
        source += inner;
      }
      uint8_t *target = &result[(o * to + t) * inner];
      for (int64_t i = 0; i < inner; ++i)
        target[i] = static_cast<uint8_t>(std::clamp<int64_t>(sums[i] >> weightBits, 0, 255));
    }
  }
  return result;
}

Image espalier::rt::resizeImage(const Image &image, int64_t height, int64_t width) {
  std::vector<uint8_t> narrowed = scaleAxis(image.pixels, image.height, image.width, width, image.channels);
  return {height, width, image.channels, scaleAxis(narrowed, 1, image.height, height, width * image.channels)};
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
