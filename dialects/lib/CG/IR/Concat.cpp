//===- Concat.cpp - joining along one dimension ---------------------------===//

#include "TensorSupport.h"

#include "espalier/Dialect/CG/IR/CGOps.h"

using namespace mlir;
using namespace espalier::cg;

LogicalResult ConcatOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  if (adaptor.getInputs().empty()) // concat_c1
    return shapes.error("expects at least 1 input, but got 0");
  TensorShape result = shapes[adaptor.getInputs().front()];
  auto axis = static_cast<int64_t>(adaptor.getAxis());
  if (failed(checkAxis(axis, result, shapes))) // concat_c1
    return failure();
  SmallVector<DimExpr> joined{result.dims[axis]};
  for (Value input : adaptor.getInputs().drop_front()) {
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
                          shapes[adaptor.getInputs().front()], " and ", shape);
  }
  result.dims[axis] = DimExpr::sum(joined);
  results.push_back(std::move(result));
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

LogicalResult ConcatOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                 MutableArrayRef<Value> gradients) {
  auto axis = static_cast<int64_t>(getAxis());
  SmallVector<int64_t> extents;
  for (Value input : getInputs())
    extents.push_back(cast<RankedTensorType>(input.getType()).getDimSize(axis));
  // How far `count` inputs reach from the front, or from the back as a negative bound of a slice; nothing when one of
  // them has an unknown extent.
  auto bound = [&](ArrayRef<int64_t> joined, bool fromEnd) -> std::optional<int64_t> {
    int64_t sum = 0;
    for (int64_t extent : joined)
      if (ShapedType::isDynamic(extent) || llvm::AddOverflow(sum, extent, sum))
        return std::nullopt;
    return fromEnd ? -1 - sum : sum;
  };
  for (auto [index, isNeeded] : llvm::enumerate(needed)) {
    if (!isNeeded)
      continue;
    ArrayRef<int64_t> all = extents;
    std::optional<int64_t> start = bound(all.take_front(index), /*fromEnd=*/false);
    if (!start)
      start = bound(all.drop_front(index), /*fromEnd=*/true);
    std::optional<int64_t> end = bound(all.take_front(index + 1), /*fromEnd=*/false);
    if (!end)
      end = bound(all.drop_front(index + 1), /*fromEnd=*/true);
    if (!start || !end)
      return emitOpError("has a derivative where at most one joined extent is unknown, but got ")
             << getInputs().getTypes() << "; give the symbolic sizes numbers first";
    gradients[index] = SliceOp::create(builder, getLoc(), cotangents[0], axis, *start, *end, /*stride=*/1);
  }
  return success();
}
