//===- Resizer.cpp - Scales images ----------------------------------------===//

#include "espalier/Runtime/Data/Resizer.h"

#include <algorithm>
#include <cmath>

using namespace espalier::rt;

// Fixed point: weights sum to about 1 << weightBits, and a sum of bytes stays below 2^31. The results are rounded to
// bytes after each axis, as in Pillow.
static constexpr int weightBits = 22;
static constexpr int32_t half = 1 << (weightBits - 1);

static uint8_t toByte(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> weightBits, 0, 255)); }

void Resizer::Taps::compute(int64_t from, int64_t to) {
  firsts.clear();
  ends.clear();
  weights.clear();
  double scale = static_cast<double>(from) / static_cast<double>(to);
  double support = std::max(scale, 1.0);
  for (int64_t i = 0; i < to; ++i) {
    double centre = (static_cast<double>(i) + 0.5) * scale;
    int64_t first = std::max<int64_t>(static_cast<int64_t>(centre - support + 0.5), 0);
    int64_t last = std::min<int64_t>(static_cast<int64_t>(centre + support + 0.5), from);
    auto weightOf = [&](int64_t j) {
      return std::max(1.0 - std::abs((static_cast<double>(j) + 0.5 - centre) / support), 0.0);
    };
    double sum = 0;
    for (int64_t j = first; j < last; ++j)
      sum += weightOf(j);
    for (int64_t j = first; j < last; ++j)
      weights.push_back(static_cast<int32_t>(std::lround(weightOf(j) / sum * (1 << weightBits))));
    firsts.push_back(first);
    ends.push_back(weights.size());
  }
}

void Resizer::resize(Span<const uint8_t> pixels, const ImageShape &shape, const Box &box, int64_t height, int64_t width,
                     std::vector<uint8_t> &result) {
  horizontal.compute(box.width, width);
  vertical.compute(box.height, height);
  narrowed.resize(static_cast<size_t>(box.height * width));
  result.resize(static_cast<size_t>(shape.channels * height * width));
  sums.resize(static_cast<size_t>(width));
  uint8_t *target = result.data();
  for (int64_t c = 0; c < shape.channels; ++c) {
    for (int64_t y = 0; y < box.height; ++y) {
      const uint8_t *row = pixels.data() + (c * shape.height + box.top + y) * shape.width + box.left;
      const int32_t *weight = horizontal.weights.data();
      for (int64_t x = 0; x < width; ++x) {
        const uint8_t *source = row + horizontal.firsts[x];
        int32_t sum = half;
        for (const int32_t *end = horizontal.weights.data() + horizontal.ends[x]; weight != end; ++weight)
          sum += *weight * *source++;
        narrowed[y * width + x] = toByte(sum);
      }
    }
    const int32_t *weight = vertical.weights.data();
    for (int64_t y = 0; y < height; ++y) {
      const uint8_t *row = &narrowed[vertical.firsts[y] * width];
      std::fill(sums.begin(), sums.end(), half);
      for (const int32_t *end = vertical.weights.data() + vertical.ends[y]; weight != end; ++weight, row += width)
        for (int64_t x = 0; x < width; ++x)
          sums[x] += *weight * row[x];
      for (int64_t x = 0; x < width; ++x)
        *target++ = toByte(sums[x]);
    }
  }
}
