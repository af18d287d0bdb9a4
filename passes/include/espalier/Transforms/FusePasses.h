//===- FusePasses.h - from step functions to groups -------------*- C++ -*-===//

#ifndef ESPALIER_TRANSFORMS_FUSEPASSES_H
#define ESPALIER_TRANSFORMS_FUSEPASSES_H

#include "espalier/Dialect/CG/IR/CGOps.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace espalier::cg {

#define GEN_PASS_DECL
#include "espalier/Transforms/FusePasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "espalier/Transforms/FusePasses.h.inc"

/// The values of `graph` that depend on weights and literals alone: arguments with the role `parameter` or `state`, and
/// results of ops all of whose operands are such values. Empty where a result is tied: then weights change.
llvm::DenseSet<mlir::Value> findWeightValues(GraphOp graph);

} // namespace espalier::cg

#endif // ESPALIER_TRANSFORMS_FUSEPASSES_H
