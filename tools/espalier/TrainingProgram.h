//===- TrainingProgram.h - compiled sides of a training run -----*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_TRAININGPROGRAM_H
#define ESPALIER_TOOLS_ESPALIER_TRAININGPROGRAM_H

#include "Target.h"

#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Pipelines/Step.h"
#include "espalier/Runtime/Program/Program.h"
#include "espalier/Runtime/Train/Initializer.h"
#include "espalier/Runtime/Train/Recipe.h"

namespace espalier::tools {

/// What a recipe means for the compiler. `loss` is an fn of the file or the prelude.
TrainingOptions trainingOptions(const rt::Recipe &recipe, llvm::StringRef arch, const std::string &loss);

/// Fails, where the recipe has the group, if its pattern is none or matches no parameter of the network, or if the
/// groups leave no parameter to train.
rt::Status checkGroups(const rt::Recipe &recipe, cg::GraphOp network);

/// What a recipe computes in.
Precision precisionOf(const rt::Recipe &recipe);

enum class ProgramKind { Step, Evaluation, Accumulation, Estimation };

/// What a run wants to know of the artifact that a program comes from.
struct TrainingArtifact {
  rt::InitializerTable initializers;
  std::string processor; ///< that its code is for
  std::string digest;    ///< SHA-256 of its bytes
};

/// The program `step`, or `estimate`, for the sizes of the options, in an executable of its own. Fills `artifact`, if
/// it is given.
rt::Expected<rt::Program> compileTrainingProgram(mlir::ModuleOp module, const TrainingOptions &options,
                                                 ProgramKind kind, const TargetFlags &target, int threads,
                                                 TrainingArtifact *artifact = nullptr);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_TRAININGPROGRAM_H
