//===- LoweringModels.h - the files that say how ops are lowered -*- C++ -*-===//

#ifndef ESPALIER_LIB_CONVERSION_CGTOPLAN_LOWERINGMODELS_H
#define ESPALIER_LIB_CONVERSION_CGTOPLAN_LOWERINGMODELS_H

#include "espalier/Conversion/CGToPlan/Lowering.h"

namespace espalier::cg {

/// The shape of a tensor.
inline llvm::ArrayRef<int64_t> getShape(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType()).getShape();
}

void attachPointwiseModels(mlir::MLIRContext *context);
void attachViewModels(mlir::MLIRContext *context);
void attachSourceModels(mlir::MLIRContext *context);
void attachReductionModels(mlir::MLIRContext *context);
void attachPoolModels(mlir::MLIRContext *context);
void attachIndexingModels(mlir::MLIRContext *context);
void attachStatisticsModels(mlir::MLIRContext *context);
void attachContractionModels(mlir::MLIRContext *context);

} // namespace espalier::cg

#endif // ESPALIER_LIB_CONVERSION_CGTOPLAN_LOWERINGMODELS_H
