//===- Inference.cpp - a network compiled and loaded for inference --------===//

#include "Inference.h"

#include "../common/Compile.h"
#include "Options.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Core/Text.h"
#include "espalier/Runtime/Train/Initializer.h"

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <set>

using namespace espalier;
using namespace espalier::tools;

void InferenceFlags::declare(CLI::App &flags) {
  network.declare(flags);
  flags.get_option("NET")->description("Architecture file (.esp), MLIR (.mlir, .mlirbc) or artifact (.espx)");
  target.declare(flags);
  CLI::Option *file = flags.add_option("--weights", weights, "Weights (safetensors)")->type_name("FILE");
  flags.add_flag("--random-weights", randomWeights, "Draw weights from their initialisers")->excludes(file);
  flags.add_option("--seed", seed, "Seed of random weights and inputs")->capture_default_str();
  flags.add_option("--threads", threads, "Threads (default: one for each processor)")
      ->check(atLeastOne(rt::maxThreads));
}

/// Weights of f32 are weights of f64 as well.
static bool fits(const rt::HostTensor &tensor, rt::DType dtype, const std::vector<int64_t> &shape) {
  bool widens = tensor.dtype() == rt::DType::F32 && dtype == rt::DType::F64;
  return (tensor.dtype() == dtype || widens) && tensor.shape() == shape;
}

/// Says of everything at once that the network needs and the file lacks, or has in another shape. Where something is
/// missing, it may be among what the network has no use for.
static rt::Status checkWeights(const rt::Executable &executable, const std::string &path, const WeightsFile &file) {
  rt::WeightsFit fit;
  std::set<std::string_view> needed;
  for (const rt::Place *place : rt::InferenceSession::weightsOf(executable)) {
    needed.insert(place->name);
    auto found = file.tensors.find(place->name);
    if (found == file.tensors.end())
      fit.missing.push_back(place->name);
    else if (!fits(found->second, place->dtype, place->logical))
      fit.misshapen.push_back(fmt::format("'{}' is {}, but the network wants {}", place->name,
                                          rt::formatType(found->second.dtype(), found->second.shape()),
                                          rt::formatType(place->dtype, place->logical)));
  }
  if (fit.isExact())
    return {};
  for (const auto &[name, tensor] : file.tensors)
    if (!fit.missing.empty() && !needed.count(name))
      fit.unexpected.push_back(rt::printable(name));
  std::sort(fit.missing.begin(), fit.missing.end());
  std::sort(fit.misshapen.begin(), fit.misshapen.end());
  return rt::invalidInput("{} does not fit the network: {}", path, fmt::join(fit.describe(), "; "));
}

/// Weights of a network with branches hold all that the plain one needs, which computes something else with them.
static void warnOfUnused(const rt::Executable &executable, const std::string &path, const WeightsFile &file,
                         const Console &console) {
  std::set<std::string_view> needed;
  for (const rt::Place *place : rt::InferenceSession::weightsOf(executable))
    needed.insert(place->name);
  std::vector<std::string> unused;
  for (const auto &[name, tensor] : file.tensors)
    if (!needed.count(name) &&
        name.find('#') == std::string::npos) // what a checkpoint keeps for an optimiser has a '#'
      unused.push_back(name);
  if (!unused.empty())
    console.note("warning: {} tensors of {} are not of the network; the first: {}", unused.size(), path,
                 rt::quote(unused.front()));
}

/// The tensors of a file for which checkWeights() has found no fault.
static rt::InferenceSession::WeightSource fromFile(const WeightsFile &file) {
  return
      [&](const std::string &name, rt::DType dtype, const std::vector<int64_t> &shape) -> rt::Expected<rt::HostTensor> {
        auto found = file.tensors.find(name);
        assert(found != file.tensors.end() && fits(found->second, dtype, shape) && "checked before");
        return found->second.dtype() == dtype ? found->second.clone() : rt::toFloat64(found->second);
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

static rt::Status loadArtifact(const InferenceFlags &flags, Inference &result) {
  if (flags.network.areGiven() || flags.target.areGiven())
    return rt::usageError("{} is compiled already: its architecture, sizes, processor and precision are fixed",
                          flags.network.file);
  constexpr uint64_t maxBytes = uint64_t(4) << 30;
  rt::Expected<std::vector<uint8_t>> bytes = rt::readFile(flags.network.file, maxBytes);
  if (!bytes)
    return bytes.takeStatus();
  auto executable = rt::Executable::load(*bytes);
  if (!executable)
    return executable.takeStatus().in(flags.network.file);
  result.executable = *std::move(executable);
  return {};
}

static rt::Status compileNetwork(const InferenceFlags &flags, Inference &result) {
  result.network = std::make_unique<Network>();
  if (rt::Status s = result.network->load(flags.network.file); !s.ok())
    return s;
  rt::Expected<cg::GraphOp> graph = result.network->choose(flags.network.arch);
  if (!graph)
    return graph.takeStatus();
  NetworkFlags network = flags.network;
  if (result.preprocessing && graph->getNumArguments() > 0)
    network = network.forImages(*graph, result.preprocessing->image);
  rt::Expected<SizeBindings> sizes = network.bindSizes(*graph);
  if (!sizes)
    return sizes.takeStatus();
  result.graph = *graph;
  result.sizes = *std::move(sizes);
  InferenceOptions options;
  options.network = result.graph.getSymName().str();
  options.sizes = result.sizes;
  options.precision = flags.target.precision();
  PhaseOptions phases;
  phases.toStep = [&](mlir::OpPassManager &manager) { buildInferenceStepPipeline(manager, options); };
  phases.kernels.prepareWeights = true;
  phases.kernels.kernelTable = flags.target.kernelTable;
  result.executable = compileExecutable(result.network->module(), phases, flags.target.cpu);
  return result.executable ? rt::Status() : reported();
}

rt::Expected<Inference> espalier::tools::compileInference(const InferenceFlags &flags, const Console &console,
                                                          bool weightsMatter) {
  if (weightsMatter && flags.weights.empty() && !flags.randomWeights)
    return rt::usageError("give --weights FILE, or --random-weights");
  if (rt::Status s = flags.target.check(); !s.ok())
    return s;
  Inference result;
  WeightsFile file;
  if (!flags.weights.empty()) {
    rt::Expected<WeightsFile> read = WeightsFile::read(flags.weights);
    if (!read)
      return read.takeStatus();
    file = std::move(*read);
    result.preprocessing = file.preprocessing;
    console.detail("read {} tensors from {}", file.tensors.size(), flags.weights);
  }
  auto start = std::chrono::steady_clock::now();
  bool isArtifact = llvm::StringRef(flags.network.file).ends_with(".espx");
  if (rt::Status s = isArtifact ? loadArtifact(flags, result) : compileNetwork(flags, result); !s.ok())
    return s;
  result.compileSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  console.detail("{} {} in {:.0f} ms, for {}", isArtifact ? "loaded" : "compiled", flags.network.file,
                 1e3 * result.compileSeconds, result.executable->artifact().cpu);

  rt::InitializerTable initializers;
  if (flags.weights.empty()) {
    rt::Expected<rt::InitializerTable> table = rt::parseInitializers(result.executable->artifact().metadata);
    if (!table)
      return table.takeStatus().in(flags.network.file);
    initializers = std::move(*table);
  }
  if (!flags.weights.empty()) {
    if (rt::Status s = checkWeights(*result.executable, flags.weights, file); !s.ok())
      return s;
    warnOfUnused(*result.executable, flags.weights, file, console);
  }
  rt::Expected<rt::InferenceSession> session = rt::InferenceSession::create(
      result.executable, flags.weights.empty() ? fromInitializers(flags, initializers) : fromFile(file), flags.threads);
  if (!session)
    return isArtifact ? session.takeStatus().in(flags.network.file) : session.takeStatus();
  result.session = std::move(*session);
  return result;
}

std::string espalier::tools::precisionOf(const rt::Executable &executable) {
  auto metadata = nlohmann::json::parse(executable.artifact().metadata, nullptr, /*allow_exceptions=*/false);
  bool isRecorded = metadata.is_object() && metadata.contains("precision") && metadata["precision"].is_string();
  return isRecorded ? metadata["precision"].get<std::string>() : "f32";
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
