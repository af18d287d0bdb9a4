//===- RunRecorder.h - What a run leaves for people -------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_TRAIN_RUNRECORDER_H
#define ESPALIER_RUNTIME_TRAIN_RUNRECORDER_H

#include "espalier/Runtime/Train/Chart.h"
#include "espalier/Runtime/Train/RunFolder.h"

namespace espalier::rt {

/// The table of epochs as CSV: a line of names, then one row for each epoch. The columns are those of `EpochRecord`,
/// with `train_` and `test_` before the names of metrics.
std::string formatMetrics(const std::vector<EpochRecord> &history);

/// Reads what formatMetrics() wrote; messages have the form `name:line: ...`.
Expected<std::vector<EpochRecord>> parseMetrics(std::string_view text, const std::string &name);

/// Loss, accuracy and learning rate over epochs.
std::vector<Chart> trainingCurves(const std::vector<EpochRecord> &history);

/// Writes `log.txt`, `metrics.csv`, `curves.svg` and TensorBoard's event file in the folder of a run.
class RunRecorder {
public:
  /// Brings the files of a run that goes on in line with `history`: rows and events of epochs after it go.
  static Expected<RunRecorder> create(const RunFolder &folder, const std::vector<EpochRecord> &history);

  /// Adds a line with the time to `log.txt`. A log that cannot be written is no reason to stop: failures are ignored.
  void log(std::string_view line);
  /// Records the newest epoch of `history`.
  Status record(const std::vector<EpochRecord> &history);
  /// Brings the curves up to date, which record() does only every few seconds.
  Status finish(const std::vector<EpochRecord> &history);

private:
  RunRecorder(const RunFolder &folder, FileDescriptor logFile) : folder(&folder), logFile(std::move(logFile)) {}

  const RunFolder *folder;
  FileDescriptor logFile, eventFile;
  double curvesTime = 0; ///< when the curves were drawn, seconds since 1970
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_TRAIN_RUNRECORDER_H
