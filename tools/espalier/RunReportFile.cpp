//===- RunReportFile.cpp - A comparison of runs as files ------------------===//

#include "RunReportFile.h"
#include "Console.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Train/RunReport.h"

using namespace espalier;
using namespace espalier::tools;

rt::Status espalier::tools::writeReport(const std::vector<std::string> &paths, const std::string &output) {
  std::vector<rt::RunSummary> runs;
  for (const std::string &path : paths) {
    rt::Expected<rt::RunSummary> run = rt::readRun(path);
    if (!run)
      return run.takeStatus();
    runs.push_back(*std::move(run));
  }
  std::vector<rt::RunGroup> groups = rt::groupRuns(runs);
  std::string table = rt::formatReport(groups);
  if (output.empty())
    return writeResult("", table);
  size_t slash = output.rfind('/'), dot = output.rfind('.');
  bool hasSuffix = dot != std::string::npos && (slash == std::string::npos || dot > slash + 1) && dot > 0;
  std::string curves = (hasSuffix ? output.substr(0, dot) : output) + ".svg";
  if (rt::Status s = rt::writeFileAtomically(curves, rt::renderSvg(rt::reportCharts(groups))); !s.ok())
    return s;
  std::string curvesName = slash == std::string::npos ? curves : curves.substr(slash + 1);
  return rt::writeFileAtomically(output, fmt::format("{}\n![curves]({})\n", table, curvesName));
}
