//===- Softmax.cpp - softmax, log_softmax ---------------------------------===//

#include "TensorSupport.h"

#include "espalier/Dialect/CG/IR/CGOps.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace espalier::cg;

LogicalResult SoftmaxOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  results.push_back(shapes[adaptor.getInput()]);
  return checkAxis(adaptor.getAxis(), results.back(), shapes); // softmax_c1
}

LogicalResult LogSoftmaxOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  results.push_back(shapes[adaptor.getInput()]);
  return checkAxis(adaptor.getAxis(), results.back(), shapes); // log_softmax_c1
}

/// For each element: a comparison, a difference, an exponential, a sum, and a division or another difference.
static OpCost softmaxCost(Operation *op, ShapeContext &shapes) {
  OpCost cost = movementCost(op, shapes);
  cost.flops = DimExpr(5) * shapes[op->getResult(0)].elements();
  return cost;
}

OpCost SoftmaxOp::getCost(ShapeContext &shapes) { return softmaxCost(*this, shapes); }
OpCost LogSoftmaxOp::getCost(ShapeContext &shapes) {
  OpCost cost = softmaxCost(*this, shapes);
  TensorShape rows = shapes[getInput()];
  rows.dims[getAxis()] = DimExpr(1);
  cost.flops += rows.elements(); // the logarithms
  return cost;
}

/// Calls `body(largest, sum of exp(x - largest), offset)` for each element; the first two are those of its row.
static void forEachInRow(const ReferenceTensor &input, int64_t axis,
                         llvm::function_ref<void(double, double, int64_t)> body) {
  AxisView view = viewAlong(input.shape(), axis);
  for (int64_t outer = 0; outer < view.outer; ++outer) {
    for (int64_t inner = 0; inner < view.inner; ++inner) {
      auto offset = [&](int64_t place) { return (outer * view.extent + place) * view.inner + inner; };
      double largest = -std::numeric_limits<double>::infinity(), sum = 0.0;
      for (int64_t place = 0; place < view.extent; ++place)
        largest = std::max(largest, input.data[offset(place)]);
      for (int64_t place = 0; place < view.extent; ++place)
        sum += std::exp(input.data[offset(place)] - largest);
      for (int64_t place = 0; place < view.extent; ++place)
        body(largest, sum, offset(place));
    }
  }
}

LogicalResult SoftmaxOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                  MutableArrayRef<ReferenceTensor> results) {
  forEachInRow(*operands[0], getAxis(), [&](double largest, double sum, int64_t offset) {
    results[0].data[offset] = std::exp(operands[0]->data[offset] - largest) / sum;
  });
  return success();
}

LogicalResult LogSoftmaxOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                     MutableArrayRef<ReferenceTensor> results) {
  forEachInRow(*operands[0], getAxis(), [&](double largest, double sum, int64_t offset) {
    results[0].data[offset] = operands[0]->data[offset] - largest - std::log(sum);
  });
  return success();
}

LogicalResult SoftmaxOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                  MutableArrayRef<Value> gradients) {
  if (!needed[0])
    return success();
  // y (dy - sum(dy y))
  Location loc = getLoc();
  auto axis = static_cast<int64_t>(getAxis());
  Value weighted = MulOp::create(builder, loc, cotangents[0], getResult());
  Value sum = ReduceSumOp::create(builder, loc, weighted, axis, /*keep_dims=*/true);
  Value centred = SubOp::create(builder, loc, cotangents[0], sum);
  gradients[0] = MulOp::create(builder, loc, getResult(), centred);
  return success();
}

LogicalResult LogSoftmaxOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                     MutableArrayRef<Value> gradients) {
  if (!needed[0])
    return success();
  // dy - exp(y) sum(dy)
  Location loc = getLoc();
  auto axis = static_cast<int64_t>(getAxis());
  Value sum = ReduceSumOp::create(builder, loc, cotangents[0], axis, /*keep_dims=*/true);
  Value weighted = MulOp::create(builder, loc, ExpOp::create(builder, loc, getResult()), sum);
  gradients[0] = SubOp::create(builder, loc, cotangents[0], weighted);
  return success();
}
