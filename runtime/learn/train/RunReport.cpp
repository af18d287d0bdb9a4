//===- RunReport.cpp - Runs side by side ----------------------------------===//

#include "espalier/Runtime/Train/RunReport.h"

#include "espalier/Runtime/Train/RunRecorder.h"
#include "espalier/Runtime/Train/TrainingRun.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

using namespace espalier::rt;
using Json = nlohmann::json;

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

static Expected<std::string> readText(const std::string &path) {
  constexpr uint64_t maxBytes = uint64_t(256) << 20;
  Expected<std::vector<uint8_t>> bytes = readFile(path, maxBytes);
  if (!bytes)
    return bytes.takeStatus();
  return std::string(bytes->begin(), bytes->end());
}

/// The totals of a cost table; a folder may lack it.
static Status readCost(const std::string &path, RunSummary &summary) {
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return {};
  Expected<std::string> text = readText(path);
  if (!text)
    return text.takeStatus();
  Json document = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  auto totals = document.is_object() ? document.find("totals") : document.end();
  if (!document.is_object() || totals == document.end() || !totals->is_object())
    return invalidInput("{}: expected a cost table with totals", path);
  for (auto [key, field] : {std::pair("macs", &summary.macs), std::pair("params", &summary.params)})
    if (auto found = totals->find(key); found != totals->end() && found->is_number_integer())
      *field = found->get<int64_t>();
  return {};
}

std::string espalier::rt::recipeValue(const RunIdentity &identity, std::string_view key) {
  for (const auto &[name, value] : identity.recipe)
    if (name == key)
      return value;
  return "";
}

Expected<RunSummary> espalier::rt::readRun(const std::string &path) {
  RunSummary summary;
  summary.path = path;
  while (summary.path.size() > 1 && summary.path.back() == '/')
    summary.path.pop_back();
  std::string identityPath = path + "/run.json", metricsPath = path + "/metrics.csv";
  Expected<std::string> text = readText(identityPath);
  if (!text)
    return text.takeStatus();
  Expected<RunIdentity> identity = parseIdentity(*text);
  if (!identity)
    return identity.takeStatus().in(identityPath);
  summary.identity = *std::move(identity);
  Expected<Recipe> recipe = recipeOf(summary.identity);
  if (!recipe)
    return recipe.takeStatus().in(identityPath);
  summary.epochs = recipe->epochs;
  text = readText(metricsPath);
  if (!text)
    return text.takeStatus();
  Expected<std::vector<EpochRecord>> history = parseMetrics(*text, metricsPath);
  if (!history)
    return history.takeStatus();
  summary.history = *std::move(history);
  if (Status s = readCost(path + "/cost.json", summary); !s.ok())
    return s;
  return summary;
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

/// What all seeds of a group share.
static bool sharesGroup(const RunSummary &a, const RunSummary &b) {
  if (a.identity.networkDigest != b.identity.networkDigest || a.identity.loss != b.identity.loss ||
      a.identity.dataDigest != b.identity.dataDigest || a.epochs != b.epochs)
    return false;
  auto isFree = [](const std::string &key) { return key == "seed" || isRunKey(key); };
  for (const auto &[key, value] : a.identity.recipe)
    if (!isFree(key) && recipeValue(b.identity, key) != value)
      return false;
  for (const auto &[key, value] : b.identity.recipe)
    if (!isFree(key) && recipeValue(a.identity, key) != value)
      return false;
  return true;
}

/// The keys that do not have the same value in all groups.
static std::vector<std::string> findDifferingKeys(const std::vector<RunGroup> &groups) {
  std::vector<std::string> keys;
  std::set<std::string> seen;
  for (const RunGroup &group : groups)
    for (const auto &[key, value] : group.runs[0]->identity.recipe) {
      bool mayDiffer = key != "seed" && (key == "epochs" || !isRunKey(key));
      auto isOther = [&key = key, &value = value](const RunGroup &other) {
        return recipeValue(other.runs[0]->identity, key) != value;
      };
      if (mayDiffer && seen.insert(key).second && std::any_of(groups.begin(), groups.end(), isOther))
        keys.push_back(key);
    }
  return keys;
}

std::vector<RunGroup> espalier::rt::groupRuns(const std::vector<RunSummary> &runs) {
  std::vector<RunGroup> groups;
  for (const RunSummary &run : runs) {
    auto found = std::find_if(groups.begin(), groups.end(),
                              [&](const RunGroup &group) { return sharesGroup(*group.runs[0], run); });
    if (found == groups.end())
      found = groups.insert(groups.end(), RunGroup());
    found->runs.push_back(&run);
  }
  std::vector<std::string> keys = findDifferingKeys(groups);
  for (RunGroup &group : groups) {
    group.name = group.runs[0]->identity.network;
    for (const std::string &key : keys)
      group.name += fmt::format(", {} {}", key, recipeValue(group.runs[0]->identity, key));
  }
  // What recipes do not tell apart, such as data sets, the folders do.
  for (size_t i = 0; i < groups.size(); ++i) {
    std::string name = groups[i].name;
    if (std::count_if(groups.begin(), groups.end(), [&](const RunGroup &g) { return g.name == name; }) > 1)
      for (RunGroup &group : groups)
        if (group.name == name)
          group.name += fmt::format(" ({})", group.runs[0]->path);
  }
  return groups;
}

//===----------------------------------------------------------------------===//
// The report
//===----------------------------------------------------------------------===//

MeanDeviation espalier::rt::meanAndDeviation(const std::vector<double> &values) {
  MeanDeviation result;
  for (double value : values)
    result.mean += value / static_cast<double>(values.size());
  if (values.size() < 2)
    return result;
  double squares = 0;
  for (double value : values)
    squares += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(squares / static_cast<double>(values.size() - 1));
  return result;
}

static std::optional<double> metricOf(const Metrics &metrics, const char *name) {
  auto found = metrics.find(name);
  return found == metrics.end() ? std::nullopt : std::optional<double>(found->second);
}

/// A figure of each run that has it.
template <typename Figure> static std::vector<double> collect(const RunGroup &group, Figure figure) {
  std::vector<double> values;
  for (const RunSummary *run : group.runs)
    if (!run->history.empty())
      if (std::optional<double> value = figure(*run))
        values.push_back(*value);
  return values;
}

static std::vector<double> bestAccuracies(const RunGroup &group) {
  return collect(group, [](const RunSummary &run) -> std::optional<double> {
    std::optional<double> accuracy = metricOf(findBest(run.history)->test, "accuracy");
    return accuracy ? std::optional<double>(100 * *accuracy) : std::nullopt;
  });
}

static std::string formatFigure(const std::vector<double> &values, int digits) {
  if (values.empty())
    return "";
  MeanDeviation figure = meanAndDeviation(values);
  std::string text = fmt::format("{:.{}f}", figure.mean, digits);
  return values.size() > 1 ? fmt::format("{} ± {:.{}f}", text, figure.deviation, digits) : text;
}

/// "1.82 M".
static std::string formatCount(std::optional<int64_t> count) {
  if (!count)
    return "";
  double value = static_cast<double>(*count);
  for (const char *unit : {"", " k", " M", " G"}) {
    if (value < 1000)
      return fmt::format("{:.{}f}{}", value, *unit && value < 100 ? 2 : 0, unit);
    value /= 1000;
  }
  return fmt::format("{:.2f} T", value);
}

/// Text in a cell of a Markdown table.
static std::string escapeCell(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c == '|')
      result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result;
}

std::string espalier::rt::formatReport(const std::vector<RunGroup> &groups) {
  std::string text = "| run | seeds | epochs | best accuracy, % | last accuracy, % | last loss | parameters | MACs | s "
                     "an epoch |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n";
  for (const RunGroup &group : groups) {
    auto last = [&](const char *name, double factor) {
      return collect(group, [&](const RunSummary &run) -> std::optional<double> {
        std::optional<double> value = metricOf(run.history.back().test, name);
        return value ? std::optional<double>(factor * *value) : std::nullopt;
      });
    };
    std::vector<double> seconds = collect(group, [](const RunSummary &run) -> std::optional<double> {
      double sum = 0;
      for (const EpochRecord &record : run.history)
        sum += record.seconds;
      return sum / static_cast<double>(run.history.size());
    });
    const RunSummary &first = *group.runs[0];
    size_t shortest = first.history.size();
    for (const RunSummary *run : group.runs)
      shortest = std::min(shortest, run->history.size());
    bool isFinished = static_cast<int64_t>(shortest) >= first.epochs;
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", escapeCell(group.name), group.runs.size(),
                        isFinished ? fmt::format("{}", shortest) : fmt::format("{} of {}", shortest, first.epochs),
                        formatFigure(bestAccuracies(group), 2), formatFigure(last("accuracy", 100), 2),
                        formatFigure(last("loss", 1), 4), formatCount(first.params), formatCount(first.macs),
                        formatFigure(seconds, 1));
  }
  return text;
}

/// The mean of a test metric over the runs that have an epoch.
static Series meanOverEpochs(const RunGroup &group, const char *metric, double factor) {
  Series series{group.name, {}};
  size_t longest = 0;
  for (const RunSummary *run : group.runs)
    longest = std::max(longest, run->history.size());
  for (size_t epoch = 0; epoch < longest; ++epoch) {
    std::vector<double> values;
    for (const RunSummary *run : group.runs)
      if (epoch < run->history.size())
        if (std::optional<double> value = metricOf(run->history[epoch].test, metric))
          values.push_back(factor * *value);
    if (!values.empty())
      series.points.emplace_back(static_cast<double>(epoch + 1), meanAndDeviation(values).mean);
  }
  return series;
}

std::vector<Chart> espalier::rt::reportCharts(const std::vector<RunGroup> &groups) {
  Chart accuracy{"test accuracy", "epoch", "%", false, false, {}};
  Chart loss{"test loss", "epoch", "loss", true, false, {}};
  Chart cost{"accuracy against cost", "MACs of an image, millions", "best test accuracy, %", false, true, {}};
  for (const RunGroup &group : groups) {
    accuracy.series.push_back(meanOverEpochs(group, "accuracy", 100));
    loss.series.push_back(meanOverEpochs(group, "loss", 1));
    std::vector<double> best = bestAccuracies(group);
    if (group.runs[0]->macs && !best.empty())
      cost.series.push_back(
          {group.name, {{static_cast<double>(*group.runs[0]->macs) / 1e6, meanAndDeviation(best).mean}}});
  }
  std::vector<Chart> charts{std::move(accuracy), std::move(loss)};
  if (!cost.series.empty())
    charts.push_back(std::move(cost));
  return charts;
}
