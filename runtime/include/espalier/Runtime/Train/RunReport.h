//===- RunReport.h - Runs side by side --------------------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_TRAIN_RUNREPORT_H
#define ESPALIER_RUNTIME_TRAIN_RUNREPORT_H

#include "espalier/Runtime/Train/Chart.h"
#include "espalier/Runtime/Train/Checkpoint.h"

namespace espalier::rt {

/// What the folder of a run says.
struct RunSummary {
  std::string path;
  RunIdentity identity;
  std::vector<EpochRecord> history;
  int64_t epochs = 0; ///< that the recipe asks for
  /// Of one image, if the folder has a cost table.
  std::optional<int64_t> macs, params;

  bool isFinished() const { return static_cast<int64_t>(history.size()) >= epochs; }
};

/// Reads `run.json`, `metrics.csv` and `cost.json`; a failure names the file.
Expected<RunSummary> readRun(const std::string &path);

/// The value that a recipe gives to `key`; empty if it has no such key.
std::string recipeValue(const RunIdentity &identity, std::string_view key);

/// Runs of the same network on the same data, whose recipes differ in nothing but the seed.
struct RunGroup {
  std::string name; ///< what tells it from the other groups: the network, and the keys in which their recipes differ
  std::vector<const RunSummary *> runs;
};

/// Groups in the order of their first runs. The runs must outlive the groups.
std::vector<RunGroup> groupRuns(const std::vector<RunSummary> &runs);

/// Mean and sample standard deviation; the deviation of fewer than two values is 0.
struct MeanDeviation {
  double mean = 0;
  double deviation = 0;
};
MeanDeviation meanAndDeviation(const std::vector<double> &values);

/// A Markdown table with a row for each group: accuracies and losses as mean and deviation over its seeds, and cost.
std::string formatReport(const std::vector<RunGroup> &groups);

/// Accuracy and loss on the test set over epochs, means over seeds; and the best accuracy against MACs, where they are
/// known.
std::vector<Chart> reportCharts(const std::vector<RunGroup> &groups);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_TRAIN_RUNREPORT_H
