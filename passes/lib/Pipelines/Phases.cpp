//===- Phases.cpp - the way from architecture to artifact -----------------===//

#include "espalier/Pipelines/Phases.h"

#include "Initializers.h"

#include "espalier/CodeGen/Passes.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace espalier;

static constexpr llvm::StringLiteral phaseAttrName = "cg.phase";
static constexpr llvm::StringLiteral targetAttrName = "cg.target";
static constexpr llvm::StringLiteral metadataAttrName = "cg.metadata";
static constexpr llvm::StringLiteral phaseNames[] = {"input", "step", "fused", "kernels", "llvm"};

llvm::StringRef espalier::getName(Phase phase) { return phaseNames[static_cast<int>(phase)]; }

std::optional<Phase> espalier::parsePhase(llvm::StringRef name) {
  const auto *found = llvm::find(phaseNames, name);
  if (found == std::end(phaseNames))
    return std::nullopt;
  return static_cast<Phase>(found - std::begin(phaseNames));
}

std::string espalier::listPhases() { return llvm::join(llvm::ArrayRef(phaseNames), ", "); }

FailureOr<Phase> espalier::getPhase(ModuleOp module) {
  Attribute attribute = module->getAttr(phaseAttrName);
  if (!attribute)
    return Phase::Input;
  auto name = dyn_cast<StringAttr>(attribute);
  if (std::optional<Phase> phase = name ? parsePhase(name.getValue()) : std::nullopt)
    return *phase;
  return module.emitError("expects 'cg.phase' to be one of ") << listPhases() << ", but got " << attribute;
}

void espalier::setPhase(ModuleOp module, Phase phase) {
  module->setAttr(phaseAttrName, StringAttr::get(module.getContext(), getName(phase)));
}

llvm::StringRef espalier::getTarget(ModuleOp module) {
  auto target = module->getAttrOfType<StringAttr>(targetAttrName);
  return target ? target.getValue() : "";
}

llvm::StringRef espalier::getMetadata(ModuleOp module) {
  auto metadata = module->getAttrOfType<StringAttr>(metadataAttrName);
  return metadata ? metadata.getValue() : "";
}

/// The passes from `phase` to the next one.
static void addPasses(OpPassManager &manager, Phase phase, const PhaseOptions &options) {
  switch (phase) {
  case Phase::Input:
    options.toStep(manager);
    return;
  case Phase::Step:
    buildStepToFusedPipeline(manager, options.kernels);
    return;
  case Phase::Fused:
    buildFusedToKernelsPipeline(manager, options.kernels);
    return;
  case Phase::Kernels:
    codegen::buildKernelsToLLVMPipeline(manager);
    return;
  case Phase::LLVM:
    return;
  }
}

LogicalResult espalier::runPhases(ModuleOp module, Phase target, const PhaseOptions &options,
                                  llvm::function_ref<LogicalResult(Phase)> reached) {
  FailureOr<Phase> start = getPhase(module);
  if (failed(start))
    return failure();
  if (*start > target)
    return module.emitError("is at phase '") << getName(*start) << "', which is beyond '" << getName(target) << "'";
  module->setAttr(targetAttrName, StringAttr::get(module.getContext(), options.kernels.cpu));
  for (Phase phase = *start;; phase = static_cast<Phase>(static_cast<int>(phase) + 1)) {
    setPhase(module, phase);
    if (phase == Phase::Step) // the later phases know no initializers
      module->setAttr(metadataAttrName, StringAttr::get(module.getContext(), describeInitializers(module)));
    if (reached && failed(reached(phase)))
      return failure();
    if (phase == target)
      return success();
    PassManager manager(module.getContext());
    addPasses(manager, phase, options);
    if (failed(manager.run(module)))
      return failure();
  }
}
