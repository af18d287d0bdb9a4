//===- RunCost.cpp - The cost table of a run ------------------------------===//

#include "RunCost.h"

#include "../common/Compile.h"
#include "Pricing.h"

#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace espalier;
using namespace espalier::tools;

rt::Expected<RunCost> espalier::tools::priceRun(cg::GraphOp graph, const SizeBindings &sizes, Precision precision) {
  OwningOpRef<ModuleOp> module(cast<ModuleOp>(graph->getParentOp()->clone()));
  FailureOr<CostReport> report = priceForward(module->lookupSymbol<cg::GraphOp>(graph.getSymName()), sizes, precision);
  if (failed(report))
    return reported();
  RunCost cost;
  llvm::raw_string_ostream jsonStream(cost.json), tableStream(cost.table);
  llvm::json::OStream document(jsonStream, /*IndentSize=*/2);
  document.object([&] {
    document.attribute("arch", report->graph);
    report->writeJson(document, /*symbolic=*/false);
  });
  constexpr unsigned depth = 2;
  report->printTable(tableStream, CostReport::Detail::Block, depth);
  return cost;
}
