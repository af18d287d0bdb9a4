//===- TrainingProgram.cpp - compiled sides of a training run -------------===//

#include "TrainingProgram.h"

#include "../common/Compile.h"

#include "espalier/Runtime/Core/Digest.h"

using namespace espalier;
using namespace espalier::tools;

static cg::OptimizerKind optimizerKind(rt::Optimiser optimiser) {
  switch (optimiser) {
  case rt::Optimiser::SGD:
    return cg::OptimizerKind::SGD;
  case rt::Optimiser::Adam:
    return cg::OptimizerKind::Adam;
  case rt::Optimiser::AdamW:
    return cg::OptimizerKind::AdamW;
  }
  llvm_unreachable("all optimisers are handled");
}

TrainingOptions espalier::tools::trainingOptions(const rt::Recipe &recipe, llvm::StringRef arch,
                                                 const std::string &loss) {
  TrainingOptions options;
  options.network = arch.str();
  options.loss = (arch + "." + loss).str();
  options.metrics = {(arch + ".accuracy").str()};
  options.optimizer.kind = optimizerKind(recipe.optimiser);
  options.optimizer.momentum = recipe.momentum;
  options.optimizer.nesterov = recipe.nesterov;
  options.optimizer.weightDecay = recipe.weightDecay;
  options.optimizer.beta1 = recipe.betas[0];
  options.optimizer.beta2 = recipe.betas[1];
  options.optimizer.epsilon = recipe.epsilon;
  if (recipe.clipNorm > 0)
    options.clipNorm = recipe.clipNorm;
  return options;
}

rt::Expected<rt::Program> espalier::tools::compileTrainingProgram(mlir::ModuleOp module, const TrainingOptions &options,
                                                                  ProgramKind kind, const TargetFlags &target,
                                                                  int threads, TrainingArtifact *artifact) {
  PhaseOptions phases;
  phases.kernels.kernelTable = target.kernelTable;
  phases.toStep = [&](mlir::OpPassManager &manager) {
    if (kind == ProgramKind::Step)
      buildTrainingStepPipeline(manager, options);
    else
      buildEvaluationStepPipeline(manager, options);
  };
  mlir::FailureOr<std::string> compiled = compileArtifact(module, phases, target.cpu);
  if (failed(compiled))
    return reported();
  rt::Span<const uint8_t> bytes(reinterpret_cast<const uint8_t *>(compiled->data()), compiled->size());
  rt::Expected<std::shared_ptr<const rt::Executable>> executable = rt::Executable::load(bytes);
  if (!executable)
    return executable.takeStatus();
  if (artifact) {
    rt::Expected<rt::InitializerTable> table = rt::parseInitializers((*executable)->artifact().metadata);
    if (!table)
      return table.takeStatus();
    artifact->initializers = std::move(*table);
    artifact->processor = (*executable)->artifact().cpu;
    rt::Digest digest;
    digest.add(bytes);
    artifact->digest = digest.finish();
  }
  return rt::Program::create(*executable, "step", threads);
}
