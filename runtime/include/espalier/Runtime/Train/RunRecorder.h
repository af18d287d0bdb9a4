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

/// The scales of gradients as CSV: `epoch,filter,row,column,scale`, a row for each element; of epochs before which they
/// were estimated.
std::string formatGradientScales(const std::vector<EpochRecord> &history);

/// The file in the folder of a run that shows how they change.
inline constexpr const char *gradientScalesPicture = "gradient_scaling.svg";

/// Writes `log.txt`, `metrics.csv`, `curves.svg` and TensorBoard's event file in the folder of a run; and where scales
/// of gradients are estimated `gradient_scaling.csv` and `gradient_scaling.svg`.
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

  Status writeTables(const std::vector<EpochRecord> &history);

  const RunFolder *folder;
  FileDescriptor logFile, eventFile;
  double curvesTime = 0; ///< when the curves were drawn, seconds since 1970
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_TRAIN_RUNRECORDER_H
