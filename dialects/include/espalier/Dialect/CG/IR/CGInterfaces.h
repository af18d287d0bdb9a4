//===- CGInterfaces.h - what a pass may ask of an op ------------*- C++ -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGINTERFACES_H
#define ESPALIER_DIALECT_CG_IR_CGINTERFACES_H

#include "espalier/Dialect/CG/IR/DimExpr.h"
#include "espalier/Dialect/CG/IR/Precision.h"
#include "espalier/Dialect/CG/IR/ReferenceTensor.h"
#include "espalier/Dialect/CG/IR/ShapeContext.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

namespace espalier::cg {

/// Work and traffic of one execution of an op, see CostOpInterface.
struct OpCost {
  DimExpr macs;
  DimExpr flops;
  DimExpr bytesRead;
  DimExpr bytesWritten;
};

} // namespace espalier::cg

#include "espalier/Dialect/CG/IR/CGInterfaces.h.inc"

#endif // ESPALIER_DIALECT_CG_IR_CGINTERFACES_H
