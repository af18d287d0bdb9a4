//===- ShapeInference.h - shapes of results, op by op ------------*- C++ -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_SHAPEINFERENCE_H
#define ESPALIER_DIALECT_CG_IR_SHAPEINFERENCE_H

#include "espalier/Dialect/CG/IR/ShapeContext.h"

#include "mlir/IR/Operation.h"

namespace espalier::cg {

/// Names the shape of each result in `shapes`: what the shape function of `op` says, but for extents that its type has
/// as numbers. An op without a shape function is left alone. Fails, having emitted an error at the op, where operands
/// do not fit.
llvm::LogicalResult inferShapes(mlir::Operation &op, ShapeContext &shapes);

} // namespace espalier::cg

#endif // ESPALIER_DIALECT_CG_IR_SHAPEINFERENCE_H
