//===- BatchLoader.cpp - From a data set to batches -----------------------===//

#include "espalier/Runtime/Data/BatchLoader.h"

#include "espalier/Runtime/Core/Philox.h"

#include <algorithm>
#include <numeric>

using namespace espalier::rt;

/// Fills `order`, which has its size.
static void shuffle(std::vector<int64_t> &order, uint64_t seed, int64_t epoch) {
  // Keeps these numbers apart from those of weights and dropout under the same seed.
  constexpr uint32_t purpose = 0x73687566; // "shuf"
  PhiloxKey key = philoxKey(seed);
  std::iota(order.begin(), order.end(), int64_t(0));
  for (int64_t i = static_cast<int64_t>(order.size()) - 1; i > 0; --i) {
    PhiloxCounter random = philox4x32(
        {static_cast<uint32_t>(i), static_cast<uint32_t>(uint64_t(i) >> 32), static_cast<uint32_t>(epoch), purpose},
        key);
    // Scales 64 random bits to 0..i; the bias is below i / 2^64.
    uint64_t bits = uint64_t(random[1]) << 32 | random[0];
    auto j = static_cast<int64_t>(static_cast<unsigned __int128>(bits) * static_cast<uint64_t>(i + 1) >> 64);
    std::swap(order[i], order[j]);
  }
}

std::vector<int64_t> espalier::rt::shuffledOrder(int64_t size, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(size));
  shuffle(order, seed, epoch);
  return order;
}

static Status checkBatch(int64_t batch) {
  return batch < 1 ? invalidInput("batch size expects at least 1, but got {}", batch) : Status();
}

Expected<BatchLoader> BatchLoader::forTraining(const Dataset &dataset, View view, int64_t batch, uint64_t seed) {
  if (Status status = checkBatch(batch); !status.ok())
    return status;
  if (dataset.size() < batch)
    return invalidInput("the training set has {} samples, fewer than one batch of {}", dataset.size(), batch);
  BatchLoader loader(dataset, std::move(view), batch);
  loader.dropsLast = true;
  loader.key.seed = seed;
  loader.startEpoch(0);
  return loader;
}

Expected<BatchLoader> BatchLoader::forEvaluation(const Dataset &dataset, View view, int64_t batch) {
  if (Status status = checkBatch(batch); !status.ok())
    return status;
  return BatchLoader(dataset, std::move(view), batch);
}

int64_t BatchLoader::numBatches() const {
  return dropsLast ? samples->size() / batch : (samples->size() + batch - 1) / batch;
}

int64_t BatchLoader::numSamples() const { return dropsLast ? numBatches() * batch : samples->size(); }

void BatchLoader::startEpoch(int64_t epoch) {
  key.epoch = epoch;
  if (!dropsLast)
    return;
  order.resize(static_cast<size_t>(samples->size()));
  shuffle(order, key.seed, epoch);
}

Expected<Batch> BatchLoader::createBatch() const {
  const ImageShape &shape = seenAs.shape();
  std::vector<int64_t> dims{batch, shape.channels};
  if (samples->kind() == SampleKind::Image)
    dims.insert(dims.end(), {shape.height, shape.width});
  Expected<HostTensor> values = HostTensor::create(DType::F32, std::move(dims));
  if (!values)
    return values.takeStatus();
  Expected<HostTensor> labels = HostTensor::create(DType::I64, {batch});
  if (!labels)
    return labels.takeStatus();
  Expected<HostTensor> targets =
      HostTensor::create(DType::F32, {batch, static_cast<int64_t>(samples->classNames().size())});
  if (!targets)
    return targets.takeStatus();
  return Batch{std::move(*values), std::move(*labels), std::move(*targets), 0};
}

Status BatchLoader::read(int64_t index, Batch &result, View::Scratch &scratch) const {
  assert(index >= 0 && index < numBatches() && "no such batch");
  size_t sampleSize = static_cast<size_t>(seenAs.shape().numElements());
  size_t numClasses = samples->classNames().size();
  int64_t first = index * batch;
  result.count = std::min(batch, samples->size() - first);
  Span<float> values = result.values.elements<float>();
  Span<int64_t> labels = result.labels.elements<int64_t>();
  Span<float> targets = result.targets.elements<float>();
  for (int64_t i = 0; i < result.count; ++i) {
    size_t place = static_cast<size_t>(i);
    int64_t sample = order.empty() ? first + i : order[static_cast<size_t>(first + i)];
    labels[place] = samples->label(sample);
    if (Status status = seenAs.read(*samples, sample, key, values.subspan(place * sampleSize, sampleSize),
                                    targets.subspan(place * numClasses, numClasses), scratch);
        !status.ok())
      return status;
  }
  std::fill(values.begin() + result.count * static_cast<int64_t>(sampleSize), values.end(), 0.0f);
  std::fill(labels.begin() + result.count, labels.end(), int64_t(0));
  std::fill(targets.begin() + result.count * static_cast<int64_t>(numClasses), targets.end(), 0.0f);
  return {};
}
