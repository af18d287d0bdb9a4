//===- Processor.h - What this machine can execute --------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_CPU_PROCESSOR_H
#define ESPALIER_RUNTIME_CPU_PROCESSOR_H

#include "espalier/Runtime/Core/Status.h"

#include <string>
#include <vector>

namespace espalier::rt {

/// Unsupported if the processor (or its operating system) lacks one of `extensions`, which carry LLVM's names; the
/// message names `cpu`, what code was made for, and all that is missing.
Status checkProcessor(const std::string &cpu, const std::vector<std::string> &extensions);

/// What the processor calls itself, such as "AMD EPYC 9R14"; "unknown" where the system does not say.
std::string processorName();

/// The version of oneDNN in this process, such as "2.7.2".
std::string libraryVersion();

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_CPU_PROCESSOR_H
