//===- TrainingRun.h - From the first step to the last ----------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_TRAIN_TRAININGRUN_H
#define ESPALIER_RUNTIME_TRAIN_TRAININGRUN_H

#include "espalier/Runtime/Train/ProgramProvider.h"
#include "espalier/Runtime/Train/Progress.h"
#include "espalier/Runtime/Train/RunRecorder.h"
#include "espalier/Runtime/Train/Trainer.h"

namespace espalier::rt {

/// What to do when a file of the run cannot be written, because the disk is full for instance.
enum class OnWriteError {
  Stop,     ///< end the run; what is on the disk stays
  Continue, ///< say so and go on training; the next checkpoint may find room again
};

struct TrainingRunOptions {
  RunIdentity identity;
  Metadata metadata; ///< goes into every checkpoint
  OnWriteError onWriteError = OnWriteError::Stop;
  ProgressOptions progress;
  /// Null for networks that stay as they are.
  ProgramProvider *provider = nullptr;
  /// Asked between two steps and between two batches of evaluation.
  std::function<bool()> shouldStop;
  std::function<void(const EpochRecord &)> onEpoch;
  /// Something that people should know; without a final newline.
  std::function<void(std::string_view)> note;
};

struct TrainingRunResult {
  bool wasInterrupted = false;
  /// With OnWriteError::Continue: why the files of the run are not up to date at the end.
  Status writeFailure;
};

/// Trains from `position` to the recipe's last epoch, and evaluates after each epoch. Checkpoints are written after
/// each epoch and every `checkpoint_every` steps, and when `shouldStop` says so. On success, interruption and failure
/// alike `position` says how far training came.
Expected<TrainingRunResult> runTraining(Trainer &trainer, const Recipe &recipe, RunFolder &folder,
                                        RunRecorder &recorder, RunPosition &position,
                                        const TrainingRunOptions &options);

/// The epoch with the highest test accuracy, or the lowest test loss where there is no accuracy; the earliest of
/// equals. Null for an empty history.
const EpochRecord *findBest(const std::vector<EpochRecord> &history);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_TRAIN_TRAININGRUN_H
