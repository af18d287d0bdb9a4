//===- Sweep.cpp - espalier sweep -----------------------------------------===//

#include "RunReportFile.h"
#include "Verbs.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Core/Text.h"
#include "espalier/Runtime/Train/RunFolder.h"
#include "espalier/Runtime/Train/RunReport.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <set>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace espalier;
using namespace espalier::tools;

namespace {

/// A key of a recipe and the values it is to have in turn.
struct GridAxis {
  std::string key;
  std::vector<std::string> values;
};

/// One training run: what it sets in the recipe, and where it lies.
struct SweepRun {
  std::vector<std::string> settings; ///< KEY=VALUE
  std::string folder;
};

class Sweep final : public Verb {
public:
  const char *name() const override { return "sweep"; }
  const char *summary() const override { return "Train once for each value of a grid and each seed"; }
  const char *example() const override {
    return "espalier sweep examples/quickstart/digits.toml --network examples/quickstart/digits.esp "
           "--data examples/quickstart/digits --grid lr=0.02,0.05 --seeds 2 --set epochs=1 --run sweep";
  }
  bool computes() const override { return true; }
  void declare(CLI::App &flags) override {
    flags.add_option("RECIPE", recipeFile, "Recipe (TOML) that the runs share")->required();
    flags.add_option("--grid", grid, "A key and its values, e.g. lr=0.1,0.2; several keys are combined")
        ->type_name("KEY=VALUE,...");
    flags.add_option("--seeds", seeds, "Seeds for each point of the grid, counting from the recipe's")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    flags.add_option("--set", settings, "Recipe keys that differ in all runs")->type_name("KEY=VALUE");
    flags.add_option("--network", network, "Architecture file, if the recipe names none")->type_name("FILE");
    flags.add_option("--data", data, "Folder of the data set, if the recipe names none")->type_name("FOLDER");
    flags.add_option("--run", folder, "Folder of the runs and their report (default: runs/RECIPE-sweep)")
        ->type_name("FOLDER");
  }
  rt::Status run() override;

private:
  rt::Expected<std::vector<SweepRun>> plan() const;
  bool isDone(const SweepRun &run) const;
  rt::Expected<int> train(const SweepRun &run) const;
  rt::Expected<rt::Recipe> recipeFor(const SweepRun &run) const;

  std::string recipeFile, network, data, folder;
  std::vector<std::string> grid, settings;
  int64_t seeds = 1;
};

} // namespace

/// Splits at commas that are in no brackets or braces: a value may be a list or a table.
static std::vector<std::string> splitValues(std::string_view text) {
  std::vector<std::string> values(1);
  int depth = 0;
  for (char c : text) {
    depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
    if (c == ',' && depth == 0)
      values.emplace_back();
    else
      values.back() += c;
  }
  return values;
}

static rt::Expected<std::vector<GridAxis>> parseGrid(const std::vector<std::string> &grid) {
  std::vector<GridAxis> axes;
  for (const std::string &entry : grid) {
    size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == entry.size())
      return rt::usageError("--grid wants KEY=VALUE,..., but got '{}'", entry);
    GridAxis axis{entry.substr(0, equals), splitValues(std::string_view(entry).substr(equals + 1))};
    if (axis.key == "seed")
      return rt::usageError("--grid takes no seed; --seeds says how many there are");
    auto isSame = [&](const GridAxis &other) { return other.key == axis.key; };
    if (std::any_of(axes.begin(), axes.end(), isSame))
      return rt::usageError("--grid has the key {} twice", rt::quote(axis.key));
    std::set<std::string_view> distinct;
    for (const std::string &value : axis.values)
      if (!distinct.insert(value).second)
        return rt::usageError("--grid has the value {} of {} twice", rt::quote(value), rt::quote(axis.key));
    axes.push_back(std::move(axis));
  }
  return axes;
}

rt::Expected<rt::Recipe> Sweep::recipeFor(const SweepRun &run) const {
  rt::Expected<rt::Recipe> recipe = rt::readRecipe(recipeFile);
  if (!recipe)
    return recipe;
  if (rt::Status s = rt::overrideRecipe(*recipe, run.settings); !s.ok())
    return s;
  return recipe;
}

/// The folder of a run from its settings.
static std::string folderName(const std::vector<std::string> &settings) {
  std::string name;
  for (const std::string &setting : settings)
    name += (name.empty() ? "" : ",") + setting;
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

rt::Expected<std::vector<SweepRun>> Sweep::plan() const {
  rt::Expected<std::vector<GridAxis>> axes = parseGrid(grid);
  if (!axes)
    return axes.takeStatus();
  std::vector<std::string> shared = settings;
  if (!network.empty())
    shared.push_back("network=" + network);
  if (!data.empty())
    shared.push_back("data=" + data);
  rt::Expected<rt::Recipe> recipe = recipeFor({shared, ""});
  if (!recipe)
    return recipe.takeStatus();

  if (recipe->seed > std::numeric_limits<int64_t>::max() - (seeds - 1))
    return rt::usageError("--seeds {} counts beyond the largest seed from {}", seeds, recipe->seed);

  // The last key changes fastest, and the seed faster still.
  std::vector<std::vector<std::string>> points(1);
  for (const GridAxis &axis : *axes) {
    std::vector<std::vector<std::string>> longer;
    constexpr size_t maxPoints = 100'000;
    if (points.size() * axis.values.size() > maxPoints)
      return rt::usageError("the grid has more than {} points", maxPoints);
    for (const std::vector<std::string> &point : points)
      for (const std::string &value : axis.values) {
        longer.push_back(point);
        longer.back().push_back(fmt::format("{}={}", axis.key, value));
      }
    points = std::move(longer);
  }
  std::vector<SweepRun> runs;
  for (const std::vector<std::string> &point : points)
    for (int64_t seed = 0; seed < seeds; ++seed) {
      SweepRun run;
      std::vector<std::string> own = point;
      own.push_back(fmt::format("seed={}", recipe->seed + seed));
      run.folder = fmt::format("{}/{}", folder, folderName(own));
      run.settings = shared;
      run.settings.insert(run.settings.end(), own.begin(), own.end());
      // A value that is wrong must be known before the first run, not after hours.
      if (rt::Expected<rt::Recipe> checked = recipeFor(run); !checked)
        return checked.takeStatus();
      runs.push_back(std::move(run));
    }
  return runs;
}

/// Whether the folder has all epochs of that very recipe. A run of another recipe is not done: training will say so.
bool Sweep::isDone(const SweepRun &run) const {
  rt::Expected<rt::RunSummary> summary = rt::readRun(run.folder);
  rt::Expected<rt::Recipe> recipe = recipeFor(run);
  if (!summary || !recipe || !summary->isFinished())
    return false;
  for (const auto &[key, value] : rt::recipeValues(*recipe))
    if ((key == "epochs" || !rt::isRunKey(key)) && rt::recipeValue(summary->identity, key) != value)
      return false;
  return true;
}

/// The process that trains, for the handler that passes signals on to it.
static volatile std::sig_atomic_t trainingProcess;
static volatile std::sig_atomic_t stopRequested;

static void passOn(int signal) {
  stopRequested = 1;
  if (trainingProcess > 0)
    ::kill(static_cast<pid_t>(trainingProcess), signal);
}

static constexpr int stopSignals[] = {SIGINT, SIGTERM, SIGHUP};

rt::Expected<int> Sweep::train(const SweepRun &run) const {
  std::vector<std::string> words = {"espalier", "train", "--recipe", recipeFile, "--run", run.folder};
  for (const std::string &setting : run.settings) {
    words.push_back("--set");
    words.push_back(setting);
  }
  if (rt::RunFolder::isRun(run.folder))
    words.push_back("--resume");
  if (console.isQuiet())
    words.push_back("--quiet");
  std::vector<char *> arguments;
  for (std::string &word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);

  // A group of its own: Ctrl-C reaches the child through us, once, and not from the terminal too.
  pid_t parent = ::getpid(), child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    for (int signal : stopSignals)
      std::signal(signal, SIG_DFL);
    int nothing = ::open("/dev/null", O_WRONLY);
    if (::getppid() == parent && nothing >= 0 && ::dup2(nothing, STDOUT_FILENO) >= 0)
      ::execv("/proc/self/exe", arguments.data());
    ::_exit(EnvironmentFault);
  }
  if (child < 0)
    return rt::environmentError("cannot start a process: {}", std::strerror(errno));
  trainingProcess = child;
  if (stopRequested)
    ::kill(child, SIGTERM);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  trainingProcess = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

rt::Status Sweep::run() {
  if (folder.empty()) {
    std::string_view name = std::string_view(recipeFile).substr(recipeFile.rfind('/') + 1);
    folder = fmt::format("runs/{}-sweep", name.substr(0, name.rfind('.')));
  }
  rt::Expected<std::vector<SweepRun>> runs = plan();
  if (!runs)
    return runs.takeStatus();
  for (int signal : stopSignals)
    std::signal(signal, passOn);
  std::vector<std::string> folders, failures;
  for (size_t i = 0; i < runs->size(); ++i) {
    const SweepRun &run = (*runs)[i];
    bool done = isDone(run);
    console.note("run {}/{}: {}{}", i + 1, runs->size(), run.folder, done ? ", done already" : "");
    rt::Expected<int> code = done ? rt::Expected<int>(0) : train(run);
    if (!code)
      return code.takeStatus();
    if (stopRequested || *code == Interrupted)
      return {rt::StatusCode::Interrupted, "interrupted; the same command goes on from here"};
    if (*code == EnvironmentFault)
      return rt::environmentError("{} stopped; the same command goes on from here", run.folder);
    if (*code == 0)
      folders.push_back(run.folder);
    else
      failures.push_back(run.folder);
  }
  if (!folders.empty()) {
    if (rt::Status s = writeReport(folders, folder + "/report.md"); !s.ok())
      return s;
    if (rt::Status s = writeReport(folders, ""); !s.ok())
      return s;
  }
  if (!failures.empty())
    return rt::invalidInput("{} of {} runs failed: {}", failures.size(), runs->size(), fmt::join(failures, ", "));
  return {};
}

std::unique_ptr<Verb> espalier::tools::createSweepVerb() { return std::make_unique<Sweep>(); }
