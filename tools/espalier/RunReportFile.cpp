//===- RunReportFile.cpp - A comparison of runs as files ------------------===//

#include "RunReportFile.h"
#include "Console.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Train/RunRecorder.h"
#include "espalier/Runtime/Train/RunReport.h"
#include "llvm/Support/FileSystem.h"

using namespace espalier;
using namespace espalier::tools;

/// Copies what a run shows of its scales of gradients; false where it has none.
static rt::Expected<bool> copyPicture(const std::string &run, const std::string &to) {
  std::string from = run + "/" + rt::gradientScalesPicture;
  if (!llvm::sys::fs::exists(from))
    return false;
  constexpr uint64_t maxBytes = uint64_t(64) << 20;
  rt::Expected<std::vector<uint8_t>> bytes = rt::readFile(from, maxBytes);
  if (!bytes)
    return bytes.takeStatus();
  std::string_view text(reinterpret_cast<const char *>(bytes->data()), bytes->size());
  if (rt::Status s = rt::writeFileAtomically(to, text); !s.ok())
    return s;
  return true;
}

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
  std::string stem = hasSuffix ? output.substr(0, dot) : output, curves = stem + ".svg";
  if (rt::Status s = rt::writeFileAtomically(curves, rt::renderSvg(rt::reportCharts(groups))); !s.ok())
    return s;
  auto nameOf = [&](const std::string &path) { return slash == std::string::npos ? path : path.substr(slash + 1); };
  std::string text = fmt::format("{}\n![curves]({})\n", table, nameOf(curves));
  for (size_t i = 0; i < runs.size(); ++i) {
    rt::Expected<bool> copied = copyPicture(runs[i].path, fmt::format("{}-gradient-scaling-{}.svg", stem, i + 1));
    if (!copied)
      return copied.takeStatus();
    if (*copied)
      text += fmt::format("\nScales of gradients, {}:\n\n![scales of gradients]({}-gradient-scaling-{}.svg)\n",
                          runs[i].path, nameOf(stem), i + 1);
  }
  return rt::writeFileAtomically(output, text);
}
