//===- CGAttributes.h - attributes of the cg dialect ------------*- C++ -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGATTRIBUTES_H
#define ESPALIER_DIALECT_CG_IR_CGATTRIBUTES_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/OpImplementation.h"

namespace espalier::cg {

/// What initial elements are drawn from: a fixed value, uniform in [a, b), or normal with mean a and deviation b.
struct InitDistribution {
  enum class Kind { Fill, Uniform, Normal };
  Kind kind;
  double a;
  double b;
};

} // namespace espalier::cg

#include "espalier/Dialect/CG/IR/CGEnums.h.inc"

#include "espalier/Dialect/CG/IR/CGAttrInterfaces.h.inc"

#define GET_ATTRDEF_CLASSES
#include "espalier/Dialect/CG/IR/CGAttributes.h.inc"

#endif // ESPALIER_DIALECT_CG_IR_CGATTRIBUTES_H
