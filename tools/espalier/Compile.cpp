//===- CompileVerb.cpp - espalier compile ---------------------------------===//

#include "../common/Compile.h"
#include "Network.h"
#include "Verbs.h"

#include "espalier/Pipelines/Step.h"
#include "espalier/Runtime/Core/File.h"

#include "llvm/Support/raw_ostream.h"

#include <fmt/core.h>

#include <filesystem>

using namespace espalier;
using namespace espalier::tools;

namespace {
class Compile final : public Verb {
public:
  const char *name() const override { return "compile"; }
  const char *summary() const override { return "Compile a network to a phase, or to an artifact (.espx)"; }
  const char *example() const override {
    return "espalier compile examples/zoo/cifar_resnet20.esp --batch 1 --to kernels -o resnet20-kernels.mlir";
  }
  void declare(CLI::App &flags) override {
    network.declare(flags);
    flags.add_option("--to", target, fmt::format("Phase to stop at: {}; or artifact", listPhases()))
        ->capture_default_str()
        ->type_name("PHASE");
    flags.add_option("--from", source, "Phase that the file must be at (default: the one it names)")
        ->type_name("PHASE");
    flags.add_flag("--train", train, "The training step, with SGD and momentum, instead of the forward pass");
    flags.add_option("--loss", loss, "Loss of --train: an fn of the file or the prelude")->capture_default_str();
    flags.add_option("--dump-phases", dumpFolder, "Folder for the module at each phase")->type_name("FOLDER");
    flags.add_option("--cpu", cpu, "Processor to make code for: host, x86-64-v3, znver4, ...")->capture_default_str();
    flags.add_option("-o,--output", output, "Result (default: standard output)")->type_name("FILE");
  }
  int run() override;

private:
  mlir::FailureOr<PhaseOptions> chooseProgram(Network &net);
  rt::Status write(const std::string &file, const std::string &content) const;

  NetworkFlags network;
  std::string target = "artifact", source, loss = "cross_entropy", dumpFolder, cpu = "host", output;
  bool train = false;
};
} // namespace

static std::string print(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module.print(os, mlir::OpPrintingFlags().enableDebugInfo());
  return text + "\n";
}

rt::Status Compile::write(const std::string &file, const std::string &content) const {
  if (file.empty()) {
    llvm::outs() << content;
    return {};
  }
  return rt::writeFileAtomically(file, content);
}

/// What the module becomes; it needs no network to be chosen where it is beyond `input`.
mlir::FailureOr<PhaseOptions> Compile::chooseProgram(Network &net) {
  PhaseOptions options;
  options.prepareWeights = !train;
  mlir::FailureOr<Phase> phase = getPhase(net.module());
  if (failed(phase))
    return mlir::failure();
  if (!source.empty() && parsePhase(source) != *phase)
    return net.module().emitError("is at phase '") << getName(*phase) << "', but --from says '" << source << "'";
  if (*phase != Phase::Input)
    return options;
  mlir::FailureOr<cg::GraphOp> graph = net.choose(network.arch);
  if (failed(graph))
    return mlir::failure();
  std::string arch = graph->getSymName().str();
  std::vector<std::string> sizes = network.sizes();
  if (train) {
    TrainingOptions training;
    training.network = arch;
    training.loss = arch + "." + loss;
    training.optimizer.momentum = 0.9;
    training.sizes = sizes;
    options.toStep = [=](mlir::OpPassManager &manager) { buildTrainingStepPipeline(manager, training); };
  } else {
    InferenceOptions inference;
    inference.network = arch;
    inference.sizes = sizes;
    options.toStep = [=](mlir::OpPassManager &manager) { buildInferenceStepPipeline(manager, inference); };
  }
  return options;
}

int Compile::run() {
  std::optional<Phase> phase = target == "artifact" ? Phase::Kernels : parsePhase(target);
  if (!phase || (!source.empty() && !parsePhase(source)))
    return report(rt::usageError("phases are {}, artifact", listPhases()));
  Network net;
  if (failed(net.load(network.file, train ? std::vector<std::string>{loss} : std::vector<std::string>{})))
    return InputFault;
  mlir::FailureOr<PhaseOptions> options = chooseProgram(net);
  if (failed(options))
    return InputFault;

  if (target == "artifact" && dumpFolder.empty()) {
    mlir::FailureOr<std::string> bytes = compileArtifact(net.module(), *options, cpu);
    if (failed(bytes))
      return InputFault;
    if (output.empty())
      return report(rt::usageError("an artifact is binary: give -o FILE.espx"));
    rt::Status status = write(output, *bytes);
    return status.ok() ? static_cast<int>(Done) : report(status);
  }
  std::error_code failed;
  if (!dumpFolder.empty() && (std::filesystem::create_directories(dumpFolder, failed), failed))
    return report(rt::environmentError("cannot make the folder {}: {}", dumpFolder, failed.message()));
  rt::Status status;
  mlir::LogicalResult compiled = runPhases(net.module(), *phase, *options, [&](Phase reached) {
    if (!dumpFolder.empty())
      status = write(fmt::format("{}/{}-{}.mlir", dumpFolder, static_cast<int>(reached), getName(reached).str()),
                     print(net.module()));
    return mlir::success(status.ok());
  });
  if (!status.ok())
    return report(status);
  if (mlir::failed(compiled))
    return InputFault;
  if (target != "artifact")
    status = write(output, print(net.module()));
  return status.ok() ? static_cast<int>(Done) : report(status);
}

std::unique_ptr<Verb> espalier::tools::createCompileVerb() { return std::make_unique<Compile>(); }
