//===- Compile.h - from a network to programs in this process ---*- C++ -*-===//

#ifndef ESPALIER_TOOLS_COMMON_COMPILE_H
#define ESPALIER_TOOLS_COMMON_COMPILE_H

#include "espalier/Pipelines/Phases.h"
#include "espalier/Runtime/Program/Executable.h"

#include "mlir/IR/BuiltinOps.h"

#include <memory>

namespace espalier::tools {

/// Compiles a copy of `module` to the bytes of an artifact for processor `cpu`; prints errors and fails. The metadata
/// holds the initializers of parameters and states.
mlir::FailureOr<std::string> compileArtifact(mlir::ModuleOp module, const PhaseOptions &options,
                                             const std::string &cpu);

/// The same, loaded in this process; null when it failed.
std::shared_ptr<const rt::Executable> compileExecutable(mlir::ModuleOp module, const PhaseOptions &options,
                                                        const std::string &cpu);

/// A failure of the input whose messages are printed already.
rt::Status reported();

/// Prints `error: ...`, unless that is done already, and returns the exit code of a status; 0 for success.
int report(const rt::Status &status);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_COMMON_COMPILE_H
