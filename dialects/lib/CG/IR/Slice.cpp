//===- Slice.cpp - slices along one dimension -----------------------------===//

#include "TensorSupport.h"

#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Dialect/CG/IR/Window.h"

using namespace mlir;
using namespace espalier::cg;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

/// The place that `bound` names: negative ones count from the end, -1 being the extent.
static DimExpr resolve(int64_t bound, const DimExpr &extent) {
  return bound >= 0 ? DimExpr(bound) : extent + DimExpr(bound + 1);
}

/// The shape of a slice of `input`; `adaptor` is that of a slice or of its gradient.
template <typename Adaptor>
static FailureOr<TensorShape> sliceShape(Adaptor adaptor, const TensorShape &input, ShapeContext &shapes) {
  auto axis = static_cast<int64_t>(adaptor.getAxis()), stride = static_cast<int64_t>(adaptor.getStride());
  if (failed(checkAxis(axis, input, shapes))) // slice_c1
    return failure();
  const DimExpr &extent = input.dims[axis];
  auto startBound = static_cast<int64_t>(adaptor.getStart()), endBound = static_cast<int64_t>(adaptor.getEnd());
  DimExpr start = resolve(startBound, extent), end = resolve(endBound, extent);
  auto isNegative = [](const DimExpr &expr) {
    std::optional<int64_t> number = expr.getConstant();
    return expr.isOverflow() || (number && *number < 0);
  };
  if (stride < 1 || isNegative(start) || isNegative(end - start) || isNegative(extent - end)) // slice_c2
    return shapes.error("expects 0 <= start <= end <= ", extent, " and stride >= 1, but got start ", startBound,
                        ", end ", endBound, ", stride ", stride);
  TensorShape result = input;
  result.dims[axis] = DimExpr::ceilDiv(end - start, stride);
  return result;
}

LogicalResult SliceOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  FailureOr<TensorShape> result = sliceShape(adaptor, shapes[adaptor.getInput()], shapes);
  if (failed(result))
    return failure();
  results.push_back(std::move(*result));
  return success();
}

LogicalResult SliceGradientOp::inferShapes(Adaptor adaptor, ShapeContext &shapes,
                                           SmallVectorImpl<TensorShape> &results) {
  const TensorShape &like = shapes[adaptor.getLike()];
  FailureOr<TensorShape> slice = sliceShape(adaptor, like, shapes);
  if (failed(slice) ||
      failed(checkSameShape("a cotangent", *slice, shapes[adaptor.getCotangent()], shapes))) // slice_gradient_c1
    return failure();
  results.push_back(like);
  return success();
}

static int64_t firstPlace(int64_t start, int64_t extent) { return start >= 0 ? start : extent + start + 1; }

int64_t SliceOp::getFirst() {
  return firstPlace(static_cast<int64_t>(getStart()), getInput().getType().getDimSize(getAxis()));
}
int64_t SliceGradientOp::getFirst() {
  return firstPlace(static_cast<int64_t>(getStart()), getLike().getType().getDimSize(getAxis()));
}

//===----------------------------------------------------------------------===//
// Cost and evaluation
//===----------------------------------------------------------------------===//

OpCost SliceOp::getCost(ShapeContext &shapes) { // what is not taken is not read
  OpCost cost;
  cost.bytesRead = cost.bytesWritten = shapes[getResult()].bytes();
  return cost;
}

OpCost SliceGradientOp::getCost(ShapeContext &shapes) { // only the extents of `like` are read
  OpCost cost;
  cost.bytesRead = shapes[getCotangent()].bytes();
  cost.bytesWritten = shapes[getResult()].bytes();
  return cost;
}

/// Calls `body(offset in the slice, offset in the sliced tensor)` for each element of a slice along `axis`.
static void forEachTaken(ArrayRef<int64_t> slice, ArrayRef<int64_t> whole, int64_t axis, int64_t start, int64_t stride,
                         llvm::function_ref<void(int64_t, int64_t)> body) {
  int64_t first = firstPlace(start, whole[axis]);
  forEachPosition(slice, [&](ArrayRef<int64_t> position, int64_t offset) {
    SmallVector<int64_t> source(position);
    source[axis] = first + source[axis] * stride;
    body(offset, offsetOf(source, whole));
  });
}

LogicalResult SliceOp::evaluate(ArrayRef<const ReferenceTensor *> operands, MutableArrayRef<ReferenceTensor> results) {
  const ReferenceTensor &input = *operands[0];
  ReferenceTensor &result = results[0];
  forEachTaken(result.shape(), input.shape(), getAxis(), getStart(), getStride(),
               [&](int64_t taken, int64_t source) { result.data[taken] = input.data[source]; });
  return success();
}

LogicalResult SliceGradientOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                        MutableArrayRef<ReferenceTensor> results) {
  const ReferenceTensor &cotangent = *operands[0];
  ReferenceTensor &result = results[0];
  forEachTaken(cotangent.shape(), result.shape(), getAxis(), getStart(), getStride(),
               [&](int64_t taken, int64_t source) { result.data[source] = cotangent.data[taken]; });
  return success();
}

//===----------------------------------------------------------------------===//
// Derivative
//===----------------------------------------------------------------------===//

bool SliceOp::isLinearIn(unsigned) { return true; }
bool SliceGradientOp::isLinearIn(unsigned operandIndex) { return operandIndex == 0; }

LogicalResult SliceOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                MutableArrayRef<Value> gradients) {
  if (needed[0])
    gradients[0] = SliceGradientOp::create(builder, getLoc(), cotangents[0], getInput(), getAxis(), getStart(),
                                           getEnd(), getStride());
  return success();
}

LogicalResult SliceGradientOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                        MutableArrayRef<Value> gradients) {
  if (needed[0]) // nothing depends on the values of `like`
    gradients[0] = SliceOp::create(builder, getLoc(), cotangents[0], getAxis(), getStart(), getEnd(), getStride());
  return success();
}
