//===- Report.cpp - espalier report ---------------------------------------===//

#include "RunReportFile.h"
#include "Verbs.h"

using namespace espalier;
using namespace espalier::tools;

namespace {
class Report final : public Verb {
public:
  const char *name() const override { return "report"; }
  const char *summary() const override { return "Compare training runs in one table"; }
  const char *example() const override { return "espalier report runs/* -o report.md"; }
  void declare(CLI::App &flags) override {
    flags.add_option("RUN", paths, "Folders of runs")->required();
    flags.add_option("-o,--output", output, "Write Markdown there, and curves beside it with the suffix .svg")
        ->type_name("FILE");
  }
  rt::Status run() override { return writeReport(paths, output); }

private:
  std::vector<std::string> paths;
  std::string output;
};
} // namespace

std::unique_ptr<Verb> espalier::tools::createReportVerb() { return std::make_unique<Report>(); }
