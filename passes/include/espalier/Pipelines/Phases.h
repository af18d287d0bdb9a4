//===- Phases.h - the way from architecture to artifact ---------*- C++ -*-===//

#ifndef ESPALIER_PIPELINES_PHASES_H
#define ESPALIER_PIPELINES_PHASES_H

#include "espalier/Pipelines/Kernels.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"

#include <functional>
#include <optional>

namespace espalier {

/// What a module is on its way, see docs/architecture.md. A module says it in the attribute `cg.phase`; one without is
/// at `Input`. Beside it stand `cg.target`, the processor that code is made for, and `cg.bindings`, the numbers that
/// symbolic sizes were given.
enum class Phase { Input, Step, Fused, Kernels, LLVM };

llvm::StringRef getName(Phase phase);
/// The phase of a name; nothing for another word.
std::optional<Phase> parsePhase(llvm::StringRef name);
/// "input, step, ...": for messages.
std::string listPhases();

/// The phase that a module says it is in; fails with an error where it names an unknown one.
mlir::FailureOr<Phase> getPhase(mlir::ModuleOp module);

/// Says which phase a module is at.
void setPhase(mlir::ModuleOp module, Phase phase);

/// The processor that a module says it is compiled for; empty where it says none.
llvm::StringRef getTarget(mlir::ModuleOp module);

/// What an artifact says of the module besides its code: JSON with how parameters and states start. A module has it
/// from `Step` on; empty where it has none.
llvm::StringRef getMetadata(mlir::ModuleOp module);

struct PhaseOptions {
  /// The passes from `Input` to `Step`: what the module becomes (inference, evaluation, training) is decided there.
  std::function<void(mlir::OpPassManager &)> toStep;
  /// What the phases `fused` and `kernels` are made with.
  FusedOptions kernels;
};

/// Takes a module from the phase it is in to `target`. Calls `reached`, if given, with the module at each phase on the
/// way, the first and the last included; its failure ends the way. Fails with an error where the module is beyond
/// `target` already.
mlir::LogicalResult runPhases(mlir::ModuleOp module, Phase target, const PhaseOptions &options,
                              llvm::function_ref<mlir::LogicalResult(Phase)> reached = nullptr);

} // namespace espalier

#endif // ESPALIER_PIPELINES_PHASES_H
