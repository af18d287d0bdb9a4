//===- RunRecorder.cpp - What a run leaves for people ---------------------===//

#include "espalier/Runtime/Train/RunRecorder.h"

#include "espalier/Runtime/Core/Text.h"
#include "espalier/Runtime/Train/EventFile.h"
#include "espalier/Runtime/Train/MatrixChart.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <set>
#include <unistd.h>

using namespace espalier::rt;

static double secondsSince1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

//===----------------------------------------------------------------------===//
// The table of epochs
//===----------------------------------------------------------------------===//

static constexpr std::string_view trainPrefix = "train_", testPrefix = "test_";

std::string espalier::rt::formatMetrics(const std::vector<EpochRecord> &history) {
  std::set<std::string> trainNames, testNames;
  for (const EpochRecord &record : history) {
    for (const auto &[name, value] : record.train)
      trainNames.insert(name);
    for (const auto &[name, value] : record.test)
      testNames.insert(name);
  }
  std::string text = "epoch,step,learning_rate";
  for (const std::string &name : trainNames)
    text += fmt::format(",{}{}", trainPrefix, name);
  for (const std::string &name : testNames)
    text += fmt::format(",{}{}", testPrefix, name);
  text += ",seconds,images_per_second,peak_bytes,end_time\n";
  auto add = [&](const Metrics &metrics, const std::set<std::string> &names) {
    for (const std::string &name : names) {
      auto found = metrics.find(name);
      text += found == metrics.end() ? std::string(",") : fmt::format(",{}", found->second);
    }
  };
  for (const EpochRecord &record : history) {
    text += fmt::format("{},{},{}", record.epoch, record.step, record.learningRate);
    add(record.train, trainNames);
    add(record.test, testNames);
    text += fmt::format(",{:.3f},{:.1f},{},{:.3f}\n", record.seconds, record.imagesPerSecond, record.peakBytes,
                        record.endTime);
  }
  return text;
}

static std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    size_t end = line.find(separator);
    parts.push_back(line.substr(0, end));
    if (end == std::string_view::npos)
      return parts;
    line.remove_prefix(end + 1);
  }
}

static bool startsWith(std::string_view text, std::string_view start) { return text.substr(0, start.size()) == start; }

/// Stores one cell; false if the column is unknown.
static bool store(EpochRecord &record, std::string_view column, double value) {
  if (startsWith(column, trainPrefix))
    record.train[std::string(column.substr(trainPrefix.size()))] = value;
  else if (startsWith(column, testPrefix))
    record.test[std::string(column.substr(testPrefix.size()))] = value;
  else if (column == "learning_rate")
    record.learningRate = value;
  else if (column == "seconds")
    record.seconds = value;
  else if (column == "images_per_second")
    record.imagesPerSecond = value;
  else if (column == "end_time")
    record.endTime = value;
  else
    return false;
  return true;
}

Expected<std::vector<EpochRecord>> espalier::rt::parseMetrics(std::string_view text, const std::string &name) {
  std::vector<EpochRecord> history;
  std::vector<std::string_view> lines = split(text, '\n');
  if (lines.size() == 1 && !text.empty())
    return invalidInput("{}:1: the file ends in the middle of its header", name);
  std::vector<std::string_view> columns = split(lines[0], ',');
  for (size_t line = 1; line < lines.size(); ++line) {
    if (lines[line].empty())
      continue;
    std::vector<std::string_view> cells = split(lines[line], ',');
    if (cells.size() != columns.size())
      return invalidInput("{}:{}: expected {} cells, but got {}", name, line + 1, columns.size(), cells.size());
    EpochRecord &record = history.emplace_back();
    for (size_t i = 0; i < cells.size(); ++i) {
      if (cells[i].empty())
        continue;
      bool isCount = columns[i] == "epoch" || columns[i] == "step" || columns[i] == "peak_bytes";
      int64_t count = 0;
      double value = 0;
      const char *end = cells[i].data() + cells[i].size();
      auto result =
          isCount ? std::from_chars(cells[i].data(), end, count) : std::from_chars(cells[i].data(), end, value);
      if (result.ec != std::errc() || result.ptr != end)
        return invalidInput("{}:{}: expected a number as {}, but got {}", name, line + 1, columns[i], quote(cells[i]));
      if (isCount)
        (columns[i] == "epoch" ? record.epoch : columns[i] == "step" ? record.step : record.peakBytes) = count;
      else if (!store(record, columns[i], value))
        return invalidInput("{}:1: unknown column {}", name, quote(columns[i]));
    }
  }
  return history;
}

//===----------------------------------------------------------------------===//
// Curves
//===----------------------------------------------------------------------===//

std::vector<Chart> espalier::rt::trainingCurves(const std::vector<EpochRecord> &history) {
  Chart loss{"loss", "epoch", "loss", false, false, {{"train", {}}, {"test", {}}}};
  Chart accuracy{"accuracy", "epoch", "%", false, false, {{"train", {}}, {"test", {}}}};
  Chart rate{"learning rate", "epoch", "", false, false, {{"learning rate", {}}}};
  for (const EpochRecord &record : history) {
    double epoch = static_cast<double>(record.epoch);
    for (size_t side = 0; side < 2; ++side) {
      const Metrics &metrics = side ? record.test : record.train;
      if (auto found = metrics.find("loss"); found != metrics.end())
        loss.series[side].points.emplace_back(epoch, found->second);
      if (auto found = metrics.find("accuracy"); found != metrics.end())
        accuracy.series[side].points.emplace_back(epoch, 100 * found->second);
    }
    rate.series[0].points.emplace_back(epoch, record.learningRate);
  }
  std::vector<Chart> charts{std::move(loss)};
  if (!accuracy.series[1].points.empty())
    charts.push_back(std::move(accuracy));
  charts.push_back(std::move(rate));
  return charts;
}

//===----------------------------------------------------------------------===//
// Scales of gradients
//===----------------------------------------------------------------------===//

/// A cell that separators, quotes or line ends in it do not break.
static std::string quoteCell(const std::string &cell) {
  if (cell.find_first_of(",\"\n\r") == std::string::npos)
    return cell;
  std::string quoted = "\"";
  for (char c : cell)
    quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

static bool hasScales(const std::vector<EpochRecord> &history) {
  return std::any_of(history.begin(), history.end(), [](const EpochRecord &r) { return !r.gradientScales.empty(); });
}

std::string espalier::rt::formatGradientScales(const std::vector<EpochRecord> &history) {
  std::string text = "epoch,filter,row,column,scale\n";
  for (const EpochRecord &record : history)
    for (const auto &[path, matrix] : record.gradientScales)
      for (size_t row = 0; row < matrix.size(); ++row)
        for (size_t column = 0; column < matrix[row].size(); ++column)
          text += fmt::format("{},{},{},{},{}\n", record.epoch, quoteCell(path), row, column, matrix[row][column]);
  return text;
}

static std::string drawGradientScales(const std::vector<EpochRecord> &history) {
  std::map<std::string, MatrixSeries> series;
  for (const EpochRecord &record : history)
    for (const auto &[path, matrix] : record.gradientScales) {
      series[path].name = path;
      series[path].byEpoch[record.epoch] = matrix;
    }
  std::vector<MatrixSeries> sorted;
  for (auto &[path, one] : series)
    sorted.push_back(std::move(one));
  return renderSvg("scales of gradients", sorted);
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

static std::string eventsOf(const EpochRecord &record) {
  std::map<std::string, double> scalars{{"learning_rate", record.learningRate},
                                        {"images_per_second", record.imagesPerSecond}};
  for (const auto &[name, value] : record.train)
    scalars[name + "/train"] = value;
  for (const auto &[name, value] : record.test)
    scalars[name + "/test"] = value;
  return scalarEvent(record.endTime, record.epoch, scalars);
}

/// The event file that the folder has, or the name of a new one.
static std::string findEventFile(const RunFolder &folder) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder.path(), error), end; !error && it != end; it.increment(error))
    if (startsWith(it->path().filename().string(), "events.out.tfevents."))
      return it->path().string();
  return folder.file(eventFileName(static_cast<int64_t>(secondsSince1970())));
}

static Expected<FileDescriptor> openToAppend(const std::string &path) {
  FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!fd.valid())
    return environmentError("cannot write {}: {}", quote(path), std::strerror(errno));
  return fd;
}

/// False, with errno, if not all of `text` could be written.
static bool append(const FileDescriptor &fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t count = ::write(fd.get(), text.data(), text.size());
    if (count < 0 && errno != EINTR)
      return false;
    text.remove_prefix(static_cast<size_t>(std::max<ssize_t>(count, 0)));
  }
  return true;
}

Expected<RunRecorder> RunRecorder::create(const RunFolder &folder, const std::vector<EpochRecord> &history) {
  Expected<FileDescriptor> logFile = openToAppend(folder.file("log.txt"));
  if (!logFile)
    return logFile.takeStatus();
  RunRecorder recorder(folder, *std::move(logFile));
  std::string path = findEventFile(folder), events = eventFileHeader(secondsSince1970());
  for (const EpochRecord &record : history)
    events += eventsOf(record);
  if (Status s = writeFileAtomically(path, events); !s.ok())
    return s;
  if (Status s = recorder.writeTables(history); !s.ok())
    return s;
  Expected<FileDescriptor> eventFile = openToAppend(path);
  if (!eventFile)
    return eventFile.takeStatus();
  recorder.eventFile = *std::move(eventFile);
  return recorder;
}

void RunRecorder::log(std::string_view line) {
  std::time_t now = std::time(nullptr);
  std::tm local = {};
  ::localtime_r(&now, &local);
  (void)append(logFile, fmt::format("{:%Y-%m-%d %H:%M:%S} {}\n", local, line));
}

Status RunRecorder::writeTables(const std::vector<EpochRecord> &history) {
  if (Status s = writeFileAtomically(folder->file("metrics.csv"), formatMetrics(history));
      !s.ok() || !hasScales(history))
    return s;
  return writeFileAtomically(folder->file("gradient_scaling.csv"), formatGradientScales(history));
}

Status RunRecorder::record(const std::vector<EpochRecord> &history) {
  if (Status s = writeTables(history); !s.ok())
    return s;
  if (!append(eventFile, eventsOf(history.back())))
    return environmentError("cannot write TensorBoard's events in {}: {}", quote(folder->path()), std::strerror(errno));
  constexpr double interval = 10;
  return secondsSince1970() - curvesTime < interval ? Status() : finish(history);
}

Status RunRecorder::finish(const std::vector<EpochRecord> &history) {
  curvesTime = secondsSince1970();
  if (hasScales(history))
    if (Status s = writeFileAtomically(folder->file(gradientScalesPicture), drawGradientScales(history)); !s.ok())
      return s;
  return writeFileAtomically(folder->file("curves.svg"), renderSvg(trainingCurves(history)));
}
