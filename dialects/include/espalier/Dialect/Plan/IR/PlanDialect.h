//===- PlanDialect.h - The `plan` dialect, its enums and attributes -*- C++ -*-===//

#ifndef ESPALIER_DIALECT_PLAN_IR_PLANDIALECT_H
#define ESPALIER_DIALECT_PLAN_IR_PLANDIALECT_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"

#include <optional>

#include "espalier/Dialect/Plan/IR/PlanDialect.h.inc"
#include "espalier/Dialect/Plan/IR/PlanEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "espalier/Dialect/Plan/IR/PlanAttrs.h.inc"

namespace espalier::plan {

/// Name of the attribute that makes a function a kernel; its value is a KernelAttr.
inline constexpr llvm::StringLiteral kernelAttrName = "plan.kernel";

/// Name of the attribute, a unit, of an operation in a kernel that must become register tiles.
inline constexpr llvm::StringLiteral tileAttrName = "plan.tile";

/// \name Attributes, strings, of a row that was chosen among several: by which name, and why.
/// @{
inline constexpr llvm::StringLiteral candidateAttrName = "plan.candidate";
inline constexpr llvm::StringLiteral reasonAttrName = "plan.reason";
/// @}

/// Every place starts at a multiple of this, in bytes: a cache line, and the widest vector.
inline constexpr int64_t placeAlignment = 64;

/// Bytes of a place (static shape, identity layout); nullopt when they do not fit in 46 bits.
std::optional<int64_t> getByteSize(mlir::MemRefType type);

} // namespace espalier::plan

#endif // ESPALIER_DIALECT_PLAN_IR_PLANDIALECT_H
