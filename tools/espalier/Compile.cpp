//===- Compile.cpp - espalier compile -------------------------------------===//

#include "../common/Compile.h"
#include "Network.h"
#include "Target.h"
#include "Verbs.h"

#include "llvm/Support/raw_ostream.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>

using namespace espalier;
using namespace espalier::tools;

namespace {
class Compile final : public Verb {
public:
  const char *name() const override { return "compile"; }
  const char *summary() const override { return "Compile a network to a phase, or to an artifact (.espx)"; }
  const char *example() const override {
    return "espalier compile examples/zoo/cifar_resnet20.esp --to kernels -o resnet20-kernels.mlir";
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
    machine.declare(flags);
    flags.add_flag("--json", json, "One JSON document about the result on standard output; needs -o");
    flags.add_option("-o,--output", output, "Result (default: standard output)")->type_name("FILE");
  }
  rt::Status run() override;

private:
  rt::Status checkFlags() const;
  rt::Expected<PhaseOptions> chooseProgram(Network &net) const;
  /// The bytes of an artifact.
  rt::Expected<std::string> compileToArtifact(Network &net, const PhaseOptions &options) const;
  /// The text of the module at a phase; writes the phases on the way where they are wanted.
  rt::Expected<std::string> compileTo(Phase phase, Network &net, const PhaseOptions &options) const;

  NetworkFlags network;
  TargetFlags machine;
  std::string target = "artifact", source, loss = "cross_entropy", dumpFolder, output;
  bool train = false, json = false;
};
} // namespace

static std::string print(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module.print(os, mlir::OpPrintingFlags().enableDebugInfo());
  return text + "\n";
}

rt::Status Compile::checkFlags() const {
  if ((target != "artifact" && !parsePhase(target)) || (!source.empty() && !parsePhase(source)))
    return rt::usageError("phases are {}, artifact", listPhases());
  if (target == "artifact" && output.empty() && dumpFolder.empty())
    return rt::usageError("an artifact is binary: give -o FILE.espx");
  if (json && output.empty())
    return rt::usageError("--json writes about the result on standard output: give -o FILE for the result");
  return machine.check();
}

/// What the module becomes; it needs no network to be chosen where it is beyond `input`.
rt::Expected<PhaseOptions> Compile::chooseProgram(Network &net) const {
  PhaseOptions options;
  options.kernels.prepareWeights = !train;
  // A module that was stopped on the way says for which processor.
  llvm::StringRef recorded = getTarget(net.module());
  options.kernels.cpu = machine.cpu == "host" && !recorded.empty() ? recorded.str() : machine.cpu;
  options.kernels.kernelTable = machine.kernelTable;
  mlir::FailureOr<Phase> phase = getPhase(net.module());
  if (failed(phase))
    return reported();
  if (!source.empty() && parsePhase(source) != *phase)
    return rt::invalidInput("{} is at phase '{}', but --from says '{}'", network.file, getName(*phase).str(), source);
  if (*phase != Phase::Input) {
    if (network.areGiven() || machine.givenPrecision)
      return rt::usageError("{} is at phase '{}', where architecture, sizes and precision are fixed", network.file,
                            getName(*phase).str());
    return options;
  }
  rt::Expected<cg::GraphOp> graph = net.choose(network.arch);
  if (!graph)
    return graph.takeStatus();
  rt::Expected<SizeBindings> sizes = network.bindSizes(*graph);
  if (!sizes)
    return sizes.takeStatus();
  std::string arch = graph->getSymName().str();
  if (train) {
    TrainingOptions training;
    training.network = arch;
    training.loss = arch + "." + loss;
    training.optimizer.momentum = 0.9;
    training.sizes = *sizes;
    training.precision = machine.precision();
    options.toStep = [=](mlir::OpPassManager &manager) { buildTrainingStepPipeline(manager, training); };
  } else {
    InferenceOptions inference;
    inference.network = arch;
    inference.sizes = *sizes;
    inference.precision = machine.precision();
    options.toStep = [=](mlir::OpPassManager &manager) { buildInferenceStepPipeline(manager, inference); };
  }
  return options;
}

rt::Expected<std::string> Compile::compileToArtifact(Network &net, const PhaseOptions &options) const {
  mlir::FailureOr<std::string> bytes = compileArtifact(net.module(), options, options.kernels.cpu);
  if (failed(bytes))
    return reported();
  return std::move(*bytes);
}

rt::Expected<std::string> Compile::compileTo(Phase phase, Network &net, const PhaseOptions &options) const {
  std::error_code failed;
  if (!dumpFolder.empty() && (std::filesystem::create_directories(dumpFolder, failed), failed))
    return rt::environmentError("cannot make the folder {}: {}", dumpFolder, failed.message());
  rt::Status status;
  mlir::LogicalResult compiled = runPhases(net.module(), phase, options, [&](Phase reached) {
    console.detail("reached phase {}", getName(reached).str());
    if (!dumpFolder.empty())
      status = writeResult(fmt::format("{}/{}-{}.mlir", dumpFolder, static_cast<int>(reached), getName(reached).str()),
                           print(net.module()));
    return mlir::success(status.ok());
  });
  if (!status.ok())
    return status;
  if (mlir::failed(compiled))
    return reported();
  return print(net.module());
}

rt::Status Compile::run() {
  if (rt::Status s = checkFlags(); !s.ok())
    return s;
  auto start = std::chrono::steady_clock::now();
  Network net;
  if (rt::Status s = net.load(network.file, train ? std::vector<std::string>{loss} : std::vector<std::string>{});
      !s.ok())
    return s;
  rt::Expected<PhaseOptions> options = chooseProgram(net);
  if (!options)
    return options.takeStatus();
  // An artifact is made from the module as it was read; the phases on the way are for people.
  bool isArtifact = target == "artifact";
  rt::Expected<std::string> result = isArtifact && !output.empty() ? compileToArtifact(net, *options) : std::string();
  if (result && (!isArtifact || !dumpFolder.empty())) {
    rt::Expected<std::string> text = compileTo(isArtifact ? Phase::Kernels : *parsePhase(target), net, *options);
    if (!text)
      return text.takeStatus();
    if (!isArtifact)
      result = std::move(text);
  }
  if (!result)
    return result.takeStatus();
  if (isArtifact && output.empty())
    return {};
  if (rt::Status s = writeResult(output, *result); !s.ok())
    return s;
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  console.detail("{} bytes in {} after {:.0f} ms", result->size(), output, 1e3 * seconds);
  if (!json)
    return {};
  nlohmann::json document = {
      {"output", output}, {"phase", target}, {"bytes", result->size()}, {"compile_ms", 1e3 * seconds}};
  return writeResult("", document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

std::unique_ptr<Verb> espalier::tools::createCompileVerb() { return std::make_unique<Compile>(); }
