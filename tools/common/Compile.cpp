//===- Compile.cpp - from a network to programs in this process -----------===//

#include "Compile.h"

#include "StandardStreams.h"

#include "espalier/CodeGen/Artifact.h"

#include "mlir/Pass/PassManager.h"

#include <fmt/core.h>

using namespace mlir;
using namespace espalier;
using namespace espalier::tools;

FailureOr<std::string> espalier::tools::compileArtifact(ModuleOp module, const PhaseOptions &options,
                                                        const std::string &cpu) {
  OwningOpRef<ModuleOp> copy = module.clone();
  PhaseOptions phases = options;
  phases.kernels.cpu = cpu;
  codegen::ArtifactOptions artifact;
  artifact.cpu = cpu;
  if (failed(runPhases(*copy, Phase::Kernels, phases)))
    return failure();
  if (StringRef metadata = getMetadata(*copy); !metadata.empty())
    artifact.metadata = metadata.str();
  return codegen::emitArtifact(*copy, artifact);
}

std::shared_ptr<const rt::Executable> espalier::tools::compileExecutable(ModuleOp module, const PhaseOptions &options,
                                                                         const std::string &cpu) {
  FailureOr<std::string> bytes = compileArtifact(module, options, cpu);
  if (failed(bytes))
    return nullptr;
  auto executable = rt::Executable::load({reinterpret_cast<const uint8_t *>(bytes->data()), bytes->size()});
  if (!executable) {
    report(executable.status());
    return nullptr;
  }
  return *executable;
}

rt::Status espalier::tools::reported() { return {rt::StatusCode::InvalidInput, ""}; }

int espalier::tools::report(const rt::Status &status) {
  if (!status.message().empty())
    writeMessage(fmt::format("error: {}\n", status.message()));
  return status.exitCode();
}
