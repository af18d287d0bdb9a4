//===- Reductions.cpp - sums, means, maxima over dimensions ---------------===//

#include "TensorSupport.h"

#include "espalier/Dialect/CG/IR/CGOps.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace espalier::cg;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

template <typename Adaptor>
static LogicalResult inferReduction(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  const TensorShape &input = shapes[adaptor.getInput()];
  if (failed(checkAxes(adaptor.getAxes(), input, shapes))) // reduce_sum_c1, reduce_mean_c1, reduce_max_c1
    return failure();
  TensorShape result{input.elementType, {}};
  for (auto [dim, extent] : llvm::enumerate(input.dims)) {
    if (!llvm::is_contained(adaptor.getAxes(), static_cast<int64_t>(dim)))
      result.dims.push_back(extent);
    else if (adaptor.getKeepDims())
      result.dims.push_back(1);
  }
  results.push_back(std::move(result));
  return success();
}

LogicalResult ReduceSumOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  return inferReduction(adaptor, shapes, results);
}
LogicalResult ReduceMeanOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  return inferReduction(adaptor, shapes, results);
}
LogicalResult ReduceMaxOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  return inferReduction(adaptor, shapes, results);
}

LogicalResult ArgmaxOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  const TensorShape &input = shapes[adaptor.getInput()];
  auto axis = static_cast<int64_t>(adaptor.getAxis());
  if (failed(checkAxis(axis, input, shapes))) // argmax_c1
    return failure();
  if (input.dims[axis].isConstant(0)) // argmax_c1
    return shapes.error("expects an extent that is not 0 along dimension ", axis, ", but got ", input);
  TensorShape result = input;
  result.elementType = IntegerType::get(input.elementType.getContext(), 64);
  result.dims.erase(result.dims.begin() + axis);
  results.push_back(std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// Cost
//===----------------------------------------------------------------------===//

/// One operation for each element that is reduced.
static OpCost reductionCost(Operation *op, ShapeContext &shapes) {
  OpCost cost = movementCost(op, shapes);
  cost.flops = shapes[op->getOperand(0)].elements();
  return cost;
}

OpCost ReduceSumOp::getCost(ShapeContext &shapes) { return reductionCost(*this, shapes); }
OpCost ReduceMaxOp::getCost(ShapeContext &shapes) { return reductionCost(*this, shapes); }
OpCost ArgmaxOp::getCost(ShapeContext &shapes) { return reductionCost(*this, shapes); }
OpCost ReduceMeanOp::getCost(ShapeContext &shapes) {
  OpCost cost = reductionCost(*this, shapes);
  cost.flops += shapes[getResult()].elements(); // the divisions
  return cost;
}

//===----------------------------------------------------------------------===//
// Reference evaluation
//===----------------------------------------------------------------------===//

/// Calls `body(element, result element)` for each element of `input`, reduced over `axes`.
static void forEachReduced(const ReferenceTensor &input, ArrayRef<int64_t> axes, ReferenceTensor &result,
                           llvm::function_ref<void(double, double &)> body) {
  // The result's offset is the same whether or not reduced dimensions stay with extent 1.
  SmallVector<int64_t> kept(input.shape());
  for (int64_t axis : axes)
    kept[axis] = 1;
  forEachPosition(input.shape(), [&](ArrayRef<int64_t> position, int64_t offset) {
    SmallVector<int64_t> target(position);
    for (int64_t axis : axes)
      target[axis] = 0;
    body(input.data[offset], result.data[offsetOf(target, kept)]);
  });
}

static void add(double element, double &sum) { sum += element; }

/// Is `candidate` larger, with NaN above all numbers?
static bool isLarger(double candidate, double other) {
  return candidate > other || (std::isnan(candidate) && !std::isnan(other));
}

/// The neutral element of the maximum.
static double lowest(Type type) {
  if (isa<FloatType>(type))
    return -std::numeric_limits<double>::infinity();
  return type.isInteger(1) ? 0.0 : -std::ldexp(1.0, static_cast<int>(type.getIntOrFloatBitWidth()) - 1);
}

LogicalResult ReduceSumOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                    MutableArrayRef<ReferenceTensor> results) {
  forEachReduced(*operands[0], getAxes(), results[0], add);
  return success();
}

LogicalResult ReduceMeanOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                     MutableArrayRef<ReferenceTensor> results) {
  forEachReduced(*operands[0], getAxes(), results[0], add);
  double count = 1.0;
  for (int64_t axis : getAxes())
    count *= static_cast<double>(operands[0]->shape()[axis]);
  for (double &element : results[0].data)
    element /= count;
  return success();
}

LogicalResult ReduceMaxOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                    MutableArrayRef<ReferenceTensor> results) {
  llvm::fill(results[0].data, lowest(results[0].type.getElementType()));
  forEachReduced(*operands[0], getAxes(), results[0], [](double element, double &largest) {
    if (isLarger(element, largest))
      largest = element;
  });
  return success();
}

LogicalResult ArgmaxOp::evaluate(ArrayRef<const ReferenceTensor *> operands, MutableArrayRef<ReferenceTensor> results) {
  const ReferenceTensor &input = *operands[0];
  AxisView view = viewAlong(input.shape(), getAxis());
  for (int64_t outer = 0; outer < view.outer; ++outer) {
    for (int64_t inner = 0; inner < view.inner; ++inner) {
      auto at = [&](int64_t place) { return input.data[(outer * view.extent + place) * view.inner + inner]; };
      int64_t best = 0;
      for (int64_t place = 1; place < view.extent; ++place)
        if (isLarger(at(place), at(best)))
          best = place;
      results[0].data[outer * view.inner + inner] = static_cast<double>(best);
    }
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Derivative
//===----------------------------------------------------------------------===//

bool ReduceSumOp::isLinearIn(unsigned) { return true; }
bool ReduceMeanOp::isLinearIn(unsigned) { return true; }

/// `reduced`, of the shape of `op`'s result, with the reduced dimensions back as extents of 1.
template <typename ReductionOp> static Value keepDims(OpBuilder &builder, ReductionOp op, Value reduced) {
  if (op.getKeepDims() || op.getAxes().empty())
    return reduced;
  SmallVector<int64_t> shape;
  int64_t place = 0; // of the dimension in `reduced`
  for (auto [dim, extent] : llvm::enumerate(op.getInput().getType().getShape())) {
    bool isReduced = llvm::is_contained(op.getAxes(), static_cast<int64_t>(dim));
    shape.push_back(isReduced ? 1 : ShapedType::isDynamic(extent) ? -2 - place : extent);
    place += !isReduced;
  }
  return ReshapeOp::create(builder, op.getLoc(), reduced, shape);
}

LogicalResult ReduceSumOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                    MutableArrayRef<Value> gradients) {
  if (needed[0])
    gradients[0] = BroadcastLikeOp::create(builder, getLoc(), keepDims(builder, *this, cotangents[0]), getInput());
  return success();
}

LogicalResult ReduceMeanOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                     MutableArrayRef<Value> gradients) {
  if (!needed[0])
    return success();
  Value count = builder.createOrFold<ExtentOp>(getLoc(), getInput(), getAxes(), getType().getElementType());
  Value share = DivOp::create(builder, getLoc(), cotangents[0], count);
  gradients[0] = BroadcastLikeOp::create(builder, getLoc(), keepDims(builder, *this, share), getInput());
  return success();
}

LogicalResult ReduceMaxOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                    MutableArrayRef<Value> gradients) {
  if (!needed[0])
    return success();
  Location loc = getLoc();
  Value isLargest =
      CompareOp::create(builder, loc, ComparePredicate::eq, getInput(), keepDims(builder, *this, getResult()));
  Value marks = CastOp::create(builder, loc, isLargest, getType().getElementType());
  Value ties = ReduceSumOp::create(builder, loc, marks, getAxes(), getKeepDims());
  Value share = DivOp::create(builder, loc, cotangents[0], ties);
  gradients[0] =
      WhereOp::create(builder, loc, isLargest, keepDims(builder, *this, share), createScalar(builder, loc, share, 0.0));
  return success();
}
