//===- BatchLoader.cpp - From a data set to batches -----------------------===//

#include "espalier/Runtime/Data/BatchLoader.h"

#include "espalier/Runtime/Core/Philox.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace espalier::rt;

static constexpr int numByteValues = 256;

Normalisation espalier::rt::measureNormalisation(const Dataset &dataset) {
  const ImageShape &shape = dataset.shape();
  int64_t pixelsPerImage = shape.height * shape.width;
  // Counting the values of the bytes keeps the sums exact, whatever the order.
  std::vector<int64_t> histogram(static_cast<size_t>(shape.channels * numByteValues));
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const uint8_t *pixel = dataset.image(i).begin();
    for (int64_t c = 0; c < shape.channels; ++c)
      for (int64_t p = 0; p < pixelsPerImage; ++p)
        ++histogram[c * numByteValues + *pixel++];
  }
  Normalisation result;
  double count = static_cast<double>(dataset.size()) * static_cast<double>(pixelsPerImage);
  for (int64_t c = 0; c < shape.channels; ++c) {
    double sum = 0, squares = 0;
    for (int value = 0; value < numByteValues; ++value) {
      double occurrences = static_cast<double>(histogram[c * numByteValues + value]);
      sum += occurrences * value;
      squares += occurrences * value * value;
    }
    double mean = sum / count;
    double deviation = std::sqrt(std::max(squares / count - mean * mean, 0.0));
    result.mean.push_back(mean / 255);
    result.deviation.push_back(deviation > 0 ? deviation / 255 : 1);
  }
  return result;
}

std::vector<int64_t> espalier::rt::shuffledOrder(int64_t size, uint64_t seed, int64_t epoch) {
  // Keeps these numbers apart from those of weights and dropout under the same seed.
  constexpr uint32_t purpose = 0x73687566; // "shuf"
  PhiloxKey key = philoxKey(seed);
  std::vector<int64_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), int64_t(0));
  for (int64_t i = size - 1; i > 0; --i) {
    PhiloxCounter random = philox4x32(
        {static_cast<uint32_t>(i), static_cast<uint32_t>(uint64_t(i) >> 32), static_cast<uint32_t>(epoch), purpose},
        key);
    // Scales 64 random bits to 0..i; the bias is below i / 2^64.
    uint64_t bits = uint64_t(random[1]) << 32 | random[0];
    auto j = static_cast<int64_t>(static_cast<unsigned __int128>(bits) * static_cast<uint64_t>(i + 1) >> 64);
    std::swap(order[i], order[j]);
  }
  return order;
}

BatchLoader::BatchLoader(const Dataset &dataset, const Normalisation &normalisation, int64_t batch)
    : dataset(&dataset), batch(batch) {
  for (size_t c = 0; c < normalisation.mean.size(); ++c)
    for (int value = 0; value < numByteValues; ++value)
      table.push_back(static_cast<float>((value / 255.0 - normalisation.mean[c]) / normalisation.deviation[c]));
}

Expected<BatchLoader> BatchLoader::create(const Dataset &dataset, const Normalisation &normalisation, int64_t batch) {
  int64_t channels = dataset.shape().channels;
  if (static_cast<int64_t>(normalisation.mean.size()) != channels ||
      static_cast<int64_t>(normalisation.deviation.size()) != channels)
    return invalidInput("normalisation expects {} means and deviations, one for each channel, but got {} and {}",
                        channels, normalisation.mean.size(), normalisation.deviation.size());
  if (batch < 1)
    return invalidInput("batch size expects at least 1, but got {}", batch);
  return BatchLoader(dataset, normalisation, batch);
}

Expected<BatchLoader> BatchLoader::forTraining(const Dataset &dataset, const Normalisation &normalisation,
                                               int64_t batch, uint64_t seed) {
  if (dataset.size() < batch)
    return invalidInput("the training set has {} images, fewer than one batch of {}", dataset.size(), batch);
  Expected<BatchLoader> loader = create(dataset, normalisation, batch);
  if (loader) {
    loader->dropsLast = true;
    loader->seed = seed;
    loader->startEpoch(0);
  }
  return loader;
}

Expected<BatchLoader> BatchLoader::forEvaluation(const Dataset &dataset, const Normalisation &normalisation,
                                                 int64_t batch) {
  return create(dataset, normalisation, batch);
}

int64_t BatchLoader::numBatches() const {
  return dropsLast ? dataset->size() / batch : (dataset->size() + batch - 1) / batch;
}

int64_t BatchLoader::numSamples() const { return dropsLast ? numBatches() * batch : dataset->size(); }

int64_t BatchLoader::read(int64_t index, Span<float> images, Span<int64_t> labels, Span<float> mask) const {
  const ImageShape &shape = dataset->shape();
  int64_t pixelsPerImage = shape.height * shape.width;
  assert(index >= 0 && index < numBatches() && "no such batch");
  assert(images.size() == static_cast<size_t>(batch * shape.numElements()) &&
         labels.size() == static_cast<size_t>(batch) && mask.size() == static_cast<size_t>(batch) &&
         "buffers of another batch size");
  int64_t first = index * batch;
  int64_t count = std::min(batch, dataset->size() - first);
  float *target = images.begin();
  for (int64_t i = 0; i < count; ++i) {
    int64_t sample = order.empty() ? first + i : order[first + i];
    const uint8_t *pixel = dataset->image(sample).begin();
    for (int64_t c = 0; c < shape.channels; ++c) {
      const float *values = &table[c * numByteValues];
      for (int64_t p = 0; p < pixelsPerImage; ++p)
        *target++ = values[*pixel++];
    }
    labels[i] = dataset->label(sample);
    mask[i] = 1;
  }
  std::fill(target, images.end(), 0.0f);
  std::fill(labels.begin() + count, labels.end(), int64_t(0));
  std::fill(mask.begin() + count, mask.end(), 0.0f);
  return count;
}
