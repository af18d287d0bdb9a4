//===- Report.cpp - espalier report ---------------------------------------===//

#include "RunReportFile.h"
#include "Verbs.h"

#include "espalier/Runtime/Core/Text.h"
#include "espalier/Runtime/Train/RunFolder.h"

#include <algorithm>
#include <filesystem>
#include <set>

using namespace espalier;
using namespace espalier::tools;
namespace fs = std::filesystem;

namespace {
class Report final : public Verb {
public:
  const char *name() const override { return "report"; }
  const char *summary() const override { return "Compare training runs in one table"; }
  const char *example() const override { return "espalier report runs/* -o report.md"; }
  void declare(CLI::App &flags) override {
    flags.add_option("RUN", paths, "Folders of runs, or of sweeps")->required();
    flags.add_option("-o,--output", output, "Write Markdown there, and curves beside it with the suffix .svg")
        ->type_name("FILE");
  }
  rt::Status run() override;

private:
  /// The runs that the paths stand for, each once.
  rt::Expected<std::vector<std::string>> findRuns() const;

  std::vector<std::string> paths;
  std::string output;
};
} // namespace

rt::Expected<std::vector<std::string>> Report::findRuns() const {
  std::vector<std::string> runs;
  std::set<fs::path> seen;
  auto add = [&](const std::string &path) {
    std::error_code error;
    fs::path canonical = fs::canonical(path, error);
    if (seen.insert(error ? fs::path(path) : canonical).second)
      runs.push_back(path);
  };
  for (const std::string &path : paths) {
    std::error_code error;
    if (fs::is_regular_file(path, error)) {
      // `runs/*` finds the report of a sweep as well.
      console.note("{} is no folder and left out", rt::quote(path));
      continue;
    }
    if (!fs::is_directory(path, error) || rt::RunFolder::isRun(path)) {
      add(path);
      continue;
    }
    std::vector<std::string> inner;
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error))
      if (rt::RunFolder::isRun(it->path().string()))
        inner.push_back(it->path().string());
    if (error)
      return rt::environmentError("cannot read {}: {}", rt::quote(path), error.message());
    if (inner.empty())
      return rt::invalidInput("{} holds no run", rt::quote(path));
    std::sort(inner.begin(), inner.end());
    std::for_each(inner.begin(), inner.end(), add);
  }
  return runs;
}

rt::Status Report::run() {
  rt::Expected<std::vector<std::string>> runs = findRuns();
  if (!runs)
    return runs.takeStatus();
  return runs->empty() ? rt::invalidInput("there is no run to report") : writeReport(*runs, output);
}

std::unique_ptr<Verb> espalier::tools::createReportVerb() { return std::make_unique<Report>(); }
