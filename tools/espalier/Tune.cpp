//===- Tune.cpp - espalier tune -------------------------------------------===//

#include "../common/Compile.h"
#include "Network.h"
#include "Options.h"
#include "Verbs.h"

#include "espalier/CodeGen/CPUTarget.h"
#include "espalier/Conversion/CGToPlan/Candidate.h"
#include "espalier/Conversion/CGToPlan/Contraction.h"
#include "espalier/Pipelines/Step.h"
#include "espalier/Runtime/Program/Session.h"
#include "espalier/Runtime/Train/Initializer.h"
#include "espalier/Transforms/MeasuredTable.h"

#include "mlir/IR/Builders.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>

using namespace espalier;
using namespace espalier::tools;

namespace {
class Tune final : public Verb {
public:
  const char *name() const override { return "tune"; }
  const char *summary() const override { return "Measure how each contraction of a network runs best on this machine"; }
  const char *example() const override {
    return "espalier tune examples/quickstart/digits.esp --rounds 1 -o digits.table";
  }
  bool computes() const override { return true; }
  void declare(CLI::App &flags) override {
    network.declare(flags);
    flags.add_flag("--train", train, "The training step instead of the forward pass");
    flags.add_option("--loss", loss, "Loss of --train: an fn of the file or the prelude")->capture_default_str();
    flags.add_option("--rounds", rounds, "Measurements of each candidate, of which the median counts")
        ->capture_default_str()
        ->check(atLeastOne());
    flags.add_option("-o,--output", output, "Table, for --kernel-table; entries of a file that exists stay")
        ->type_name("FILE")
        ->required();
  }
  rt::Status run() override;

private:
  rt::Status lowerToFused(Network &net) const;
  /// Nanoseconds of the contraction by each candidate.
  rt::Expected<std::map<std::string, int64_t>> measure(cg::GroupOp group, mlir::Operation *contraction) const;

  NetworkFlags network;
  std::string loss = "cross_entropy", output;
  int64_t rounds = 7;
  bool train = false;
};

/// The rows that count in a program of one contraction: it, and the packing that it asks for.
constexpr llvm::StringLiteral tunedScope = "tuned";

/// One contraction by one candidate, ready to run.
struct Contestant {
  std::string name;
  rt::InferenceSession session;
  std::vector<double> seconds; // of each round

  rt::Expected<double> runOnce() {
    using Clock = std::chrono::steady_clock;
    rt::Program &program = session.forward();
    const std::vector<rt::Row> &rows = program.table().rows;
    std::vector<Clock::time_point> starts(rows.size() + 1);
    if (rt::Status s = program.run([&](size_t row) { starts[row] = Clock::now(); }); !s.ok())
      return s;
    starts.back() = Clock::now();
    double sum = 0.0;
    for (size_t i = 0; i < rows.size(); ++i)
      if (rows[i].scope == tunedScope)
        sum += std::chrono::duration<double>(starts[i + 1] - starts[i]).count();
    return sum;
  }

  /// The shortest of several runs, for a few milliseconds.
  rt::Status runRound() {
    constexpr double roundSeconds = 20e-3;
    double shortest = 0.0;
    auto start = std::chrono::steady_clock::now();
    do {
      rt::Expected<double> once = runOnce();
      if (!once)
        return once.takeStatus();
      shortest = shortest == 0.0 ? *once : std::min(shortest, *once);
    } while (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < roundSeconds);
    seconds.push_back(shortest);
    return {};
  }

  int64_t medianNanoseconds() const {
    std::vector<double> sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    return std::max<int64_t>(1, static_cast<int64_t>(sorted[sorted.size() / 2] * 1e9));
  }
};
} // namespace

rt::Status Tune::lowerToFused(Network &net) const {
  rt::Expected<cg::GraphOp> graph = net.choose(network.arch);
  if (!graph)
    return graph.takeStatus();
  rt::Expected<SizeBindings> sizes = network.bindSizes(*graph);
  if (!sizes)
    return sizes.takeStatus();
  PhaseOptions options;
  options.kernels.prepareWeights = !train;
  std::string arch = graph->getSymName().str();
  options.toStep = [&](mlir::OpPassManager &manager) {
    if (train) {
      TrainingOptions training;
      training.network = arch;
      training.loss = arch + "." + loss;
      training.optimizer.momentum = 0.9;
      training.sizes = *sizes;
      buildTrainingStepPipeline(manager, training);
      return;
    }
    InferenceOptions inference;
    inference.network = arch;
    inference.sizes = *sizes;
    buildInferenceStepPipeline(manager, inference);
  };
  return failed(runPhases(net.module(), Phase::Fused, options)) ? reported() : rt::Status();
}

/// A module at phase `step` whose graph `forward` is this contraction, of arguments of its operands' types.
static mlir::OwningOpRef<mlir::ModuleOp> isolate(mlir::Operation *contraction, bool hasConstantWeights) {
  mlir::Location loc = contraction->getLoc();
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(loc);
  mlir::OpBuilder builder(contraction->getContext());
  builder.setInsertionPointToEnd(module->getBody());
  llvm::SmallVector<mlir::Type> types(
      llvm::map_range(contraction->getOperands().take_front(2), [](mlir::Value value) { return value.getType(); }));
  auto graph =
      cg::GraphOp::create(builder, loc, "forward", builder.getFunctionType(types, contraction->getResultTypes()));
  for (unsigned i : {0u, 1u}) {
    graph.setArgAttr(i, cg::roleAttrName, builder.getStringAttr(i == 1 && hasConstantWeights ? "parameter" : "input"));
    graph.setArgAttr(i, cg::GraphOp::getNameAttrName(), builder.getStringAttr(i == 1 ? "weights" : "input"));
  }
  builder.setInsertionPointToEnd(&graph.getBody().front());
  llvm::SmallVector<mlir::Value> operands(graph.getArguments());
  for (mlir::Value like : contraction->getOperands().drop_front(2)) { // lends its extents alone
    auto tensor = mlir::cast<mlir::RankedTensorType>(like.getType());
    operands.push_back(cg::ConstantOp::create(
        builder, loc, mlir::DenseElementsAttr::get(tensor, builder.getZeroAttr(tensor.getElementType()))));
  }
  mlir::Operation *copy = builder.clone(*contraction);
  copy->setOperands(operands);
  copy->setAttr(cg::scopeAttrName, builder.getStringAttr(tunedScope));
  cg::ReturnOp::create(builder, loc, copy->getResults());
  setPhase(*module, Phase::Step);
  return module;
}

static rt::Expected<rt::HostTensor> drawTensor(const std::string &name, rt::DType dtype,
                                               const std::vector<int64_t> &shape) {
  rt::Expected<rt::HostTensor> tensor = rt::HostTensor::create(dtype, shape);
  if (tensor)
    if (rt::Status s = rt::initialize(*tensor, {rt::Initializer::Kind::Normal, 0.0, 1.0}, name, /*seed=*/0); !s.ok())
      return s;
  return tensor;
}

rt::Expected<std::map<std::string, int64_t>> Tune::measure(cg::GroupOp group, mlir::Operation *contraction) const {
  bool isConstant = llvm::StringRef(cg::getContractionSignature(contraction)).ends_with(":constant");
  mlir::OwningOpRef<mlir::ModuleOp> module = isolate(contraction, isConstant);
  std::vector<Contestant> contestants;
  for (auto candidate : group.getCandidates().getAsRange<mlir::StringAttr>()) {
    if (candidate == cg::loopsCandidateName)
      continue;
    PhaseOptions options;
    options.kernels.prepareWeights = isConstant;
    options.kernels.preferredCandidate = candidate.str();
    auto executable = compileExecutable(*module, options, "host");
    if (!executable)
      return reported();
    auto session = rt::InferenceSession::create(executable, drawTensor, /*threads=*/1);
    if (!session)
      return session.takeStatus();
    for (rt::PlaceId id : session->inputs()) {
      const rt::Place &place = session->forward().table().places[id];
      auto tensor = drawTensor(place.name, place.dtype, place.logical);
      if (!tensor)
        return tensor.takeStatus();
      if (rt::Status s = session->forward().write(id, *tensor); !s.ok())
        return s;
    }
    contestants.push_back({candidate.str(), std::move(*session), {}});
    if (rt::Expected<double> warm = contestants.back().runOnce(); !warm)
      return warm.takeStatus();
  }
  for (int64_t round = 0; round < rounds; ++round)
    for (Contestant &contestant : contestants)
      if (rt::Status s = contestant.runRound(); !s.ok())
        return s;
  std::map<std::string, int64_t> result;
  for (const Contestant &contestant : contestants)
    result[contestant.name] = contestant.medianNanoseconds();
  return result;
}

rt::Status Tune::run() {
  Network net;
  if (rt::Status s = net.load(network.file, train ? std::vector<std::string>{loss} : std::vector<std::string>{});
      !s.ok())
    return s;
  cg::MeasuredTable table;
  if (std::filesystem::exists(output) && failed(table.read(output, net.context())))
    return reported();
  auto target = codegen::CPUTarget::get("host", net.module().getLoc());
  if (failed(target))
    return reported();
  if (rt::Status s = lowerToFused(net); !s.ok())
    return s;
  std::string processor = target->getMeasurementKey();

  std::map<std::string, std::pair<cg::GroupOp, mlir::Operation *>> contractions; // by signature
  for (cg::GraphOp graph : net.module().getOps<cg::GraphOp>())
    for (cg::GroupOp group : graph.getBody().front().getOps<cg::GroupOp>())
      if (mlir::Operation *op = cg::findContraction(group))
        contractions.try_emplace(cg::getContractionSignature(op), group, op);
  size_t done = 0;
  for (auto &[signature, where] : contractions) {
    auto times = measure(where.first, where.second);
    if (!times)
      return times.takeStatus();
    std::string line;
    for (const auto &[candidate, nanoseconds] : *times) {
      table.set(processor, signature, candidate, nanoseconds);
      line += fmt::format("  {} {:.1f} us", candidate, static_cast<double>(nanoseconds) / 1e3);
    }
    console.note("[{}/{}] {}{}", ++done, contractions.size(), signature, line);
  }
  if (rt::Status s = writeResult(output, table.print()); !s.ok())
    return s;
  console.note("{} contractions measured on {}, written to {}", contractions.size(), processor, output);
  return {};
}

std::unique_ptr<Verb> espalier::tools::createTuneVerb() { return std::make_unique<Tune>(); }
