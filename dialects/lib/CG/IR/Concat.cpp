//===- Concat.cpp - joining along one dimension ---------------------------===//

#include "TensorSupport.h"

#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Dialect/CG/IR/Window.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace espalier::cg;

/// The shape of `inputs` joined along `axis`.
static FailureOr<TensorShape> joinShapes(ValueRange inputs, int64_t axis, ShapeContext &shapes) {
  if (inputs.empty()) // concat_c1
    return shapes.error("expects at least 1 input, but got 0");
  TensorShape result = shapes[inputs.front()];
  if (failed(checkAxis(axis, result, shapes))) // concat_c1
    return failure();
  SmallVector<DimExpr> joined{result.dims[axis]};
  for (Value input : inputs.drop_front()) {
    const TensorShape &shape = shapes[input];
    bool fits = shape.elementType == result.elementType && shape.rank() == result.rank();
    for (int64_t dim = 0; fits && dim < result.rank(); ++dim) {
      if (dim == axis) {
        joined.push_back(shape.dims[dim]);
        continue;
      }
      fits = !shapes.conflict(shape.dims[dim], result.dims[dim]);
      if (fits)
        result.dims[dim] = shapes.merge(result.dims[dim], shape.dims[dim]);
    }
    if (!fits) // concat_c2
      return shapes.error("expects inputs that differ along dimension ", axis, " only, but got ",
                          shapes[inputs.front()], " and ", shape);
  }
  result.dims[axis] = DimExpr::sum(joined);
  return result;
}

LogicalResult ConcatOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  FailureOr<TensorShape> result = joinShapes(adaptor.getInputs(), static_cast<int64_t>(adaptor.getAxis()), shapes);
  if (failed(result))
    return failure();
  results.push_back(std::move(*result));
  return success();
}

LogicalResult ConcatGradientOp::inferShapes(Adaptor adaptor, ShapeContext &shapes,
                                            SmallVectorImpl<TensorShape> &results) {
  auto index = static_cast<int64_t>(adaptor.getIndex()), count = static_cast<int64_t>(adaptor.getInputs().size());
  if (index < 0 || index >= count) // concat_gradient_c1
    return shapes.error("expects 'index' to name one of ", count, " inputs, but got ", index);
  FailureOr<TensorShape> joined = joinShapes(adaptor.getInputs(), static_cast<int64_t>(adaptor.getAxis()), shapes);
  if (failed(joined) ||
      failed(checkSameShape("a cotangent", *joined, shapes[adaptor.getCotangent()], shapes))) // concat_gradient_c2
    return failure();
  results.push_back(shapes[adaptor.getInputs()[index]]);
  return success();
}

OpCost ConcatOp::getCost(ShapeContext &shapes) { return movementCost(*this, shapes); }

LogicalResult ConcatOp::evaluate(ArrayRef<const ReferenceTensor *> operands, MutableArrayRef<ReferenceTensor> results) {
  ReferenceTensor &result = results[0];
  auto axis = static_cast<int64_t>(getAxis());
  int64_t before = 0;
  for (const ReferenceTensor *input : operands) {
    forEachPosition(input->shape(), [&](ArrayRef<int64_t> position, int64_t offset) {
      SmallVector<int64_t> target(position);
      target[axis] += before;
      result.data[offsetOf(target, result.shape())] = input->data[offset];
    });
    before += input->shape()[axis];
  }
  return success();
}

/// How far `inputs` reach along `axis`; nothing when one of them has an unknown extent.
static std::optional<int64_t> reachOf(ValueRange inputs, int64_t axis) {
  int64_t sum = 0;
  for (Value input : inputs) {
    int64_t extent = cast<RankedTensorType>(input.getType()).getDimSize(axis);
    if (ShapedType::isDynamic(extent) || llvm::AddOverflow(sum, extent, sum))
      return std::nullopt;
  }
  return sum;
}

/// Where input `index` begins and ends in the joined tensor, as bounds of a slice: from the front, or else, negative,
/// from the back.
static std::optional<std::pair<int64_t, int64_t>> boundsOf(ValueRange inputs, int64_t axis, int64_t index) {
  auto bound = [&](int64_t count) -> std::optional<int64_t> {
    if (std::optional<int64_t> before = reachOf(inputs.take_front(count), axis))
      return before;
    std::optional<int64_t> after = reachOf(inputs.drop_front(count), axis);
    return after ? std::optional<int64_t>(-1 - *after) : std::nullopt;
  };
  std::optional<int64_t> start = bound(index), end = bound(index + 1);
  return start && end ? std::optional(std::pair(*start, *end)) : std::nullopt;
}

std::optional<std::pair<int64_t, int64_t>> ConcatGradientOp::getSliceBounds() {
  return boundsOf(getInputs(), getAxis(), getIndex());
}

LogicalResult ConcatOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                 MutableArrayRef<Value> gradients) {
  auto axis = static_cast<int64_t>(getAxis());
  for (auto [index, isNeeded] : llvm::enumerate(needed)) {
    if (!isNeeded)
      continue;
    if (auto bounds = boundsOf(getInputs(), axis, index))
      gradients[index] = SliceOp::create(builder, getLoc(), cotangents[0], axis, bounds->first, bounds->second,
                                         /*stride=*/1);
    else
      gradients[index] = ConcatGradientOp::create(builder, getLoc(), cotangents[0], getInputs(), axis, index);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Its transpose
//===----------------------------------------------------------------------===//

OpCost ConcatGradientOp::getCost(ShapeContext &shapes) { // what is not taken is not read
  OpCost cost;
  cost.bytesRead = cost.bytesWritten = shapes[getResult()].bytes();
  return cost;
}

LogicalResult ConcatGradientOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                         MutableArrayRef<ReferenceTensor> results) {
  const ReferenceTensor &cotangent = *operands[0];
  auto axis = static_cast<int64_t>(getAxis());
  int64_t before = 0;
  for (const ReferenceTensor *input : operands.drop_front().take_front(getIndex()))
    before += input->shape()[axis];
  forEachPosition(results[0].shape(), [&](ArrayRef<int64_t> position, int64_t offset) {
    SmallVector<int64_t> source(position);
    source[axis] += before;
    results[0].data[offset] = cotangent.data[offsetOf(source, cotangent.shape())];
  });
  return success();
}

bool ConcatGradientOp::isLinearIn(unsigned operandIndex) { return operandIndex == 0; }

LogicalResult ConcatGradientOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                         MutableArrayRef<Value> gradients) {
  if (!needed[0]) // nothing depends on the values of the inputs
    return success();
  SmallVector<Value> parts;
  for (auto [index, input] : llvm::enumerate(getInputs()))
    parts.push_back(index == getIndex() ? cotangents[0] : zerosLike(builder, getLoc(), input));
  gradients[0] = ConcatOp::create(builder, getLoc(), parts, getAxis());
  return success();
}

LogicalResult ConcatGradientOp::canonicalize(ConcatGradientOp op, PatternRewriter &rewriter) {
  auto bounds = op.getSliceBounds();
  // Where extents are unknown the types of inputs may say more than a slice of the cotangent does.
  if (!bounds || !op.getType().hasStaticShape() || !op.getCotangent().getType().hasStaticShape())
    return rewriter.notifyMatchFailure(op, "extents are unknown");
  rewriter.replaceOpWithNewOp<SliceOp>(op, op.getCotangent(), op.getAxis(), bounds->first, bounds->second,
                                       /*stride=*/1);
  return success();
}
