//===- RunReportFile.h - A comparison of runs as files ----------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_RUNREPORTFILE_H
#define ESPALIER_TOOLS_ESPALIER_RUNREPORTFILE_H

#include "espalier/Runtime/Core/Status.h"

#include <string>
#include <vector>

namespace espalier::tools {

/// Writes the table of the runs in the folders `paths` to the Markdown file `output`, and curves to an SVG file beside
/// it that the Markdown shows. An empty `output` is standard output, without curves.
rt::Status writeReport(const std::vector<std::string> &paths, const std::string &output);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_RUNREPORTFILE_H
