//===- Bench.cpp - espalier bench -----------------------------------------===//

#include "../common/Compile.h"
#include "Inference.h"
#include "Options.h"
#include "TrainingProgram.h"
#include "Verbs.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <sys/resource.h>

using namespace espalier;
using namespace espalier::tools;

namespace {
class Bench final : public Verb {
public:
  const char *name() const override { return "bench"; }
  const char *summary() const override { return "Time the forward pass or the training step of a network"; }
  const char *example() const override {
    return "espalier bench examples/zoo/cifar_resnet20.esp --random-weights --threads 1 --runs 20";
  }
  void declare(CLI::App &flags) override {
    inference.declare(flags);
    flags.add_option("--runs", runs, "Timed runs, after three that are not")
        ->capture_default_str()
        ->check(atLeastOne());
    flags.add_flag("--train", train, "A training step with SGD and momentum, for batches of --batch, instead");
    flags.add_flag("--rows", rows, "Share of each row of the dispatch table");
    flags.add_flag("--json", json, "One JSON document on standard output");
  }
  int run() override;

private:
  /// Times `program`, whose inputs are set, and reports.
  int time(rt::Program &program, double compileSeconds, const std::string &cpu) const;
  rt::Expected<rt::Program> compileStep() const;

  InferenceFlags inference;
  int64_t runs = 30;
  bool train = false, rows = false, json = false;
};
} // namespace

static double quantile(const std::vector<double> &sorted, double share) {
  return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1) + 0.5)];
}

/// A training step with everything it reads: drawn weights, normal images, labels 0, a small learning rate.
rt::Expected<rt::Program> Bench::compileStep() const {
  Network network;
  if (failed(network.load(inference.network.file, {"cross_entropy", "accuracy"})))
    return rt::invalidInput("{} could not be read", inference.network.file);
  mlir::FailureOr<cg::GraphOp> graph = network.choose(inference.network.arch);
  if (failed(graph))
    return rt::invalidInput("no network was chosen");
  TrainingOptions options = trainingOptions(rt::Recipe(), graph->getSymName(), "cross_entropy");
  options.sizes = inference.network.bindings;
  rt::InitializerTable initializers;
  rt::Expected<rt::Program> step =
      compileTrainingProgram(network.module(), options, inference.network.batch.value_or(1), ProgramKind::Step,
                             inference.cpu, inference.threads, &initializers);
  if (!step)
    return step;
  initializers["learning_rate"] = {rt::Initializer::Kind::Fill, 1e-3, 0.0};
  const std::vector<rt::Place> &places = step->table().places;
  for (rt::PlaceId id = 0; id < places.size(); ++id) {
    const rt::Place &place = places[id];
    if (place.kind != rt::Place::Kind::Argument || place.role == rt::Role::Output)
      continue;
    rt::Expected<rt::HostTensor> tensor = rt::HostTensor::create(place.dtype, place.logical);
    if (!tensor)
      return tensor.takeStatus();
    auto found = initializers.find(place.name);
    bool isImage = place.role == rt::Role::Input && place.dtype == rt::DType::F32;
    if (found != initializers.end() || isImage) {
      rt::Initializer drawn = isImage ? rt::Initializer{rt::Initializer::Kind::Normal, 0.0, 1.0} : found->second;
      if (rt::Status s = rt::initialize(*tensor, drawn, place.name, inference.seed); !s.ok())
        return s;
    }
    if (rt::Status s = step->write(id, *tensor); !s.ok())
      return s;
  }
  return step;
}

int Bench::run() {
  if (train) {
    auto start = std::chrono::steady_clock::now();
    rt::Expected<rt::Program> step = compileStep();
    if (!step)
      return report(step.status());
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return time(*step, seconds, inference.cpu);
  }
  rt::Expected<Inference> network = compileInference(inference);
  if (!network)
    return report(network.status());
  if (rt::Status s = writeRandomInputs(*network->session, inference.seed); !s.ok())
    return report(s);
  return time(network->session->forward(), network->compileSeconds, network->executable->artifact().cpu);
}

int Bench::time(rt::Program &program, double compileSeconds, const std::string &cpu) const {
  using Clock = std::chrono::steady_clock;
  std::vector<double> milliseconds, rowSeconds(program.table().rows.size()), rowSums(rowSeconds.size());
  for (int64_t i = -3; i < runs; ++i) {
    Clock::time_point start = Clock::now();
    if (rt::Status s = program.run(rows ? rt::Span<double>(rowSeconds) : rt::Span<double>()); !s.ok())
      return report(s);
    if (i < 0)
      continue;
    milliseconds.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    for (size_t r = 0; r < rowSums.size(); ++r)
      rowSums[r] += rowSeconds[r];
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  nlohmann::json document = {{"median_ms", quantile(milliseconds, 0.5)},
                             {"min_ms", milliseconds.front()},
                             {"p99_ms", quantile(milliseconds, 0.99)},
                             {"compile_ms", 1e3 * compileSeconds},
                             {"arena_bytes", program.table().arenaBytes},
                             {"peak_rss_bytes", usage.ru_maxrss * int64_t(1024)},
                             {"threads", program.threads()},
                             {"cpu", cpu}};
  if (json) {
    fmt::print("{}\n", document.dump());
    return Done;
  }
  fmt::print("median {:.3f} ms, minimum {:.3f} ms, 99 % below {:.3f} ms ({} runs, {} threads)\n"
             "compiled in {:.0f} ms for {}; arena {:.1f} MiB\n",
             quantile(milliseconds, 0.5), milliseconds.front(), quantile(milliseconds, 0.99), runs, program.threads(),
             1e3 * compileSeconds, cpu, static_cast<double>(program.table().arenaBytes) / (1 << 20));
  if (rows) {
    double total = 0.0;
    for (double seconds : rowSums)
      total += seconds;
    for (size_t r = 0; r < rowSums.size(); ++r)
      fmt::print("{:5.1f} %  {:9.3f} ms  {}  {}  {}\n", 100 * rowSums[r] / total,
                 1e3 * rowSums[r] / static_cast<double>(runs), rt::operationName(program.table().rows[r]),
                 program.describeRow(r), program.table().rows[r].scope);
  }
  return Done;
}

std::unique_ptr<Verb> espalier::tools::createBenchVerb() { return std::make_unique<Bench>(); }
