//===- AugmentationTest.cpp -----------------------------------------------===//
//
// Each augmentation against its definition, written anew and slowly, on the digits of the quickstart; and the
// distribution of what it draws.
//
//===----------------------------------------------------------------------===//

#include "espalier/Runtime/Data/Augmentation.h"

#include "TestSupport.h"

#include "espalier/Runtime/Data/Image.h"

#include <algorithm>
#include <cmath>
#include <random>

using namespace espalier::rt;
using namespace espalier::rt::test;

namespace {

const Dataset &digits() {
  static Dataset dataset = [] {
    Expected<Dataset> opened = openDataset(ESPALIER_DIGITS, Split::Train);
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    return std::move(*opened);
  }();
  return dataset;
}

Sample digit(int64_t index) {
  Sample sample;
  EXPECT_TRUE(digits().read(index, sample).ok());
  return sample;
}

/// An RGB image of three digits.
Sample colours(int64_t index) {
  Sample sample = digit(index);
  for (int64_t other : {index + 1, index + 2}) {
    Sample next = digit(other);
    sample.pixels.insert(sample.pixels.end(), next.pixels.begin(), next.pixels.end());
  }
  sample.shape.channels = 3;
  // Digits have values 0..16 times 15; between them hue would be undefined too often.
  for (size_t i = 0; i < sample.pixels.size(); ++i)
    sample.pixels[i] = static_cast<uint8_t>(sample.pixels[i] / 2 + i * 31 % 97);
  return sample;
}

const AugmentationRecord &record(std::string_view name) {
  const std::vector<AugmentationRecord> &records = augmentationRecords();
  return *std::find_if(records.begin(), records.end(), [&](const auto &r) { return r.name == name; });
}

template <typename Stage> std::unique_ptr<Stage> make(std::string_view name, const AugmentationValues &values) {
  Expected<Augmentation> stage = record(name).create(values);
  EXPECT_TRUE(stage.ok()) << stage.status().message();
  return std::get<std::unique_ptr<Stage>>(*std::move(stage));
}

constexpr uint64_t seed = 11;

RandomStream streamOf(std::string_view name, int64_t sample) { return {seed, 3, sample, record(name).stage}; }

void apply(const PixelStage &stage, std::string_view name, int64_t index, Sample &sample) {
  StageScratch scratch;
  RandomStream random = streamOf(name, index);
  stage.apply(sample, scratch, random);
}

int at(const Sample &sample, int64_t c, int64_t y, int64_t x) {
  return sample.pixels[static_cast<size_t>((c * sample.shape.height + y) * sample.shape.width + x)];
}

/// Pearson's statistic of counts that should all be equal, in deviations of its distribution from its mean.
double unevenness(const std::vector<int> &counts) {
  double total = 0;
  for (int count : counts)
    total += count;
  double expected = total / static_cast<double>(counts.size()), statistic = 0;
  for (int count : counts)
    statistic += (count - expected) * (count - expected) / expected;
  double freedom = static_cast<double>(counts.size()) - 1;
  return (statistic - freedom) / std::sqrt(2 * freedom);
}

/// Mean and variance of `count` draws.
template <typename Draw> std::pair<double, double> moments(int count, Draw draw) {
  double sum = 0, squares = 0;
  for (int i = 0; i < count; ++i) {
    double value = draw(i);
    sum += value;
    squares += value * value;
  }
  double mean = sum / count;
  return {mean, squares / count - mean * mean};
}

//===----------------------------------------------------------------------===//
// Random numbers
//===----------------------------------------------------------------------===//

TEST(RandomStreamTest, DrawsFromItsDistributions) {
  constexpr int count = 20000;
  RandomStream random(1, 2, 3, 4);
  auto [mean, variance] = moments(count, [&](int) { return random.uniform(); });
  EXPECT_NEAR(mean, 0.5, 0.01);
  EXPECT_NEAR(variance, 1.0 / 12, 0.002);
  auto [normalMean, normalVariance] = moments(count, [&](int) { return random.normal(); });
  EXPECT_NEAR(normalMean, 0, 0.03);
  EXPECT_NEAR(normalVariance, 1, 0.05);
  std::vector<int> counts(7);
  for (int i = 0; i < count; ++i)
    ++counts[static_cast<size_t>(random.below(7))];
  EXPECT_LT(std::abs(unevenness(counts)), 4);
  for (double alpha : {0.1, 0.2, 1.0, 3.0}) {
    auto [betaMean, betaVariance] = moments(count, [&](int) { return random.beta(alpha); });
    EXPECT_NEAR(betaMean, 0.5, 0.02) << alpha;
    EXPECT_NEAR(betaVariance, 1 / (4 * (2 * alpha + 1)), 0.01) << alpha;
  }
  for (int i = 0; i < 100; ++i) {
    for (double alpha : {1e-4, 1e-310}) {
      double extreme = random.beta(alpha);
      EXPECT_TRUE(extreme >= 0 && extreme <= 1) << extreme;
    }
  }
}

TEST(RandomStreamTest, EveryPartOfTheKeyCounts) {
  std::vector<uint32_t> first;
  for (RandomStream stream :
       {RandomStream(1, 2, 3, 4), RandomStream(9, 2, 3, 4), RandomStream(1, 9, 3, 4), RandomStream(1, 2, 9, 4),
        RandomStream(1, 2, 3, 9), RandomStream(1, 2, int64_t(3) << 33, 4)})
    first.push_back(stream.bits());
  std::sort(first.begin(), first.end());
  EXPECT_EQ(std::unique(first.begin(), first.end()), first.end());
  RandomStream a(1, 2, 3, 4), b(1, 2, 3, 4);
  for (int i = 0; i < 1000; ++i)
    ASSERT_EQ(a.bits(), b.bits());
}

//===----------------------------------------------------------------------===//
// Pixels
//===----------------------------------------------------------------------===//

TEST(AugmentationTest, CropTakesABoxOfThePaddedImage) {
  for (auto [padding, size] : {std::pair(4, 0), std::pair(0, 5), std::pair(2, 10), std::pair(9, 1)}) {
    auto stage = make<PixelStage>("crop", {double(padding), double(size)});
    for (int64_t i = 0; i < 40; ++i) {
      Sample source = colours(i), cropped = source;
      apply(*stage, "crop", i, cropped);
      int64_t side = size ? size : 8;
      ASSERT_EQ(cropped.shape, (ImageShape{3, side, side}));
      RandomStream random = streamOf("crop", i);
      int64_t top = random.below(8 + 2 * padding - side + 1), left = random.below(8 + 2 * padding - side + 1);
      for (int64_t c = 0; c < 3; ++c)
        for (int64_t y = 0; y < side; ++y)
          for (int64_t x = 0; x < side; ++x) {
            int64_t fromY = top + y - padding, fromX = left + x - padding;
            bool inside = fromY >= 0 && fromY < 8 && fromX >= 0 && fromX < 8;
            ASSERT_EQ(at(cropped, c, y, x), inside ? at(source, c, fromY, fromX) : 0);
          }
    }
  }
}

TEST(AugmentationTest, CropOffsetsAreUniform) {
  auto stage = make<PixelStage>("crop", {1, 0});
  std::vector<int> counts(9);
  for (int64_t i = 0; i < 4500; ++i) {
    Sample sample{{1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}, {}, {}};
    apply(*stage, "crop", i, sample);
    ++counts[static_cast<size_t>(at(sample, 0, 1, 1) - 1)]; // what came to the middle
  }
  EXPECT_LT(std::abs(unevenness(counts)), 4);
}

TEST(AugmentationTest, FlipMirrorsItsShareOfTheImages) {
  for (double probability : {0.0, 0.3, 1.0}) {
    auto stage = make<PixelStage>("flip", {probability});
    int flipped = 0;
    for (int64_t i = 0; i < 2000; ++i) {
      Sample source = colours(i % 300), result = source;
      apply(*stage, "flip", i, result);
      bool isFlipped = result.pixels != source.pixels;
      flipped += isFlipped;
      for (int64_t row = 0; row < 24; ++row)
        for (int64_t x = 0; x < 8; ++x)
          ASSERT_EQ(at(result, 0, row, x), at(source, 0, row, isFlipped ? 7 - x : x));
    }
    EXPECT_NEAR(flipped / 2000.0, probability, 0.05);
  }
}

/// One pixel of `box` scaled to height x width: the triangle filter in both axes at once, in double.
double scaledPixel(const Sample &sample, int64_t c, const Box &box, int64_t height, int64_t width, int64_t y,
                   int64_t x) {
  auto weight = [](int64_t source, int64_t target, int64_t from, int64_t to) {
    double scale = double(from) / double(to), support = std::max(scale, 1.0);
    return std::max(1 - std::abs((double(source) + 0.5 - (double(target) + 0.5) * scale) / support), 0.0);
  };
  double sum = 0, total = 0;
  for (int64_t i = 0; i < box.height; ++i)
    for (int64_t j = 0; j < box.width; ++j) {
      double w = weight(i, y, box.height, height) * weight(j, x, box.width, width);
      sum += w * at(sample, c, box.top + i, box.left + j);
      total += w;
    }
  return sum / total;
}

void expectScaled(const Sample &result, const Sample &source, const Box &box) {
  for (int64_t c = 0; c < source.shape.channels; ++c)
    for (int64_t y = 0; y < result.shape.height; ++y)
      for (int64_t x = 0; x < result.shape.width; ++x)
        ASSERT_NEAR(at(result, c, y, x), scaledPixel(source, c, box, result.shape.height, result.shape.width, y, x),
                    1.01);
}

TEST(AugmentationTest, RandomResizedCropScalesABox) {
  auto stage = make<PixelStage>("random_resized_crop", {6, 0.08, 1, 4.0 / 3});
  for (int64_t i = 0; i < 40; ++i) {
    Sample source = colours(i), result = source;
    apply(*stage, "random_resized_crop", i, result);
    ASSERT_EQ(result.shape, (ImageShape{3, 6, 6}));
    RandomStream random = streamOf("random_resized_crop", i);
    Box box{0, 0, 8, 8};
    for (int attempt = 0; attempt < 10; ++attempt) {
      double area = 64 * (0.08 + 0.92 * random.uniform());
      double aspect = std::pow(4.0 / 3, 2 * random.uniform() - 1);
      auto width = std::llround(std::sqrt(area * aspect)), height = std::llround(std::sqrt(area / aspect));
      if (width > 8 || height > 8 || width < 1 || height < 1)
        continue;
      box.top = random.below(9 - height);
      box.left = random.below(9 - width);
      box.height = height;
      box.width = width;
      break;
    }
    expectScaled(result, source, box);
  }
}

TEST(AugmentationTest, RandomResizedCropDrawsAreaAndAspect) {
  // The values of two ramps at the edges of the result tell the box.
  Sample ramps{{3, 200, 200}, std::vector<uint8_t>(3 * 200 * 200), {}, {}};
  for (size_t y = 0; y < 200; ++y)
    for (size_t x = 0; x < 200; ++x) {
      ramps.pixels[y * 200 + x] = static_cast<uint8_t>(x);
      ramps.pixels[40000 + y * 200 + x] = static_cast<uint8_t>(y);
    }
  auto stage = make<PixelStage>("random_resized_crop", {10, 0.1, 0.5, 2});
  constexpr int count = 1500;
  std::vector<double> areas, aspects, places;
  for (int i = 0; i < count; ++i) {
    Sample sample = ramps;
    apply(*stage, "random_resized_crop", i, sample);
    // The pixels at the edges see less than a whole triangle.
    double width = (at(sample, 0, 5, 8) - at(sample, 0, 5, 1)) / 0.7;
    double height = (at(sample, 1, 8, 5) - at(sample, 1, 1, 5)) / 0.7;
    areas.push_back(width * height / 40000);
    aspects.push_back(std::log(width / height));
    places.push_back((at(sample, 0, 5, 1) - 0.15 * width) / (200 - width));
  }
  auto [areaMean, areaVariance] = moments(count, [&](int i) { return areas[i]; });
  EXPECT_NEAR(areaMean, 0.3, 0.01);
  EXPECT_NEAR(areaVariance, 0.4 * 0.4 / 12, 0.001);
  auto [aspectMean, aspectVariance] = moments(count, [&](int i) { return aspects[i]; });
  EXPECT_NEAR(aspectMean, 0, 0.03);
  EXPECT_NEAR(aspectVariance, std::log(2) * std::log(2) / 3, 0.02);
  auto [placeMean, placeVariance] = moments(count, [&](int i) { return places[i]; });
  EXPECT_NEAR(placeMean, 0.5, 0.03);
  EXPECT_NEAR(placeVariance, 1.0 / 12, 0.01);
}

TEST(AugmentationTest, ResizeAndCentreCropFollowTheUsualRules) {
  Sample wide = colours(5);
  wide.shape = {3, 4, 16}; // the same bytes, read as another shape
  Sample resized = wide;
  apply(*make<PixelStage>("resize", {3, 0, 0}), "resize", 0, resized);
  EXPECT_EQ(resized.shape, (ImageShape{3, 3, 12}));
  expectScaled(resized, wide, {0, 0, 4, 16});
  Sample exact = wide;
  apply(*make<PixelStage>("resize", {0, 7, 5}), "resize", 0, exact);
  EXPECT_EQ(exact.shape, (ImageShape{3, 7, 5}));
  expectScaled(exact, wide, {0, 0, 4, 16});
  // Margins of 1, 2, 3 pixels: round(0.5) = 0, round(1) = 1, round(1.5) = 2, as in torchvision.
  for (auto [size, offset] : {std::pair(7, 0), std::pair(6, 1), std::pair(5, 2)}) {
    Sample source = colours(7), cropped = source;
    apply(*make<PixelStage>("centre_crop", {double(size)}), "centre_crop", 0, cropped);
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t y = 0; y < size; ++y)
        for (int64_t x = 0; x < size; ++x)
          ASSERT_EQ(at(cropped, c, y, x), at(source, c, y + offset, x + offset));
  }
}

/// HSV as textbooks have it, hue in 0..1.
void toHsv(const double *rgb, double *hsv) {
  double high = std::max({rgb[0], rgb[1], rgb[2]}), low = std::min({rgb[0], rgb[1], rgb[2]}), d = high - low;
  double hue = 0;
  if (d > 0 && high == rgb[0])
    hue = std::fmod((rgb[1] - rgb[2]) / d + 6, 6);
  else if (d > 0 && high == rgb[1])
    hue = (rgb[2] - rgb[0]) / d + 2;
  else if (d > 0)
    hue = (rgb[0] - rgb[1]) / d + 4;
  hsv[0] = hue / 6;
  hsv[1] = high > 0 ? d / high : 0;
  hsv[2] = high;
}

void toRgb(const double *hsv, double *rgb) {
  double h = hsv[0] * 6, s = hsv[1], v = hsv[2];
  int sector = static_cast<int>(std::floor(h)) % 6;
  double f = h - std::floor(h), p = v * (1 - s), q = v * (1 - s * f), t = v * (1 - s * (1 - f));
  double table[6][3] = {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}};
  std::copy_n(table[sector], 3, rgb);
}

TEST(AugmentationTest, ColourJitterChangesFourThingsInRandomOrder) {
  auto stage = make<PixelStage>("colour_jitter", {0.4, 0.5, 0.6, 0.2});
  auto unit = [](double value) { return std::min(std::max(value, 0.0), 1.0); };
  for (int64_t i = 0; i < 40; ++i) {
    Sample source = colours(i), result = source;
    apply(*stage, "colour_jitter", i, result);
    RandomStream random = streamOf("colour_jitter", i);
    std::vector<int> order = {0, 1, 2, 3};
    for (size_t k = 3; k > 0; --k)
      std::swap(order[k], order[static_cast<size_t>(random.below(int64_t(k) + 1))]);
    double brightness = 0.6 + 0.8 * random.uniform(), contrast = 0.5 + random.uniform();
    double saturation = 0.4 + 1.2 * random.uniform(), hue = -0.2 + 0.4 * random.uniform();
    std::vector<std::array<double, 3>> pixels(64);
    for (size_t p = 0; p < 64; ++p)
      for (size_t c = 0; c < 3; ++c)
        pixels[p][c] = source.pixels[c * 64 + p] / 255.0;
    auto greyOf = [](const std::array<double, 3> &pixel) {
      return 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
    };
    for (int change : order) {
      double mean = 0;
      for (const auto &pixel : pixels)
        mean += greyOf(pixel) / 64;
      for (auto &pixel : pixels) {
        double grey = greyOf(pixel);
        for (double &value : pixel)
          value = change == 0   ? unit(value * brightness)
                  : change == 1 ? unit(contrast * value + (1 - contrast) * mean)
                  : change == 2 ? unit(saturation * value + (1 - saturation) * grey)
                                : value;
        if (change != 3)
          continue;
        double hsv[3];
        toHsv(pixel.data(), hsv);
        hsv[0] = hsv[0] + hue - std::floor(hsv[0] + hue);
        toRgb(hsv, pixel.data());
      }
    }
    for (size_t p = 0; p < 64; ++p)
      for (size_t c = 0; c < 3; ++c)
        ASSERT_NEAR(result.pixels[c * 64 + p], pixels[p][c] * 255, 0.51) << "sample " << i;
  }
}

TEST(AugmentationTest, ColourJitterDrawsUniformFactors) {
  auto stage = make<PixelStage>("colour_jitter", {0.5, 0, 0, 0});
  auto [mean, variance] = moments(2000, [&](int i) {
    Sample grey{{1, 1, 1}, {160}, {}, {}};
    apply(*stage, "colour_jitter", i, grey);
    return grey.pixels[0] / 160.0;
  });
  EXPECT_NEAR(mean, 1, 0.02);
  EXPECT_NEAR(variance, 1.0 / 12, 0.005);
}

//===----------------------------------------------------------------------===//
// Values and mixing
//===----------------------------------------------------------------------===//

TEST(AugmentationTest, CutoutClearsASquareAroundARandomPixel) {
  constexpr ImageShape shape{2, 6, 9};
  auto stage = make<ValueStage>("cutout", {4, 0.75});
  std::vector<int> centres(54);
  int changed = 0;
  for (int64_t i = 0; i < 6000; ++i) {
    std::vector<float> values(108, 1);
    RandomStream random = streamOf("cutout", i), again = streamOf("cutout", i);
    stage->apply(values, shape, random);
    bool isChanged = again.uniform() < 0.75;
    int64_t y = again.below(6), x = again.below(9);
    for (int64_t c = 0; c < 2; ++c)
      for (int64_t row = 0; row < 6; ++row)
        for (int64_t column = 0; column < 9; ++column) {
          bool inside = isChanged && row >= y - 2 && row < y + 2 && column >= x - 2 && column < x + 2;
          ASSERT_EQ(values[static_cast<size_t>((c * 6 + row) * 9 + column)], inside ? 0 : 1);
        }
    changed += isChanged;
    if (isChanged)
      ++centres[static_cast<size_t>(y * 9 + x)];
  }
  EXPECT_NEAR(changed / 6000.0, 0.75, 0.02);
  EXPECT_LT(std::abs(unevenness(centres)), 4);
}

std::vector<float> valuesOf(const Sample &sample) { return {sample.pixels.begin(), sample.pixels.end()}; }

TEST(AugmentationTest, MixupIsAWeightedMean) {
  auto stage = make<MixStage>("mixup", {0.4, 1});
  auto [mean, variance] = moments(4000, [&](int i) {
    std::vector<float> own = valuesOf(digit(i % 500)), partner = valuesOf(digit(i % 500 + 1)), mixed = own;
    RandomStream random = streamOf("mixup", i);
    double share = stage->apply(mixed, partner, {1, 8, 8}, random);
    for (size_t p = 0; p < 64; ++p)
      EXPECT_NEAR(mixed[p], share * own[p] + (1 - share) * partner[p], 1e-4);
    return share;
  });
  EXPECT_NEAR(mean, 0.5, 0.02);
  EXPECT_NEAR(variance, 1 / (4 * 1.8), 0.01);
  auto never = make<MixStage>("mixup", {0.4, 0});
  std::vector<float> values = {1, 2}, partner = {3, 4};
  RandomStream random = streamOf("mixup", 0);
  EXPECT_EQ(never->apply(values, partner, {1, 1, 2}, random), 1);
  EXPECT_EQ(values, (std::vector<float>{1, 2}));
}

TEST(AugmentationTest, CutmixPastesABoxAndWeighsItsArea) {
  constexpr int count = 4000;
  constexpr int64_t height = 20, width = 30;
  constexpr ImageShape shape{2, height, width};
  auto stage = make<MixStage>("cutmix", {1, 1});
  auto [mean, variance] = moments(count, [&](int i) {
    std::vector<float> values(2 * height * width, 0), partner(values.size(), 1);
    RandomStream random = streamOf("cutmix", i);
    double share = stage->apply(values, partner, shape, random);
    // What was pasted is a box, the same in both channels.
    int64_t top = height, bottom = 0, left = width, right = 0, area = 0;
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x) {
        size_t place = static_cast<size_t>(y * width + x);
        EXPECT_EQ(values[place], values[place + height * width]);
        if (values[place] == 0)
          continue;
        ++area;
        top = std::min(top, y), bottom = std::max(bottom, y + 1);
        left = std::min(left, x), right = std::max(right, x + 1);
      }
    EXPECT_EQ(area, area ? (bottom - top) * (right - left) : 0);
    EXPECT_DOUBLE_EQ(share, 1 - double(area) / (height * width));
    return 1 - share;
  });
  // The same distribution, drawn by the standard library from the paper's algorithm 1.
  std::mt19937_64 engine(5);
  std::uniform_real_distribution<double> unit(0, 1);
  auto [wantedMean, wantedVariance] = moments(10 * count, [&](int) {
    double side = std::sqrt(1 - unit(engine)); // Beta(1, 1) is uniform
    int64_t h = int64_t(height * side), w = int64_t(width * side);
    int64_t y = int64_t(unit(engine) * height), x = int64_t(unit(engine) * width);
    auto clip = [](int64_t v, int64_t max) { return std::min(std::max<int64_t>(v, 0), max); };
    return double((clip(y + h / 2, height) - clip(y - h / 2, height)) *
                  (clip(x + w / 2, width) - clip(x - w / 2, width))) /
           (height * width);
  });
  EXPECT_NEAR(mean, wantedMean, 0.015);
  EXPECT_NEAR(variance, wantedVariance, 0.01);
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

TEST(AugmentationTest, RecordsAreConsistent) {
  std::vector<uint32_t> stages;
  for (const AugmentationRecord &record : augmentationRecords()) {
    stages.push_back(record.stage);
    for (const AugmentationKey &key : record.keys)
      EXPECT_TRUE(key.defaultValue >= key.min && key.defaultValue <= key.max) << record.name << "." << key.name;
    if (record.name != "resize") // which has no size that suits everyone
      EXPECT_TRUE(record.create(record.defaults()).ok()) << record.name;
  }
  std::sort(stages.begin(), stages.end());
  EXPECT_EQ(std::unique(stages.begin(), stages.end()), stages.end()) << "two stages share random numbers";
}

TEST(AugmentationTest, ValuesThatDoNotFitAreRefused) {
  expectFailure(record("resize").create(AugmentationValues{0, 0, 0}), StatusCode::InvalidInput,
                "'resize' expects either size, or height and width");
  expectFailure(record("resize").create(AugmentationValues{3, 4, 0}), StatusCode::InvalidInput, "expects either size");
  expectFailure(record("random_resized_crop").create(AugmentationValues{8, 0.9, 0.5, 2}), StatusCode::InvalidInput,
                "expects a min_scale of at most max_scale (0.5), but got 0.9");
  expectFailure(make<PixelStage>("crop", {1, 11})->shapeAfter({1, 8, 8}), StatusCode::InvalidInput,
                "'crop' of 11 with padding 1 expects larger images, but got 8x8");
  expectFailure(make<PixelStage>("centre_crop", {9})->shapeAfter({1, 8, 12}), StatusCode::InvalidInput,
                "'centre_crop' of 9 expects images at least as large, but got 12x8");
  expectFailure(make<PixelStage>("resize", {4000, 0, 0})->shapeAfter({1, 1, 100}), StatusCode::InvalidInput,
                "makes the longer side of an image of 100x1 exceed 16384");
  AugmentationSettings settings;
  EXPECT_FALSE(mixesSamples(settings));
  settings["flip"] = {1};
  EXPECT_FALSE(mixesSamples(settings));
  settings["cutmix"] = {1, 1};
  EXPECT_TRUE(mixesSamples(settings));
}

} // namespace
