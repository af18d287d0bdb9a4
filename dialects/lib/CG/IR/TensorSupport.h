//===- TensorSupport.h - shared by the ops that move elements ---*- C++ -*-===//

#ifndef ESPALIER_LIB_DIALECT_CG_IR_TENSORSUPPORT_H
#define ESPALIER_LIB_DIALECT_CG_IR_TENSORSUPPORT_H

#include "espalier/Dialect/CG/IR/CGInterfaces.h"

namespace espalier::cg {

/// `[1, 2, 3]`, for messages.
std::string listText(llvm::ArrayRef<int64_t> entries);

/// Can numbers such as extents be held in this element type: is it i32, i64 or one of the dialect's float types?
bool isNumberType(mlir::Type type);

/// Checks that `axis` is a dimension of `shape`.
mlir::LogicalResult checkAxis(int64_t axis, const TensorShape &shape, ShapeContext &shapes);

/// Checks that `axes` are distinct dimensions of `shape`.
mlir::LogicalResult checkAxes(llvm::ArrayRef<int64_t> axes, const TensorShape &shape, ShapeContext &shapes);

/// A tensor as seen from one dimension: element (o, e, i) lies at (o * extent + e) * inner + i in row-major order.
struct AxisView {
  int64_t outer = 1;
  int64_t extent = 1;
  int64_t inner = 1;
};
AxisView viewAlong(llvm::ArrayRef<int64_t> shape, int64_t axis);

/// Calls `body(position, offset)` for each element in row-major order.
void forEachPosition(llvm::ArrayRef<int64_t> shape, llvm::function_ref<void(llvm::ArrayRef<int64_t>, int64_t)> body);

/// Row-major offset of `position`.
int64_t offsetOf(llvm::ArrayRef<int64_t> position, llvm::ArrayRef<int64_t> shape);

/// `value`, which has as many elements, with the extents of `like`.
mlir::Value reshapeToLike(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, mlir::Value like);

/// Zeros with the extents of `like` and its element type.
mlir::Value zerosLike(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value like);

} // namespace espalier::cg

#endif // ESPALIER_LIB_DIALECT_CG_IR_TENSORSUPPORT_H
