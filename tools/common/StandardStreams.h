//===- StandardStreams.h - when nobody reads or hears -----------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_COMMON_STANDARDSTREAMS_H
#define ESPALIER_TOOLS_COMMON_STANDARDSTREAMS_H

#include <string_view>

namespace espalier::tools {

/// Opens the standard descriptors that are closed, so that no file gets their number and with it what is meant for
/// them. Input and output fail as if they were closed; messages vanish.
void openStandardStreams();

/// Writes text to standard error. A terminal or pipe that is gone is no reason to end: the failure is ignored.
void writeMessage(std::string_view text);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_COMMON_STANDARDSTREAMS_H
