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

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_CPU_PROCESSOR_H
