//===- Elementwise.h - what all elementwise ops share -----------*- C++ -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_ELEMENTWISE_H
#define ESPALIER_DIALECT_CG_IR_ELEMENTWISE_H

#include "espalier/Dialect/CG/IR/CGInterfaces.h"

namespace espalier::cg {

/// Appends the extents of `lhs` and `rhs` broadcast as in NumPy to `dims`; reports extents that do not fit.
mlir::LogicalResult broadcastShapes(const TensorShape &lhs, const TensorShape &rhs, ShapeContext &shapes,
                                    llvm::SmallVectorImpl<DimExpr> &dims);

/// The operands broadcast; the element type is that of the operands, which must agree, but for a leading condition.
mlir::LogicalResult inferElementwiseShape(mlir::ValueRange operands, ShapeContext &shapes,
                                          llvm::SmallVectorImpl<TensorShape> &results);

/// One evaluation of the scalar function for each result element; operands read once, results written once.
OpCost elementwiseCost(mlir::Operation *op, ShapeContext &shapes);

/// Bytes of all operands read and all results written, and no arithmetic: the cost of an op that only moves data.
OpCost movementCost(mlir::Operation *op, ShapeContext &shapes);

mlir::LogicalResult evaluateElementwise(mlir::Operation *op, llvm::ArrayRef<const ReferenceTensor *> operands,
                                        ReferenceTensor &result);

/// The transpose of broadcasting: sums `cotangent` over the dimensions along which `operand` was repeated.
mlir::Value reduceToShapeOf(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value cotangent, mlir::Value operand);

/// `value` in another element type: itself, or a `cg.cast`.
mlir::Value castTo(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, mlir::Type element);
/// castTo() the element type of `like`.
mlir::Value castLike(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, mlir::Value like);

/// A tensor of rank 0, of the element type of `like`.
mlir::Value createScalar(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value like, double value);

} // namespace espalier::cg

#include "espalier/Dialect/CG/IR/CGElementwiseInterface.h.inc"

#endif // ESPALIER_DIALECT_CG_IR_ELEMENTWISE_H
