//===- Passes.h - from groups to kernels and programs -----------*- C++ -*-===//

#ifndef ESPALIER_CONVERSION_CGTOPLAN_PASSES_H
#define ESPALIER_CONVERSION_CGTOPLAN_PASSES_H

#include "espalier/Dialect/Plan/IR/PlanDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace espalier::cg {

#define GEN_PASS_DECL
#include "espalier/Conversion/CGToPlan/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "espalier/Conversion/CGToPlan/Passes.h.inc"

} // namespace espalier::cg

#endif // ESPALIER_CONVERSION_CGTOPLAN_PASSES_H
