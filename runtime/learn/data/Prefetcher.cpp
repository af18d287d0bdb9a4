//===- Prefetcher.cpp - Batches made ahead of the step --------------------===//

#include "espalier/Runtime/Data/Prefetcher.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

using namespace espalier::rt;

/// Batch `i` of an epoch is made in slot `i % slots.size()`.
struct Prefetcher::State {
  struct Slot {
    Batch batch;
    View::Scratch scratch; ///< here, not with a thread: after a round of all slots none grows any more
    Status status;
    bool isReady = false;
  };

  BatchLoader loader;
  std::vector<Slot> slots;
  std::vector<std::thread> threads;

  std::mutex mutex;
  std::condition_variable canMake, isMade;
  bool stops = false;
  int64_t epoch = -1;
  int64_t end = 0;      ///< of the batches to make
  int64_t made = 0;     ///< batches that a thread has begun
  int64_t taken = 0;    ///< batches that the caller has got
  int64_t released = 0; ///< batches that it no longer uses
  int64_t busy = 0;     ///< threads that make a batch
  double waited = 0;    ///< seconds

  explicit State(BatchLoader loader) : loader(std::move(loader)) {}

  bool hasWork() const { return made < end && made < released + static_cast<int64_t>(slots.size()); }

  void work() {
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      canMake.wait(lock, [&] { return stops || hasWork(); });
      if (stops)
        return;
      int64_t index = made++;
      Slot &slot = slots[static_cast<size_t>(index) % slots.size()];
      ++busy;
      lock.unlock();
      Status status = loader.read(index, slot.batch, slot.scratch);
      lock.lock();
      --busy;
      slot.status = std::move(status);
      slot.isReady = true;
      isMade.notify_all();
    }
  }

  ~State() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      stops = true;
    }
    canMake.notify_all();
    for (std::thread &thread : threads)
      thread.join();
  }
};

Prefetcher::Prefetcher(std::unique_ptr<State> state) : state(std::move(state)) {}
Prefetcher::Prefetcher(Prefetcher &&) = default;
Prefetcher &Prefetcher::operator=(Prefetcher &&) = default;
Prefetcher::~Prefetcher() = default;

const BatchLoader &Prefetcher::loader() const { return state->loader; }

Expected<Prefetcher> Prefetcher::create(BatchLoader loader, int workers) {
  assert(workers >= 1 && "somebody has to make the batches");
  auto state = std::make_unique<State>(std::move(loader));
  // One batch that the caller works on, one for each thread, one that is ready.
  for (int i = 0; i < workers + 2; ++i) {
    Expected<Batch> batch = state->loader.createBatch();
    if (!batch)
      return batch.takeStatus();
    state->slots.push_back({std::move(*batch), {}, {}, false});
  }
  try {
    for (int i = 0; i < workers; ++i)
      state->threads.emplace_back([raw = state.get()] { raw->work(); });
  } catch (const std::system_error &error) {
    return environmentError("cannot start a thread to load data: {}", error.what());
  }
  return Prefetcher(std::move(state));
}

void Prefetcher::start(int64_t epoch, int64_t batch) {
  assert(batch >= 0 && batch < loader().numBatches() && "no such batch");
  State &s = *state;
  std::unique_lock<std::mutex> lock(s.mutex);
  if (s.epoch == epoch && s.taken == batch && s.end > 0)
    return;
  s.end = 0;
  s.isMade.wait(lock, [&] { return s.busy == 0; });
  for (State::Slot &slot : s.slots)
    slot.isReady = false;
  s.made = s.taken = s.released = batch;
  s.epoch = epoch;
  s.loader.startEpoch(epoch);
  s.end = s.loader.numBatches();
  s.canMake.notify_all();
}

Expected<const Batch *> Prefetcher::next() {
  State &s = *state;
  std::unique_lock<std::mutex> lock(s.mutex);
  assert(s.taken < s.loader.numBatches() && "the epoch is over");
  s.released = s.taken;
  s.canMake.notify_all();
  State::Slot &slot = s.slots[static_cast<size_t>(s.taken) % s.slots.size()];
  if (!slot.isReady) {
    auto begin = std::chrono::steady_clock::now();
    s.isMade.wait(lock, [&] { return slot.isReady; });
    s.waited += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  slot.isReady = false;
  ++s.taken;
  if (slot.status.ok())
    return const_cast<const Batch *>(&slot.batch);
  s.end = 0;
  return std::exchange(slot.status, Status());
}

double Prefetcher::secondsWaited() const {
  std::lock_guard<std::mutex> lock(state->mutex);
  return state->waited;
}
