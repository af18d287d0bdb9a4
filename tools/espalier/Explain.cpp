//===- Explain.cpp - espalier explain -------------------------------------===//

#include "Inference.h"
#include "Verbs.h"

#include <nlohmann/json.hpp>

using namespace espalier;
using namespace espalier::tools;

namespace {
class Explain final : public Verb {
public:
  const char *name() const override { return "explain"; }
  const char *summary() const override { return "Show which kernel runs each part of a network"; }
  const char *example() const override { return "espalier explain examples/zoo/cifar_resnet20.esp"; }
  void declare(CLI::App &flags) override {
    inference.declare(flags);
    flags.add_flag("--json", json, "One JSON document");
    flags.add_option("-o,--output", output, "Write to a file")->type_name("FILE");
  }
  rt::Status run() override;

private:
  InferenceFlags inference;
  std::string output;
  bool json = false;
};
} // namespace

/// The candidate that runs a row, and why: a choice for convolutions and matrix products alone.
static std::string candidate(const rt::Row &row) { return row.candidate.empty() ? "loops" : row.candidate; }
static std::string reason(const rt::Row &row) {
  if (row.candidate.empty())
    return "no contraction: generated code is all there is";
  return row.reason.empty() ? "as the input says" : row.reason;
}

static std::string operandTypes(const rt::ProgramTable &table, const rt::Row &row) {
  std::string types;
  for (rt::PlaceId id : rt::placesOf(row)) {
    const rt::Place &place = table.places[id];
    types += (types.empty() ? "" : ", ") + rt::formatType(place.dtype, place.shape);
  }
  return types;
}

rt::Status Explain::run() {
  rt::Expected<Inference> network = compileInference(inference, console, /*weightsMatter=*/false);
  if (!network)
    return network.takeStatus();
  rt::Program &forward = network->session->forward();
  // The library chooses its implementations when a program is prepared, which wants inputs.
  if (rt::Status s = writeRandomInputs(*network->session, inference.seed); !s.ok())
    return s;
  if (rt::Status s = forward.prepare(); !s.ok())
    return s;
  const rt::ProgramTable &table = forward.table();
  nlohmann::json document = nlohmann::json::array();
  std::string text;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    const rt::Row &row = table.rows[i];
    document.push_back({{"row", i},
                        {"operation", std::string(rt::operationName(row))},
                        {"implementation", forward.describeRow(i)},
                        {"operands", operandTypes(table, row)},
                        {"scope", row.scope},
                        {"location", row.location},
                        {"candidate", candidate(row)},
                        {"reason", reason(row)}});
    text +=
        fmt::format("{:4}  {:<10} {}\n      {}\n      {}{}{}\n      {}: {}\n", i, rt::operationName(row),
                    forward.describeRow(i), operandTypes(table, row), row.scope,
                    row.scope.empty() || row.location.empty() ? "" : " at ", row.location, candidate(row), reason(row));
  }
  text += fmt::format("{} rows, arena {:.2f} MiB, {} code for {}\n", table.rows.size(),
                      static_cast<double>(table.arenaBytes) / (1 << 20), precisionOf(*network->executable),
                      network->executable->artifact().cpu);
  auto replace = nlohmann::json::error_handler_t::replace;
  return writeResult(output, json ? document.dump(-1, ' ', false, replace) + "\n" : text);
}

std::unique_ptr<Verb> espalier::tools::createExplainVerb() { return std::make_unique<Explain>(); }
