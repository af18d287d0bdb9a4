//===- KeepGraph.cpp - reduce a module to one graph -----------------------===//

#include "espalier/Transforms/StepPasses.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_KEEPGRAPH
#include "espalier/Transforms/StepPasses.h.inc"
} // namespace espalier::cg

namespace {
struct KeepGraph final : espalier::cg::impl::KeepGraphBase<KeepGraph> {
  using Base::Base;

  void runOnOperation() override {
    auto graphs = llvm::to_vector(getOperation().getOps<GraphOp>());
    if (llvm::none_of(graphs, [&](GraphOp candidate) { return candidate.getSymName() == graph; })) {
      InFlightDiagnostic diag = getOperation().emitError("expects a graph @") << graph << ", but the module has none";
      for (GraphOp candidate : graphs)
        diag.attachNote(candidate.getLoc()) << "there is @" << candidate.getSymName();
      return signalPassFailure();
    }
    for (GraphOp candidate : graphs)
      if (candidate.getSymName() != graph)
        candidate.erase();
      else if (!rename.empty())
        candidate.setSymName(rename);
  }
};
} // namespace
