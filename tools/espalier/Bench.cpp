//===- Bench.cpp - espalier bench -----------------------------------------===//

#include "../common/Compile.h"
#include "Inference.h"
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
  const char *summary() const override { return "Time the forward pass of a network"; }
  const char *example() const override {
    return "espalier bench examples/zoo/cifar_resnet20.esp --random-weights --threads 1 --runs 20";
  }
  void declare(CLI::App &flags) override {
    inference.declare(flags);
    flags.add_option("--runs", runs, "Timed runs, after three that are not")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    flags.add_flag("--rows", rows, "Share of each row of the dispatch table");
    flags.add_flag("--json", json, "One JSON document on standard output");
  }
  int run() override;

private:
  InferenceFlags inference;
  int64_t runs = 30;
  bool rows = false, json = false;
};
} // namespace

static double quantile(const std::vector<double> &sorted, double share) {
  return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1) + 0.5)];
}

int Bench::run() {
  rt::Expected<Inference> network = compileInference(inference);
  if (!network)
    return report(network.status());
  rt::InferenceSession &session = *network->session;
  rt::Program &forward = session.forward();
  if (rt::Status s = writeRandomInputs(session, inference.seed); !s.ok())
    return report(s);
  using Clock = std::chrono::steady_clock;
  std::vector<double> milliseconds, rowSeconds(forward.table().rows.size()), rowSums(rowSeconds.size());
  for (int64_t i = -3; i < runs; ++i) {
    Clock::time_point start = Clock::now();
    if (rt::Status s = forward.run(rows ? rt::Span<double>(rowSeconds) : rt::Span<double>()); !s.ok())
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
                             {"compile_ms", 1e3 * network->compileSeconds},
                             {"arena_bytes", forward.table().arenaBytes},
                             {"peak_rss_bytes", usage.ru_maxrss * int64_t(1024)},
                             {"threads", forward.threads()},
                             {"cpu", network->executable->artifact().cpu}};
  if (json) {
    fmt::print("{}\n", document.dump());
    return Done;
  }
  fmt::print("median {:.3f} ms, minimum {:.3f} ms, 99 % below {:.3f} ms ({} runs, {} threads)\n"
             "compiled in {:.0f} ms for {}; arena {:.1f} MiB\n",
             quantile(milliseconds, 0.5), milliseconds.front(), quantile(milliseconds, 0.99), runs, forward.threads(),
             1e3 * network->compileSeconds, network->executable->artifact().cpu,
             static_cast<double>(forward.table().arenaBytes) / (1 << 20));
  if (rows) {
    double total = 0.0;
    for (double seconds : rowSums)
      total += seconds;
    for (size_t r = 0; r < rowSums.size(); ++r)
      fmt::print("{:5.1f} %  {:9.3f} ms  {}  {}  {}\n", 100 * rowSums[r] / total,
                 1e3 * rowSums[r] / static_cast<double>(runs), rt::operationName(forward.table().rows[r]),
                 forward.describeRow(r), forward.table().rows[r].scope);
  }
  return Done;
}

std::unique_ptr<Verb> espalier::tools::createBenchVerb() { return std::make_unique<Bench>(); }
