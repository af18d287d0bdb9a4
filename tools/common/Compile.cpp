//===- Compile.cpp - from a network to programs in this process -----------===//

#include "Compile.h"

#include "espalier/CodeGen/Artifact.h"
#include "espalier/Transforms/StepPasses.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/JSON.h"

#include <fmt/core.h>

using namespace mlir;
using namespace espalier;
using namespace espalier::tools;

/// How each stored argument starts, for the runtime: {"initializers": {name: [kind, a, b]}}.
static std::string describeInitializers(ModuleOp module) {
  llvm::json::Object initializers;
  for (cg::GraphOp graph : module.getOps<cg::GraphOp>()) {
    for (unsigned i = 0; i < graph.getNumArguments(); ++i) {
      auto init = graph.getArgAttrOfType<cg::InitAttrInterface>(i, cg::initAttrName);
      if (!init)
        continue;
      cg::InitDistribution drawn = init.resolve(cast<RankedTensorType>(graph.getArgumentTypes()[i]).getShape());
      llvm::json::Array entry;
      switch (drawn.kind) {
      case cg::InitDistribution::Kind::Fill:
        entry = llvm::json::Array{"fill", drawn.a};
        break;
      case cg::InitDistribution::Kind::Uniform:
        entry = llvm::json::Array{"uniform", drawn.a, drawn.b};
        break;
      case cg::InitDistribution::Kind::Normal:
        entry = llvm::json::Array{"normal", drawn.a, drawn.b};
        break;
      }
      initializers[cg::storageName(graph.getArgAttrDict(i))] = std::move(entry);
    }
  }
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::json::Value(llvm::json::Object{{"initializers", std::move(initializers)}});
  return text;
}

FailureOr<std::string> espalier::tools::compileArtifact(ModuleOp module, const PhaseOptions &options,
                                                        const std::string &cpu) {
  OwningOpRef<ModuleOp> copy = module.clone();
  PhaseOptions phases = options;
  phases.kernels.cpu = cpu;
  codegen::ArtifactOptions artifact;
  artifact.cpu = cpu;
  LogicalResult compiled = runPhases(*copy, Phase::Kernels, phases, [&](Phase phase) {
    if (phase == Phase::Step)
      artifact.metadata = describeInitializers(*copy);
    return success();
  });
  if (failed(compiled))
    return failure();
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
    fmt::print(stderr, "error: {}\n", status.message());
  return status.exitCode();
}
