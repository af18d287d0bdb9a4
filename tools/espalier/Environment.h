//===- Environment.h - What a run depends on besides its input --*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_ENVIRONMENT_H
#define ESPALIER_TOOLS_ESPALIER_ENVIRONMENT_H

#include <cstdint>
#include <string>

namespace espalier::tools {

/// Processor, threads, memory, operating system, and versions of this program and its libraries, as JSON text.
std::string describeEnvironment(int64_t threads);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_ENVIRONMENT_H
