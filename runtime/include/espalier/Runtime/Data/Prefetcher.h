//===- Prefetcher.h - Batches made ahead of the step ------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_DATA_PREFETCHER_H
#define ESPALIER_RUNTIME_DATA_PREFETCHER_H

#include "espalier/Runtime/Data/BatchLoader.h"

namespace espalier::rt {

/// Threads of their own that decode and augment batches while the caller works on earlier ones. Batches come in order,
/// the same for every number of threads. Memory is allocated for `workers` + 2 batches, once.
class Prefetcher {
public:
  static Expected<Prefetcher> create(BatchLoader loader, int workers);
  Prefetcher(Prefetcher &&);
  Prefetcher &operator=(Prefetcher &&);
  /// Stops the threads; a batch that one of them is making is finished before.
  ~Prefetcher();

  const BatchLoader &loader() const;

  /// Makes `batch` of `epoch` the next one. Does nothing if it is that already: going on costs nothing, and the next
  /// epoch can be begun ahead of time.
  void start(int64_t epoch, int64_t batch = 0);
  /// The next batch, valid until the next call. A failure to make it comes in its turn; the epoch then ends. At most
  /// numBatches() calls for each epoch.
  Expected<const Batch *> next();

  /// Time that next() has waited for batches, in seconds.
  double secondsWaited() const;

private:
  struct State;
  explicit Prefetcher(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_DATA_PREFETCHER_H
