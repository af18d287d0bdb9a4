//===- Inference.cpp - a network compiled and loaded for inference --------===//

#include "Inference.h"

#include "../common/Compile.h"

#include "espalier/Pipelines/Step.h"
#include "espalier/Runtime/Train/Initializer.h"

#include <chrono>

using namespace espalier;
using namespace espalier::tools;

void InferenceFlags::declare(CLI::App &flags) {
  network.declare(flags);
  CLI::Option *file = flags.add_option("--weights", weights, "Weights (safetensors)")->type_name("FILE");
  flags.add_flag("--random-weights", randomWeights, "Draw weights from their initialisers")->excludes(file);
  flags.add_option("--seed", seed, "Seed of random weights and inputs")->capture_default_str();
  flags.add_option("--threads", threads, "Threads (default: one for each processor)");
  flags.add_option("--cpu", cpu, "Processor to make code for: host, x86-64-v3, znver4, ...")->capture_default_str();
  flags.add_option("--precision", precision, "Element type of the computation")
      ->check(CLI::IsMember({"f32", "f64"}))
      ->capture_default_str();
}

/// Symbolic sizes of the graph that no flag binds: the batch N becomes 1, others are an error.
static mlir::LogicalResult bindOpenSizes(cg::GraphOp graph, std::vector<std::string> &sizes) {
  std::vector<std::string> open;
  for (unsigned i = 0; i < graph.getNumArguments(); ++i) {
    auto dims = graph.getArgAttrOfType<mlir::ArrayAttr>(i, cg::GraphOp::getDimsAttrName());
    auto type = mlir::cast<mlir::RankedTensorType>(graph.getArgumentTypes()[i]);
    for (int64_t d = 0; d < type.getRank(); ++d) {
      if (!type.isDynamicDim(d))
        continue;
      std::string name = dims ? mlir::cast<mlir::StringAttr>(dims[d]).str() : "?";
      bool bound = llvm::any_of(sizes, [&](llvm::StringRef size) { return size.split('=').first == name; });
      if (!bound && !llvm::is_contained(open, name))
        open.push_back(name);
    }
  }
  for (const std::string &name : open) {
    if (name != "N")
      return graph.emitError("has the open size '") << name << "'; give it a number with --bind " << name << "=...";
    sizes.push_back("N=1");
  }
  return mlir::success();
}

static rt::InferenceSession::WeightSource fromFile(const InferenceFlags &flags, const WeightsFile &file) {
  return
      [&](const std::string &name, rt::DType dtype, const std::vector<int64_t> &shape) -> rt::Expected<rt::HostTensor> {
        auto found = file.tensors.find(name);
        if (found == file.tensors.end())
          return rt::invalidInput("{} has no tensor '{}', which the network needs as {}", flags.weights, name,
                                  rt::formatType(dtype, shape));
        if (found->second.dtype() != dtype || found->second.shape() != shape)
          return rt::invalidInput("tensor '{}' in {} is {}, but the network needs {}", name, flags.weights,
                                  rt::formatType(found->second.dtype(), found->second.shape()),
                                  rt::formatType(dtype, shape));
        return found->second.clone();
      };
}

static rt::InferenceSession::WeightSource fromInitializers(const InferenceFlags &flags,
                                                           const rt::InitializerTable &initializers) {
  return
      [&](const std::string &name, rt::DType dtype, const std::vector<int64_t> &shape) -> rt::Expected<rt::HostTensor> {
        rt::Expected<rt::HostTensor> tensor = rt::HostTensor::create(dtype, shape);
        if (!tensor)
          return tensor;
        if (auto found = initializers.find(name); found != initializers.end())
          if (rt::Status s = rt::initialize(*tensor, found->second, name, flags.seed); !s.ok())
            return s;
        return tensor;
      };
}

rt::Expected<Inference> espalier::tools::compileInference(const InferenceFlags &flags) {
  if (flags.weights.empty() && !flags.randomWeights)
    return rt::usageError("give --weights FILE, or --random-weights");
  auto start = std::chrono::steady_clock::now();
  Network network;
  if (failed(network.load(flags.network.file)))
    return rt::invalidInput("{} could not be read", flags.network.file);
  mlir::FailureOr<cg::GraphOp> graph = network.choose(flags.network.arch);
  if (failed(graph))
    return rt::invalidInput("no network was chosen");
  InferenceOptions options;
  options.network = graph->getSymName().str();
  options.sizes = flags.network.sizes();
  options.float64 = flags.precision == "f64";
  if (failed(bindOpenSizes(*graph, options.sizes)))
    return rt::invalidInput("the network has open sizes");

  Inference result;
  PhaseOptions phases;
  phases.toStep = [&](mlir::OpPassManager &manager) { buildInferenceStepPipeline(manager, options); };
  phases.prepareWeights = true;
  result.executable = compileExecutable(network.module(), phases, flags.cpu);
  if (!result.executable)
    return rt::invalidInput("the network could not be compiled");
  result.compileSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  WeightsFile file;
  rt::InitializerTable initializers;
  if (flags.randomWeights) {
    rt::Expected<rt::InitializerTable> table = rt::parseInitializers(result.executable->artifact().metadata);
    if (!table)
      return table.takeStatus();
    initializers = std::move(*table);
  } else {
    rt::Expected<WeightsFile> read = WeightsFile::read(flags.weights);
    if (!read)
      return read.takeStatus();
    file = std::move(*read);
    result.preprocessing = file.preprocessing;
  }
  rt::Expected<rt::InferenceSession> session = rt::InferenceSession::create(
      result.executable, flags.randomWeights ? fromInitializers(flags, initializers) : fromFile(flags, file),
      flags.threads);
  if (!session)
    return session.takeStatus();
  result.session = std::move(*session);
  return result;
}

rt::Status espalier::tools::writeRandomInputs(rt::InferenceSession &session, uint64_t seed) {
  for (rt::PlaceId id : session.inputs()) {
    const rt::Place &place = session.forward().table().places[id];
    rt::Expected<rt::HostTensor> tensor = rt::HostTensor::create(place.dtype, place.logical);
    if (!tensor)
      return tensor.takeStatus();
    bool isFloat = place.dtype == rt::DType::F32 || place.dtype == rt::DType::F64;
    rt::Initializer normal{isFloat ? rt::Initializer::Kind::Normal : rt::Initializer::Kind::Fill, 0.0, 1.0};
    if (rt::Status s = rt::initialize(*tensor, normal, "input " + place.name, seed); !s.ok())
      return s;
    if (rt::Status s = session.forward().write(id, *tensor); !s.ok())
      return s;
  }
  return {};
}
