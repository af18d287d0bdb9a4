//===- Weights.h - what depends on weights alone -----------------*- C++ -*-===//

#ifndef ESPALIER_TRANSFORMS_WEIGHTS_H
#define ESPALIER_TRANSFORMS_WEIGHTS_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseSet.h"

namespace espalier::cg {

/// Whether all operands of `op` are among `weights`, values that depend on parameters, states and literals alone: then
/// so do its results, if the op is a computation. An op without operands, such as a literal, reads nothing else.
inline bool readsOnly(mlir::Operation &op, const llvm::DenseSet<mlir::Value> &weights) {
  return llvm::all_of(op.getOperands(), [&](mlir::Value operand) { return weights.contains(operand); });
}

} // namespace espalier::cg

#endif // ESPALIER_TRANSFORMS_WEIGHTS_H
