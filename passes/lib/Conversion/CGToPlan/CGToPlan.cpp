//===- CGToPlan.cpp - from fused graphs to dispatch tables ----------------===//

#include "espalier/Conversion/CGToPlan/Passes.h"

#include "ProgramBuilder.h"

using namespace mlir;
using namespace espalier;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_CGTOPLAN
#include "espalier/Conversion/CGToPlan/Passes.h.inc"
} // namespace espalier::cg

namespace {
struct CGToPlan final : cg::impl::CGToPlanBase<CGToPlan> {
  using Base::Base;

  void runOnOperation() override {
    KernelTable kernels(getOperation());
    for (GraphOp graph : llvm::make_early_inc_range(getOperation().getOps<GraphOp>())) {
      if (failed(buildProgram(graph, kernels, forbidScalarContractions)))
        return signalPassFailure();
      graph.erase();
    }
  }
};
} // namespace
