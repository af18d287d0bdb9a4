//===- MaterializeWeights.cpp - parameters for expressions of parameters --===//

#include "WeightExpressions.h"

#include "espalier/Transforms/BranchPasses.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_MATERIALIZEWEIGHTS
#include "espalier/Transforms/BranchPasses.h.inc"
} // namespace espalier::cg

namespace {
struct MaterializeWeights final : espalier::cg::impl::MaterializeWeightsBase<MaterializeWeights> {
  using Base::Base;

  void runOnOperation() override {
    for (GraphOp graph : llvm::to_vector(getOperation().getOps<GraphOp>()))
      if (failed(materialize(graph, findWeightExpressions(graph), suffix)))
        return signalPassFailure();
  }
};
} // namespace
