//===- Bench.cpp - espalier bench -----------------------------------------===//

#include "../common/Allocations.h"
#include "Inference.h"
#include "Options.h"
#include "PeakRate.h"
#include "Pricing.h"
#include "TrainingProgram.h"
#include "Verbs.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <sys/resource.h>

using namespace espalier;
using namespace espalier::tools;

namespace {

/// A program whose inputs are set, and what is known of it.
struct Subject {
  rt::Program &program;
  double compileSeconds;
  std::string cpu;
  /// Floating-point operations of one run; nothing where there is no network to count them in.
  std::optional<int64_t> flops;
};

/// What timed runs showed.
struct Measurement {
  std::vector<double> milliseconds; ///< of each run, rising
  std::vector<double> rowSeconds;   ///< of each row, all runs together; empty unless they were wanted
  /// Allocations in all runs together, by our rows and by the library's.
  uint64_t ownAllocations = 0, allocationsOfLibrary = 0;
};

class Bench final : public Verb {
public:
  const char *name() const override { return "bench"; }
  const char *summary() const override { return "Time the forward pass or the training step of a network"; }
  const char *example() const override {
    return "espalier bench examples/zoo/cifar_resnet20.esp --threads 1 --runs 20";
  }
  bool computes() const override { return true; }
  void declare(CLI::App &flags) override {
    inference.declare(flags);
    flags.add_option("--runs", runs, "Timed runs, after three that are not")
        ->capture_default_str()
        ->check(atLeastOne());
    flags.add_flag("--train", train, "A training step with SGD and momentum, for batches of --batch, instead");
    flags.add_flag("--deterministic", deterministic, "Results with the same bits for any number of threads");
    flags.add_flag("--rows", rows, "Share of each row of the dispatch table");
    flags.add_flag("--json", json, "One JSON document");
    flags.add_option("-o,--output", output, "Write to a file")->type_name("FILE");
  }
  rt::Status run() override;

private:
  rt::Status benchForward() const;
  rt::Status benchStep() const;
  rt::Expected<Measurement> measure(rt::Program &program) const;
  rt::Status report(const Subject &subject) const;

  InferenceFlags inference;
  std::string output;
  int64_t runs = 30;
  bool train = false, deterministic = false, rows = false, json = false;
};

} // namespace

//===----------------------------------------------------------------------===//
// Subjects
//===----------------------------------------------------------------------===//

/// Everything that a step reads: drawn weights, normal images, labels 0, a small learning rate.
static rt::Status writeStepInputs(rt::Program &step, rt::InitializerTable initializers, uint64_t seed) {
  initializers["learning_rate"] = {rt::Initializer::Kind::Fill, 1e-3, 0.0};
  const std::vector<rt::Place> &places = step.table().places;
  for (rt::PlaceId id = 0; id < places.size(); ++id) {
    const rt::Place &place = places[id];
    if (place.kind != rt::Place::Kind::Argument || place.role == rt::Role::Output)
      continue;
    rt::Expected<rt::HostTensor> tensor = rt::HostTensor::create(place.dtype, place.logical);
    if (!tensor)
      return tensor.takeStatus();
    auto found = initializers.find(place.name);
    bool isFloat = place.dtype == rt::DType::F32 || place.dtype == rt::DType::F64;
    bool isImage = place.role == rt::Role::Input && isFloat;
    if (found != initializers.end() || isImage) {
      rt::Initializer drawn = isImage ? rt::Initializer{rt::Initializer::Kind::Normal, 0.0, 1.0} : found->second;
      if (rt::Status s = rt::initialize(*tensor, drawn, place.name, seed); !s.ok())
        return s;
    }
    if (rt::Status s = step.write(id, *tensor); !s.ok())
      return s;
  }
  return {};
}

static std::optional<int64_t> flopsOf(const mlir::FailureOr<CostReport> &cost) {
  return failed(cost) ? std::nullopt : cost->getTotals().flops.getConstant();
}

rt::Status Bench::benchStep() const {
  if (!inference.weights.empty())
    return rt::usageError("--train draws its weights: it takes no --weights");
  if (rt::Status s = inference.target.check(); !s.ok())
    return s;
  auto start = std::chrono::steady_clock::now();
  Network network;
  if (rt::Status s = network.load(inference.network.file, {"cross_entropy", "accuracy"}); !s.ok())
    return s;
  rt::Expected<cg::GraphOp> graph = network.choose(inference.network.arch);
  if (!graph)
    return graph.takeStatus();
  rt::Expected<SizeBindings> sizes = inference.network.bindSizes(*graph);
  if (!sizes)
    return sizes.takeStatus();
  TrainingOptions options = trainingOptions(rt::Recipe(), graph->getSymName(), "cross_entropy");
  options.sizes = *sizes;
  options.precision = inference.target.precision();
  TrainingArtifact artifact;
  rt::Expected<rt::Program> step = compileTrainingProgram(network.module(), options, ProgramKind::Step,
                                                          inference.target, inference.threads, &artifact);
  if (!step)
    return step.takeStatus();
  if (rt::Status s = writeStepInputs(*step, std::move(artifact.initializers), inference.seed); !s.ok())
    return s;
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report({*step, seconds, step->executable().artifact().cpu, flopsOf(priceStep(network.module(), options))});
}

rt::Status Bench::benchForward() const {
  rt::Expected<Inference> made = compileInference(inference, console, /*weightsMatter=*/false);
  if (!made)
    return made.takeStatus();
  if (rt::Status s = writeRandomInputs(*made->session, inference.seed); !s.ok())
    return s;
  std::optional<int64_t> flops;
  if (made->network)
    flops = flopsOf(priceForward(made->graph, made->sizes, Precision::F32));
  return report({made->session->forward(), made->compileSeconds, made->executable->artifact().cpu, flops});
}

rt::Status Bench::run() { return train ? benchStep() : benchForward(); }

//===----------------------------------------------------------------------===//
// Measuring and reporting
//===----------------------------------------------------------------------===//

rt::Expected<Measurement> Bench::measure(rt::Program &program) const {
  using Clock = std::chrono::steady_clock;
  Measurement result;
  result.milliseconds.reserve(static_cast<size_t>(runs));
  const std::vector<rt::Row> &table = program.table().rows;
  if (rows)
    result.rowSeconds.resize(table.size());

  // What happened since the last call of this belongs to `previous`, or to no row.
  std::optional<size_t> previous;
  uint64_t allocations = 0;
  Clock::time_point rowStart;
  auto finishRow = [&] {
    uint64_t count = numAllocations();
    (previous && table[*previous].isLibraryCall() ? result.allocationsOfLibrary : result.ownAllocations) +=
        count - allocations;
    allocations = count;
    if (!rows)
      return;
    Clock::time_point now = Clock::now();
    if (previous)
      result.rowSeconds[*previous] += std::chrono::duration<double>(now - rowStart).count();
    rowStart = now;
  };
  const std::function<void(size_t)> beforeRow = [&](size_t row) {
    finishRow();
    previous = row;
  };
  constexpr int numWarmups = 3;
  for (int i = 0; i < numWarmups; ++i)
    if (rt::Status s = program.run(); !s.ok())
      return s;
  for (int64_t i = 0; i < runs; ++i) {
    previous.reset();
    allocations = numAllocations();
    Clock::time_point start = Clock::now();
    if (rt::Status s = program.run(beforeRow); !s.ok())
      return s;
    Clock::time_point end = Clock::now();
    finishRow();
    result.milliseconds.push_back(std::chrono::duration<double, std::milli>(end - start).count());
  }
  std::sort(result.milliseconds.begin(), result.milliseconds.end());
  return result;
}

static double quantile(const std::vector<double> &sorted, double share) {
  return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1) + 0.5)];
}

/// A number for JSON, or null.
template <typename T> static nlohmann::json orNull(const std::optional<T> &value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

rt::Status Bench::report(const Subject &subject) const {
  rt::Program &program = subject.program;
  program.setDeterministic(deterministic);
  rt::Expected<Measurement> measured = measure(program);
  if (!measured)
    return measured.takeStatus();
  // Before the peak is measured, which is no part of the network.
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  double median = quantile(measured->milliseconds, 0.5), tail = quantile(measured->milliseconds, 0.99);
  double peak = measurePeakGflops(inference.target.precision() == Precision::F64, program.threads());
  std::optional<double> gflops, share, ownAllocations, allocationsOfLibrary;
  if (subject.flops) {
    gflops = 1e-6 * static_cast<double>(*subject.flops) / median;
    share = *gflops / peak;
  }
  if (canCountAllocations()) {
    ownAllocations = static_cast<double>(measured->ownAllocations) / static_cast<double>(runs);
    allocationsOfLibrary = static_cast<double>(measured->allocationsOfLibrary) / static_cast<double>(runs);
  }
  if (json) {
    nlohmann::json document = {{"median_ms", median},
                               {"min_ms", measured->milliseconds.front()},
                               {"p99_ms", tail},
                               {"compile_ms", 1e3 * subject.compileSeconds},
                               {"gflops", orNull(gflops)},
                               {"peak_gflops", peak},
                               {"peak_share", orNull(share)},
                               {"arena_bytes", program.table().arenaBytes},
                               {"peak_rss_bytes", usage.ru_maxrss * int64_t(1024)},
                               {"allocations_per_run", orNull(ownAllocations)},
                               {"library_allocations_per_run", orNull(allocationsOfLibrary)},
                               {"threads", program.threads()},
                               {"cpu", subject.cpu},
                               {"precision", precisionOf(program.executable())}};
    return writeResult(output, document.dump() + "\n");
  }
  std::string text = fmt::format("median {:.3f} ms, minimum {:.3f} ms, 99 % below {:.3f} ms ({} runs, {} threads)\n",
                                 median, measured->milliseconds.front(), tail, runs, program.threads());
  if (gflops)
    text += fmt::format("{:.1f} GFLOP/s, {:.0f} % of the {:.1f} that {}multiply-adds in registers reach here\n",
                        *gflops, 100 * *share, peak, inference.target.precision() == Precision::BF16 ? "f32 " : "");
  if (ownAllocations)
    text +=
        fmt::format("{:g} allocations in a run, and {:g} inside the library\n", *ownAllocations, *allocationsOfLibrary);
  text += fmt::format("compiled in {:.0f} ms for {}; arena {:.1f} MiB\n", 1e3 * subject.compileSeconds, subject.cpu,
                      static_cast<double>(program.table().arenaBytes) / (1 << 20));
  double total = std::accumulate(measured->rowSeconds.begin(), measured->rowSeconds.end(), 0.0);
  for (size_t r = 0; r < measured->rowSeconds.size(); ++r)
    text +=
        fmt::format("{:5.1f} %  {:9.3f} ms  {}  {}  {}\n", 100 * measured->rowSeconds[r] / total,
                    1e3 * measured->rowSeconds[r] / static_cast<double>(runs),
                    rt::operationName(program.table().rows[r]), program.describeRow(r), program.table().rows[r].scope);
  return writeResult(output, text);
}

std::unique_ptr<Verb> espalier::tools::createBenchVerb() { return std::make_unique<Bench>(); }
