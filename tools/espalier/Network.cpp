//===- Network.cpp - which network a verb works on ------------------------===//

#include "Network.h"

#include "../common/ModuleFile.h"

#include "espalier/Pipelines/InitAll.h"

#include <fmt/core.h>

using namespace mlir;
using namespace espalier;
using namespace espalier::tools;

void NetworkFlags::declare(CLI::App &flags) {
  flags.add_option("NET", file, "Architecture file (.esp) or MLIR (.mlir, .mlirbc)")->required();
  flags.add_option("--arch", arch, "Architecture in the file (default: the only one)")->type_name("NAME");
  flags.add_option("--bind", bindings, "Numbers for symbolic sizes, e.g. N=8,H=224")
      ->delimiter(',')
      ->type_name("NAME=NUMBER");
  flags.add_option("--batch", batch, "Short for --bind N=BATCH")->type_name("BATCH");
}

std::vector<std::string> NetworkFlags::sizes() const {
  std::vector<std::string> all = bindings;
  if (batch)
    all.push_back(fmt::format("N={}", *batch));
  return all;
}

static DialectRegistry makeRegistry() {
  DialectRegistry registry;
  registerAllDialects(registry);
  return registry;
}

Network::Network()
    : mlirContext(makeRegistry(), MLIRContext::Threading::DISABLED),
      handler(std::make_unique<SourceMgrDiagnosticHandler>(sources, &mlirContext)) {
  mlirContext.loadAllAvailableDialects();
  mlirContext.printOpOnDiagnostic(false); // the caret says more than a page of IR
}
Network::~Network() = default;

LogicalResult Network::load(const std::string &file, std::vector<std::string> losses) {
  ArchitectureOptions options;
  options.losses = std::move(losses);
  loaded = loadModule(file, options, sources, mlirContext);
  return success(static_cast<bool>(loaded));
}

FailureOr<cg::GraphOp> Network::choose(const std::string &arch) {
  SmallVector<cg::GraphOp> candidates;
  std::string list;
  for (cg::GraphOp graph : loaded->getOps<cg::GraphOp>()) {
    if (!arch.empty() && graph.getSymName() == arch)
      return graph;
    // Losses and metrics are graphs too, but not what one prices or runs unless one says so.
    if (graph->hasAttr("cg.fn"))
      continue;
    candidates.push_back(graph);
    list += (list.empty() ? "" : ", ") + graph.getSymName().str();
  }
  if (arch.empty() && candidates.size() == 1)
    return candidates.front();
  if (!arch.empty())
    loaded->emitError("has no architecture '") << arch << "'; it has: " << (list.empty() ? "none" : list);
  else if (candidates.empty())
    loaded->emitError("has no architecture");
  else
    loaded->emitError("has several architectures; choose one with --arch: ") << list;
  return failure();
}
