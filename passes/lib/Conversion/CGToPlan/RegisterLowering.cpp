//===- RegisterLowering.cpp - lowerings of all ops ------------------------===//

#include "LoweringModels.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace espalier::cg;

void espalier::cg::registerLoweringModels(mlir::DialectRegistry &registry) {
  registry.addExtension(+[](mlir::MLIRContext *context, CGDialect *) {
    attachPointwiseModels(context);
    attachViewModels(context);
    attachSourceModels(context);
    attachReductionModels(context);
    attachPoolModels(context);
    attachIndexingModels(context);
    attachStatisticsModels(context);
    attachContractionModels(context);
  });
}

bool espalier::cg::hasLoweringModel(mlir::RegisteredOperationName op) {
  return op.hasInterface<PointwiseLoweringOpInterface>() || op.hasInterface<ViewLoweringOpInterface>() ||
         op.hasInterface<IndexedLoweringOpInterface>() || op.hasInterface<ReductionLoweringOpInterface>() ||
         op.hasInterface<KernelLoweringOpInterface>();
}
