//===- CGAttributes.h - attributes of the cg dialect ------------*- C++ -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGATTRIBUTES_H
#define ESPALIER_DIALECT_CG_IR_CGATTRIBUTES_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/OpImplementation.h"

namespace espalier::cg {

/// What initial elements are: a fixed value, drawn uniformly from [a, b), drawn with mean a and deviation b, or given
/// one by one.
struct InitDistribution {
  enum class Kind { Fill, Uniform, Normal, Values };
  Kind kind;
  double a = 0.0;
  double b = 0.0;
  llvm::SmallVector<double, 0> values = {}; ///< of all elements, row by row
};

} // namespace espalier::cg

#include "espalier/Dialect/CG/IR/CGEnums.h.inc"

#include "espalier/Dialect/CG/IR/CGAttrInterfaces.h.inc"

#define GET_ATTRDEF_CLASSES
#include "espalier/Dialect/CG/IR/CGAttributes.h.inc"

#endif // ESPALIER_DIALECT_CG_IR_CGATTRIBUTES_H
