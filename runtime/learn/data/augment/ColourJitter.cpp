//===- ColourJitter.cpp - Random brightness, contrast, saturation, hue ----===//

#include "Stages.h"

#include <algorithm>
#include <array>
#include <cmath>

using namespace espalier::rt;

/// ITU-R BT.601.
static float luma(float red, float green, float blue) { return 0.299f * red + 0.587f * green + 0.114f * blue; }

static float clampToUnit(float value) { return std::clamp(value, 0.0f, 1.0f); }

/// Turns the colour wheel by `shift` of a whole turn, in HSV.
static void shiftHue(float &red, float &green, float &blue, float shift) {
  float high = std::max({red, green, blue}), low = std::min({red, green, blue}), chroma = high - low;
  if (chroma <= 0)
    return;
  float sector = high == red     ? (green - blue) / chroma
                 : high == green ? 2 + (blue - red) / chroma
                                 : 4 + (red - green) / chroma;
  float turned = sector + 6 * shift;
  // Each component is `high` less the chroma times its distance from the plateau of its colour.
  auto component = [&](float offset) {
    float k = turned + offset;
    k -= 6 * std::floor(k / 6);
    return high - chroma * clampToUnit(std::min(k, 4 - k));
  };
  red = component(5);
  green = component(3);
  blue = component(1);
}

namespace {
/// Four changes in random order, on values in 0..1 that are clamped after each; the result is rounded to bytes once.
/// Grey images have no saturation and hue to change.
struct ColourJitter final : PixelStage {
  std::array<float, 4> strengths; ///< brightness, contrast, saturation, hue

  explicit ColourJitter(std::array<float, 4> strengths) : strengths(strengths) {}

  float drawFactor(size_t change, RandomStream &random) const {
    double strength = strengths[change];
    constexpr size_t hue = 3;
    return static_cast<float>(change == hue ? random.uniform(-strength, strength)
                                            : random.uniform(std::max(0.0, 1 - strength), 1 + strength));
  }

  static void change(size_t which, float factor, float *values, int64_t channels, int64_t numPixels) {
    float *green = values + numPixels, *blue = values + 2 * numPixels;
    switch (which) {
    case 0:
      for (int64_t i = 0; i < channels * numPixels; ++i)
        values[i] = clampToUnit(values[i] * factor);
      return;
    case 1: {
      double sum = 0;
      for (int64_t i = 0; i < numPixels; ++i)
        sum += channels == 3 ? luma(values[i], green[i], blue[i]) : values[i];
      float mean = static_cast<float>(sum / static_cast<double>(numPixels));
      for (int64_t i = 0; i < channels * numPixels; ++i)
        values[i] = clampToUnit(mean + factor * (values[i] - mean));
      return;
    }
    case 2:
      for (int64_t i = 0; channels == 3 && i < numPixels; ++i) {
        float grey = luma(values[i], green[i], blue[i]);
        values[i] = clampToUnit(grey + factor * (values[i] - grey));
        green[i] = clampToUnit(grey + factor * (green[i] - grey));
        blue[i] = clampToUnit(grey + factor * (blue[i] - grey));
      }
      return;
    default:
      for (int64_t i = 0; channels == 3 && i < numPixels; ++i)
        shiftHue(values[i], green[i], blue[i], factor);
    }
  }

  void apply(Sample &sample, StageScratch &scratch, RandomStream &random) const override {
    std::array<size_t, 4> order = {0, 1, 2, 3};
    for (size_t i = order.size() - 1; i > 0; --i)
      std::swap(order[i], order[static_cast<size_t>(random.below(static_cast<int64_t>(i) + 1))]);
    std::array<float, 4> factors;
    for (size_t i = 0; i < factors.size(); ++i)
      factors[i] = drawFactor(i, random);
    std::vector<float> &values = scratch.values;
    values.resize(sample.pixels.size());
    std::transform(sample.pixels.begin(), sample.pixels.end(), values.begin(),
                   [](uint8_t byte) { return byte / 255.0f; });
    for (size_t which : order)
      if (strengths[which] > 0)
        change(which, factors[which], values.data(), sample.shape.channels, sample.shape.height * sample.shape.width);
    std::transform(values.begin(), values.end(), sample.pixels.begin(),
                   [](float value) { return static_cast<uint8_t>(value * 255 + 0.5f); });
  }
};
} // namespace

AugmentationRecord espalier::rt::colourJitterRecord() {
  return {"colour_jitter",
          "changes brightness, contrast, saturation and hue, in random order",
          {{"brightness", "values times a factor from 1 - b to 1 + b", 0.4, 0, 10},
           {"contrast", "distance from the mean grey times a factor from 1 - c to 1 + c", 0.4, 0, 10},
           {"saturation", "distance from the pixel's grey times a factor from 1 - s to 1 + s", 0.4, 0, 10},
           {"hue", "turn of the colour wheel, from -h to h", 0.1, 0, 0.5}},
          stageName("colo"),
          /*isDeterministic=*/false,
          /*wantsImages=*/true,
          [](Span<const double> v) {
            return makeStage<PixelStage>(ColourJitter({float(v[0]), float(v[1]), float(v[2]), float(v[3])}));
          }};
}
