//===- CheckpointWriter.h - Writes while training goes on -------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_TRAIN_CHECKPOINTWRITER_H
#define ESPALIER_RUNTIME_TRAIN_CHECKPOINTWRITER_H

#include "espalier/Runtime/Train/RunFolder.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace espalier::rt {

/// A thread that writes checkpoints to a run's folder. One is written at a time, and at most one copy is in memory: a
/// second one waits until the first is on the disk. Where no thread can be started, `write` itself writes.
class CheckpointWriter {
public:
  /// `keep` checkpoints are left in the folder after each write. The folder must outlive the writer.
  CheckpointWriter(RunFolder &folder, int64_t keep);
  CheckpointWriter(const CheckpointWriter &) = delete;
  CheckpointWriter &operator=(const CheckpointWriter &) = delete;
  /// Waits for the write that is under way.
  ~CheckpointWriter();

  /// Waits for the write before this one, starts this one, and returns what came of the former. `isBest`: the file
  /// `best.safetensors` becomes a copy of it.
  Status write(Checkpoint checkpoint, bool isBest);
  /// Waits for the write that is under way; returns what came of it.
  Status wait();

private:
  void work();
  Status store(const Checkpoint &checkpoint, bool isBest);

  RunFolder &folder;
  int64_t keep;
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Checkpoint> job; ///< present from write() until it is on the disk
  bool jobIsBest = false;
  bool ends = false;
  Status outcome;
  std::thread thread;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_TRAIN_CHECKPOINTWRITER_H
