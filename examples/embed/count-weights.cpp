//===- count-weights.cpp - another tool's pass on the cg dialect ----------===//
//
// A compiler of its own making that uses Espalier as a library: it runs one of Espalier's passes, then a pass of its
// own which reports the parameters of each graph as a remark.
//
//   count-weights net.mlir --pass-pipeline='builtin.module(cg.graph(cg-specialize{mode=inference},count-weights))'
//
//===----------------------------------------------------------------------===//

#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Pipelines/InitAll.h"

#include "mlir/Pass/Pass.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

namespace {
struct CountWeights final : mlir::PassWrapper<CountWeights, mlir::OperationPass<espalier::cg::GraphOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CountWeights)
  llvm::StringRef getArgument() const override { return "count-weights"; }
  llvm::StringRef getDescription() const override { return "Report the number of trainable elements of each graph"; }

  void runOnOperation() override {
    int64_t elements = 0;
    for (auto parameter : getOperation().getBody().front().getOps<espalier::cg::ParameterOp>())
      elements += mlir::cast<mlir::RankedTensorType>(parameter.getResult().getType()).getNumElements();
    getOperation().emitRemark() << "has " << elements << " trainable elements";
  }
};
} // namespace

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  espalier::registerAllDialects(registry);
  espalier::registerAllPasses();
  mlir::PassRegistration<CountWeights>();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "A tool that embeds Espalier\n", registry));
}
