//===- Progress.h - What a long run says while it runs ----------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_TRAIN_PROGRESS_H
#define ESPALIER_RUNTIME_TRAIN_PROGRESS_H

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace espalier::rt {

/// Where progress goes and how it looks.
struct ProgressOptions {
  enum class Style { Quiet, Lines, Bar };
  Style style = Style::Lines;
  bool colour = false;
  int width = 80; ///< columns of the terminal
  /// Receives the output.
  std::function<void(std::string_view)> write;
  /// Seconds since some fixed moment.
  std::function<double()> now;
  /// Bytes of memory that the process has; absent: not shown.
  std::function<int64_t()> memory;

  /// For standard error: a bar if it is a terminal, lines otherwise; colour only on a terminal, and not if the
  /// environment has NO_COLOR or TERM=dumb. The clock is the monotonic one.
  static ProgressOptions forStderr(bool quiet);
};

/// Reports one run as a sequence of phases (epochs). On a terminal a bar with rate, loss, accuracy, memory and the time
/// that the whole run still takes is redrawn ten times a second; elsewhere a line comes every half minute and at the
/// end of each phase.
class Progress {
public:
  /// `totalSamples` of the whole run give the remaining time.
  Progress(ProgressOptions options, int64_t totalSamples) : options(std::move(options)), runTotal(totalSamples) {}
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;
  /// Takes an unfinished bar off the terminal, so that the message of an error has the line to itself.
  ~Progress();

  /// Begins a phase of `samples` samples, such as "epoch 3/30"; `before` of them were done by an earlier process.
  void start(std::string title, int64_t samples, int64_t before = 0);
  /// Says how many samples of the phase are done, and its mean loss and share of right answers (0..1) so far.
  void update(int64_t samples, double loss, std::optional<double> accuracy);
  /// Ends the phase with a line that stays. `remark` is added to it.
  void finish(std::string_view remark = {});

private:
  std::string describe() const;
  std::string bar() const;
  double rate() const;

  ProgressOptions options;
  int64_t runTotal;
  int64_t runDone = 0; ///< samples of the finished phases
  double runSeconds = 0;
  std::string title;
  int64_t total = 0;
  int64_t done = 0;
  int64_t doneBefore = 0; ///< of them, by an earlier process
  double loss = 0;
  std::optional<double> accuracy;
  double started = 0;
  double lastOutput = 0;
  bool barIsDrawn = false;
};

/// Bytes of main memory that this process has now, and the most it ever had; 0 where the system does not say.
int64_t currentMemoryBytes();
int64_t peakMemoryBytes();

/// "0:07", "12:34", "1:02:03".
std::string formatDuration(double seconds);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_TRAIN_PROGRESS_H
