//===- Progress.cpp - What a long run says while it runs ------------------===//

#include "espalier/Runtime/Train/Progress.h"

#include "espalier/Runtime/Core/Text.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace espalier::rt;

static constexpr std::string_view clearLine = "\r\x1b[K", green = "\x1b[32m", plain = "\x1b[0m";

ProgressOptions ProgressOptions::forStderr(bool quiet) {
  ProgressOptions options;
  options.write = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
  };
  options.now = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  options.memory = currentMemoryBytes;
  const char *terminal = std::getenv("TERM");
  bool dumb = terminal && std::string_view(terminal) == "dumb";
  if (quiet) {
    options.style = Style::Quiet;
  } else if (::isatty(STDERR_FILENO) && !dumb) {
    options.style = Style::Bar;
    const char *noColour = std::getenv("NO_COLOR");
    options.colour = !noColour || !*noColour;
    winsize size = {};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
      options.width = size.ws_col;
  }
  return options;
}

int64_t espalier::rt::currentMemoryBytes() {
  // The second number is the resident set, in pages.
  std::FILE *file = std::fopen("/proc/self/statm", "re");
  if (!file)
    return 0;
  long long size = 0, resident = 0;
  bool read = std::fscanf(file, "%lld %lld", &size, &resident) == 2;
  std::fclose(file);
  return read ? resident * ::sysconf(_SC_PAGESIZE) : 0;
}

int64_t espalier::rt::peakMemoryBytes() {
  rusage usage = {};
  constexpr int64_t unit = 1024; // Linux counts in KiB
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss * unit : 0;
}

std::string espalier::rt::formatDuration(double seconds) {
  // Longer than a year is a rate of about nothing.
  constexpr double longest = 365.0 * 24 * 3600;
  if (!(seconds < longest))
    return "-:--";
  int64_t whole = std::llround(std::max(seconds, 0.0));
  int64_t hours = whole / 3600, minutes = whole / 60 % 60, rest = whole % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, rest) : fmt::format("{}:{:02}", minutes, rest);
}

Progress::~Progress() {
  if (barIsDrawn)
    options.write(clearLine);
}

void Progress::start(std::string newTitle, int64_t samples, int64_t before) {
  title = std::move(newTitle);
  total = samples;
  done = doneBefore = before;
  loss = 0;
  accuracy.reset();
  started = lastOutput = options.now();
}

double Progress::rate() const {
  double seconds = options.now() - started;
  return seconds > 0 ? static_cast<double>(done - doneBefore) / seconds : 0;
}

std::string Progress::describe() const {
  std::string text = fmt::format("loss {:.4f}", loss);
  if (accuracy)
    text += fmt::format("  accuracy {:.2f} %", 100 * *accuracy);
  return text + fmt::format("  {:.0f} images/s", rate());
}

std::string Progress::bar() const {
  double seconds = runSeconds + options.now() - started;
  int64_t ours = runDone + done - doneBefore;
  double runRate = seconds > 0 ? static_cast<double>(ours) / seconds : 0;
  double remaining = static_cast<double>(runTotal - ours) / runRate;
  std::string right =
      fmt::format(" {:3}%  {}{}  {} left", total > 0 ? 100 * done / total : 100, describe(),
                  options.memory ? "  " + formatBytes(static_cast<uint64_t>(options.memory())) : std::string(),
                  formatDuration(remaining));
  // The bar takes what the text leaves; on a narrow terminal the text is cut, since a line that wraps cannot be
  // redrawn.
  constexpr int minBar = 10, maxBar = 40;
  int room = options.width - 1 - static_cast<int>(title.size() + right.size()) - 3;
  if (room < minBar)
    return (title + right).substr(0, static_cast<size_t>(std::max(options.width - 1, 0)));
  int length = std::min(room, maxBar);
  int filled = total > 0 ? static_cast<int>(done * length / total) : length;
  return fmt::format("{} [{}{}{}{}]{}", title, options.colour ? green : "", std::string(filled, '#'),
                     options.colour ? plain : "", std::string(length - filled, '.'), right);
}

void Progress::update(int64_t samples, double newLoss, std::optional<double> newAccuracy) {
  done = samples;
  loss = newLoss;
  accuracy = newAccuracy;
  constexpr double barInterval = 0.1, lineInterval = 30;
  bool isBar = options.style == ProgressOptions::Style::Bar;
  double now = options.now();
  if (options.style == ProgressOptions::Style::Quiet || now - lastOutput < (isBar ? barInterval : lineInterval))
    return;
  lastOutput = now;
  barIsDrawn = isBar;
  if (isBar)
    options.write(fmt::format("{}{}", clearLine, bar()));
  else
    options.write(fmt::format("{}: {}/{}  {}\n", title, done, total, describe()));
}

void Progress::finish(std::string_view remark) {
  if (options.style != ProgressOptions::Style::Quiet)
    options.write(fmt::format("{}{}: {}  {}{}{}\n", options.style == ProgressOptions::Style::Bar ? clearLine : "",
                              title, describe(), formatDuration(options.now() - started), remark.empty() ? "" : "  ",
                              remark));
  barIsDrawn = false;
  runDone += done - doneBefore;
  runSeconds += options.now() - started;
}
