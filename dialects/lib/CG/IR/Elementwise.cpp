//===- Elementwise.cpp - what all elementwise ops share -------------------===//

#include "espalier/Dialect/CG/IR/Elementwise.h"
#include "espalier/Dialect/CG/IR/CGOps.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace espalier::cg;

LogicalResult espalier::cg::broadcastShapes(const TensorShape &lhs, const TensorShape &rhs, ShapeContext &shapes,
                                            SmallVectorImpl<DimExpr> &dims) {
  int64_t rank = std::max(lhs.rank(), rhs.rank());
  for (int64_t i = 0; i < rank; ++i) {
    int64_t left = i - (rank - lhs.rank()), right = i - (rank - rhs.rank());
    if (left < 0 || (right >= 0 && lhs.dims[left].isConstant(1)))
      dims.push_back(rhs.dims[right]);
    else if (right < 0 || rhs.dims[right].isConstant(1))
      dims.push_back(lhs.dims[left]);
    else if (shapes.conflict(lhs.dims[left], rhs.dims[right]))
      return shapes.error("expects operands whose extents are equal or 1, but got ", lhs, " and ", rhs);
    else
      dims.push_back(shapes.merge(lhs.dims[left], rhs.dims[right]));
  }
  return success();
}

LogicalResult espalier::cg::inferElementwiseShape(ValueRange operands, ShapeContext &shapes,
                                                  SmallVectorImpl<TensorShape> &results) {
  TensorShape result = shapes[operands.back()];
  // A condition chooses between values and has a type of its own.
  unsigned firstValue = operands.size() == 3 ? 1 : 0;
  for (auto [index, operand] : llvm::enumerate(operands.drop_back())) {
    const TensorShape &shape = shapes[operand];
    if (index >= firstValue && shape.elementType != result.elementType)
      return shapes.error("expects operands of one element type, but got ", shape, " and ", shapes[operands.back()]);
    TensorShape merged{result.elementType, {}};
    if (failed(broadcastShapes(shape, result, shapes, merged.dims)))
      return failure();
    result = std::move(merged);
  }
  results.push_back(std::move(result));
  return success();
}

OpCost espalier::cg::movementCost(Operation *op, ShapeContext &shapes) {
  OpCost cost;
  for (Value operand : op->getOperands())
    cost.bytesRead += shapes[operand].bytes();
  for (Value result : op->getResults())
    cost.bytesWritten += shapes[result].bytes();
  return cost;
}

OpCost espalier::cg::elementwiseCost(Operation *op, ShapeContext &shapes) {
  OpCost cost = movementCost(op, shapes);
  cost.flops = shapes[op->getResult(0)].elements() * DimExpr(cast<ElementwiseOpInterface>(op).getFlopsPerElement());
  return cost;
}

LogicalResult espalier::cg::evaluateElementwise(Operation *op, ArrayRef<const ReferenceTensor *> operands,
                                                ReferenceTensor &result) {
  auto elementwise = cast<ElementwiseOpInterface>(op);
  int64_t rank = result.rank();
  // Stride of each operand along each result dimension; 0 where it repeats.
  SmallVector<SmallVector<int64_t>> strides;
  for (const ReferenceTensor *operand : operands) {
    SmallVector<int64_t> own(rank, 0);
    int64_t stride = 1;
    for (int64_t i = operand->rank() - 1; i >= 0; --i) {
      own[i + rank - operand->rank()] = operand->shape()[i] == 1 ? 0 : stride;
      stride *= operand->shape()[i];
    }
    strides.push_back(std::move(own));
  }
  SmallVector<int64_t> position(rank, 0), offsets(operands.size(), 0);
  SmallVector<double> values(operands.size());
  for (double &element : result.data) {
    for (auto [value, operand, offset] : llvm::zip_equal(values, operands, offsets))
      value = operand->data[offset];
    element = elementwise.evaluateScalar(values);
    for (int64_t i = rank - 1; i >= 0; --i) {
      bool carry = ++position[i] == result.shape()[i];
      for (auto [offset, own] : llvm::zip_equal(offsets, strides))
        offset += carry ? -own[i] * (result.shape()[i] - 1) : own[i];
      if (!carry)
        break;
      position[i] = 0;
    }
  }
  return success();
}

Value espalier::cg::reduceToShapeOf(OpBuilder &builder, Location loc, Value cotangent, Value operand) {
  auto from = cast<RankedTensorType>(cotangent.getType()), to = cast<RankedTensorType>(operand.getType());
  int64_t lead = from.getRank() - to.getRank();
  SmallVector<int64_t> axes;
  for (int64_t i = 0; i < from.getRank(); ++i)
    if (i < lead || (to.getDimSize(i - lead) == 1 && from.getDimSize(i) != 1))
      axes.push_back(i);
  if (axes.empty())
    return cotangent;
  Value sum = ReduceSumOp::create(builder, loc, cotangent, builder.getDenseI64ArrayAttr(axes), /*keep_dims=*/nullptr);
  return sum.getType() == to ? sum : ReshapeLikeOp::create(builder, loc, sum, operand).getResult();
}

Value espalier::cg::castTo(OpBuilder &builder, Location loc, Value value, Type element) {
  return getElementTypeOrSelf(value) == element ? value : CastOp::create(builder, loc, value, element).getResult();
}

Value espalier::cg::castLike(OpBuilder &builder, Location loc, Value value, Value like) {
  return castTo(builder, loc, value, getElementTypeOrSelf(like));
}

Value espalier::cg::createScalar(OpBuilder &builder, Location loc, Value like, double value) {
  Type element = cast<RankedTensorType>(like.getType()).getElementType();
  auto type = RankedTensorType::get({}, element);
  Attribute number = isa<FloatType>(element) ? Attribute(builder.getFloatAttr(element, value))
                                             : Attribute(builder.getIntegerAttr(element, static_cast<int64_t>(value)));
  return ConstantOp::create(builder, loc, DenseElementsAttr::get(type, number));
}
