//===- BatchLoader.h - From a data set to batches ---------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_DATA_BATCHLOADER_H
#define ESPALIER_RUNTIME_DATA_BATCHLOADER_H

#include "espalier/Runtime/Core/HostTensor.h"
#include "espalier/Runtime/Data/View.h"

namespace espalier::rt {

/// The samples of one epoch in random order: a Fisher-Yates shuffle driven by Philox with key `seed` and the epoch in
/// the counter, so that the order of an epoch does not depend on the epochs before it.
std::vector<int64_t> shuffledOrder(int64_t size, uint64_t seed, int64_t epoch);

/// Samples for one step.
struct Batch {
  HostTensor values;  ///< f32[batch, channels, height, width] or f32[batch, features]
  HostTensor labels;  ///< i64[batch]; of a mixed sample the class of the first
  HostTensor targets; ///< f32[batch, classes], the probability of each class
  int64_t count = 0;  ///< samples in it; the rest of the last batch of an evaluation is 0
};

/// Makes batches of one size. Training takes the samples in shuffled order and leaves a last, smaller batch out;
/// evaluation takes them in order, and every sample once. The data set must outlive the loader.
class BatchLoader {
public:
  /// Batches for training, at epoch 0. InvalidInput if the set is smaller than one batch.
  static Expected<BatchLoader> forTraining(const Dataset &dataset, View view, int64_t batch, uint64_t seed);
  /// Batches for evaluation.
  static Expected<BatchLoader> forEvaluation(const Dataset &dataset, View view, int64_t batch);

  const Dataset &dataset() const { return *samples; }
  const View &view() const { return seenAs; }
  int64_t batchSize() const { return batch; }
  int64_t numBatches() const;
  /// Samples that the batches of an epoch hold.
  int64_t numSamples() const;
  /// Orders the samples for an epoch of training; no batch may be read meanwhile.
  void startEpoch(int64_t epoch);

  /// A batch with room for the samples.
  Expected<Batch> createBatch() const;
  /// Fills `result`, one of createBatch(), with batch `index`. Safe to call from several threads at once with a batch
  /// and `scratch` each. A failure names the sample.
  Status read(int64_t index, Batch &result, View::Scratch &scratch) const;

private:
  BatchLoader(const Dataset &dataset, View view, int64_t batch)
      : samples(&dataset), seenAs(std::move(view)), batch(batch) {}

  const Dataset *samples;
  View seenAs;
  int64_t batch;
  ViewKey key;
  std::vector<int64_t> order; ///< empty: as stored
  bool dropsLast = false;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_DATA_BATCHLOADER_H
