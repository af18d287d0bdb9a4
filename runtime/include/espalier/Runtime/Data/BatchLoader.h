//===- BatchLoader.h - From a data set to batches ---------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_DATA_BATCHLOADER_H
#define ESPALIER_RUNTIME_DATA_BATCHLOADER_H

#include "espalier/Runtime/Data/Dataset.h"

namespace espalier::rt {

/// Per channel, on pixels scaled to 0..1: a net sees (pixel / 255 - mean) / deviation.
struct Normalisation {
  std::vector<double> mean;
  std::vector<double> deviation;
};

/// Mean and population deviation of each channel over the whole set; the deviation of a constant channel is 1.
Normalisation measureNormalisation(const Dataset &dataset);

/// The samples of one epoch in random order: a Fisher-Yates shuffle driven by Philox with key `seed` and the epoch in
/// the counter, so that the order of an epoch does not depend on the epochs before it.
std::vector<int64_t> shuffledOrder(int64_t size, uint64_t seed, int64_t epoch);

/// Hands out batches of one size, normalised. Training takes the samples in shuffled order and leaves a last, smaller
/// batch out; evaluation takes them in order and fills the last batch up with samples of mask 0, so that every sample
/// counts once. The data set must outlive the loader.
class BatchLoader {
public:
  /// Batches for training, at epoch 0. InvalidInput if the set is smaller than one batch.
  static Expected<BatchLoader> forTraining(const Dataset &dataset, const Normalisation &normalisation, int64_t batch,
                                           uint64_t seed);
  /// Batches for evaluation.
  static Expected<BatchLoader> forEvaluation(const Dataset &dataset, const Normalisation &normalisation, int64_t batch);

  int64_t numBatches() const;
  /// Samples that the batches of an epoch hold.
  int64_t numSamples() const;
  /// Orders the samples for an epoch of training.
  void startEpoch(int64_t epoch) { order = shuffledOrder(dataset->size(), seed, epoch); }

  /// Writes batch `index`: `images` as f32 NCHW, `labels`, and `mask`, 1 for a sample and 0 for filling. `labels` and
  /// `mask` have one element per image of the batch. Returns the number of samples.
  int64_t read(int64_t index, Span<float> images, Span<int64_t> labels, Span<float> mask) const;

private:
  BatchLoader(const Dataset &dataset, const Normalisation &normalisation, int64_t batch);
  static Expected<BatchLoader> create(const Dataset &dataset, const Normalisation &normalisation, int64_t batch);

  const Dataset *dataset;
  int64_t batch;
  uint64_t seed = 0;
  std::vector<int64_t> order; ///< empty: as stored
  bool dropsLast = false;
  /// The normalised value of each byte, 256 entries per channel.
  std::vector<float> table;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_DATA_BATCHLOADER_H
