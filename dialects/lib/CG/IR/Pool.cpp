//===- Pool.cpp - pools and their gradients -------------------------------===//

#include "espalier/Dialect/CG/IR/CGOps.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace espalier::cg;

//===----------------------------------------------------------------------===//
// Attributes and shapes
//===----------------------------------------------------------------------===//

/// The window of attributes that `inferPool` accepts; `OpT` is a pool or its adaptor.
template <typename OpT> static WindowAttrs readWindow(OpT op) {
  WindowAttrs window;
  llvm::copy(op.getStrides().value_or(op.getKernel()), window.strides.begin());
  if (auto pads = op.getPads())
    llvm::copy(*pads, window.pads.begin());
  window.ceilMode = op.getCeilMode();
  return window;
}

/// The shape that pooling `input` gives.
template <typename Adaptor>
static LogicalResult inferPool(Adaptor adaptor, const TensorShape &input, ShapeContext &shapes, TensorShape &result) {
  if (failed(checkEntries("kernel", adaptor.getKernel(), 2, 1, shapes)) ||
      failed(checkEntries("strides", adaptor.getStrides(), 2, 1, shapes)) ||
      failed(checkEntries("pads", adaptor.getPads(), 4, 0, shapes))) // max_pool2d_c1, avg_pool2d_c1
    return failure();
  // Type inference runs before the operand constraints are checked.
  if (input.rank() != 4)
    return shapes.error("expects an input of rank 4, but got ", input);
  WindowAttrs window = readWindow(adaptor);
  ArrayRef<int64_t> kernel = adaptor.getKernel();
  result = {input.elementType, {input.dims[0], input.dims[1]}};
  for (unsigned dim : {0u, 1u}) {
    int64_t before = window.padBefore(dim), after = window.padAfter(dim);
    if (std::max(before, after) > kernel[dim] / 2) // max_pool2d_c1, avg_pool2d_c1
      return shapes.error("expects pads of at most half the kernel extent ", kernel[dim], ", but got ", before, " and ",
                          after);
    DimExpr positions = window.positions(dim, input.dims[2 + dim], kernel[dim]);
    if (positions.isOverflow()) // max_pool2d_c2, avg_pool2d_c2
      return shapes.error("expects the padded input to cover the window, but got input extent ", input.dims[2 + dim],
                          " with pads ", before, " and ", after, ", kernel extent ", kernel[dim]);
    result.dims.push_back(std::move(positions));
  }
  return success();
}

template <typename Adaptor>
static LogicalResult inferPoolGradient(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  TensorShape input = shapes[adaptor.getInput()], pooled;
  if (failed(inferPool(adaptor, input, shapes, pooled)) ||
      failed(checkSameShape("a cotangent", pooled, shapes[adaptor.getCotangent()], shapes)))
    return failure();
  results.push_back(std::move(input));
  return success();
}

LogicalResult MaxPool2dOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  return inferPool(adaptor, shapes[adaptor.getInput()], shapes, results.emplace_back());
}
LogicalResult AvgPool2dOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  return inferPool(adaptor, shapes[adaptor.getInput()], shapes, results.emplace_back());
}
LogicalResult MaxPool2dGradientOp::inferShapes(Adaptor adaptor, ShapeContext &shapes,
                                               SmallVectorImpl<TensorShape> &results) {
  return inferPoolGradient(adaptor, shapes, results); // max_pool2d_gradient_c1
}
LogicalResult AvgPool2dGradientOp::inferShapes(Adaptor adaptor, ShapeContext &shapes,
                                               SmallVectorImpl<TensorShape> &results) {
  return inferPoolGradient(adaptor, shapes, results); // avg_pool2d_gradient_c1
}
LogicalResult MaxPool2dSelectOp::inferShapes(Adaptor adaptor, ShapeContext &shapes,
                                             SmallVectorImpl<TensorShape> &results) {
  const TensorShape &input = shapes[adaptor.getInput()];
  if (failed(checkSameShape("values", input, shapes[adaptor.getValues()], shapes))) // max_pool2d_select_c1
    return failure();
  return inferPool(adaptor, input, shapes, results.emplace_back()); // max_pool2d_select_c2
}

WindowAttrs MaxPool2dOp::getWindow() { return readWindow(*this); }
WindowAttrs AvgPool2dOp::getWindow() { return readWindow(*this); }
WindowAttrs MaxPool2dGradientOp::getWindow() { return readWindow(*this); }
WindowAttrs MaxPool2dSelectOp::getWindow() { return readWindow(*this); }
WindowAttrs AvgPool2dGradientOp::getWindow() { return readWindow(*this); }

//===----------------------------------------------------------------------===//
// Cost
//===----------------------------------------------------------------------===//

/// One comparison or addition for each element of each window.
static DimExpr windowFlops(const TensorShape &pooled, ArrayRef<int64_t> kernel) {
  return pooled.elements() * DimExpr(kernel[0]) * DimExpr(kernel[1]);
}

OpCost MaxPool2dOp::getCost(ShapeContext &shapes) {
  OpCost cost = movementCost(*this, shapes);
  cost.flops = windowFlops(shapes[getResult()], getKernel());
  return cost;
}
OpCost AvgPool2dOp::getCost(ShapeContext &shapes) {
  OpCost cost = movementCost(*this, shapes);
  cost.flops = windowFlops(shapes[getResult()], getKernel());
  return cost;
}
OpCost MaxPool2dGradientOp::getCost(ShapeContext &shapes) {
  OpCost cost = movementCost(*this, shapes);
  cost.flops = windowFlops(shapes[getCotangent()], getKernel());
  return cost;
}
OpCost MaxPool2dSelectOp::getCost(ShapeContext &shapes) {
  OpCost cost = movementCost(*this, shapes);
  cost.flops = windowFlops(shapes[getResult()], getKernel());
  return cost;
}
OpCost AvgPool2dGradientOp::getCost(ShapeContext &shapes) {
  OpCost cost = movementCost(*this, shapes);
  cost.bytesRead = shapes[getCotangent()].bytes();
  cost.flops = windowFlops(shapes[getCotangent()], getKernel());
  return cost;
}

//===----------------------------------------------------------------------===//
// Reference evaluation
//===----------------------------------------------------------------------===//

namespace {
/// One window position: the offset of its result element, and the input elements in it, as offsets.
struct PoolWindow {
  int64_t output;
  int64_t firstRow, endRow, firstColumn, endColumn; // clipped to the input
  int64_t plane, width;
  double paddedArea; // elements inside the padded input

  template <typename Body> void forEachInput(Body body) const {
    for (int64_t row = firstRow; row < endRow; ++row)
      for (int64_t column = firstColumn; column < endColumn; ++column)
        body(plane + row * width + column);
  }
};
} // namespace

template <typename Body>
static void forEachWindow(ArrayRef<int64_t> input, ArrayRef<int64_t> output, ArrayRef<int64_t> kernel,
                          const WindowAttrs &window, Body body) {
  int64_t index = 0;
  for (int64_t plane = 0; plane < output[0] * output[1]; ++plane)
    for (int64_t row = 0; row < output[2]; ++row)
      for (int64_t column = 0; column < output[3]; ++column) {
        std::array<int64_t, 2> position = {row, column}, first, end;
        double area = 1.0;
        for (unsigned dim : {0u, 1u}) {
          int64_t start = position[dim] * window.strides[dim] - window.padBefore(dim);
          int64_t stop = std::min(start + kernel[dim], input[2 + dim] + window.padAfter(dim));
          area *= static_cast<double>(stop - start);
          first[dim] = std::max<int64_t>(start, 0);
          end[dim] = std::min(stop, input[2 + dim]);
        }
        body(PoolWindow{index++, first[0], end[0], first[1], end[1], plane * input[2] * input[3], input[3], area});
      }
}

/// The offset of the first maximum of a window, NaN above all; nothing where the window holds padding alone.
static std::optional<int64_t> findMaximum(const PoolWindow &window, ArrayRef<double> input) {
  std::optional<int64_t> best;
  window.forEachInput([&](int64_t i) {
    if (!best || input[i] > input[*best] || (std::isnan(input[i]) && !std::isnan(input[*best])))
      best = i;
  });
  return best;
}

LogicalResult MaxPool2dOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                    MutableArrayRef<ReferenceTensor> results) {
  const std::vector<double> &input = operands[0]->data;
  forEachWindow(operands[0]->shape(), results[0].shape(), getKernel(), getWindow(), [&](const PoolWindow &window) {
    std::optional<int64_t> best = findMaximum(window, input);
    results[0].data[window.output] = best ? input[*best] : -std::numeric_limits<double>::infinity();
  });
  return success();
}

LogicalResult MaxPool2dGradientOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                            MutableArrayRef<ReferenceTensor> results) {
  const ReferenceTensor &cotangent = *operands[0], &input = *operands[1];
  forEachWindow(input.shape(), cotangent.shape(), getKernel(), getWindow(), [&](const PoolWindow &window) {
    if (std::optional<int64_t> best = findMaximum(window, input.data))
      results[0].data[*best] += cotangent.data[window.output];
  });
  return success();
}

LogicalResult MaxPool2dSelectOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                          MutableArrayRef<ReferenceTensor> results) {
  const ReferenceTensor &values = *operands[0], &input = *operands[1];
  forEachWindow(input.shape(), results[0].shape(), getKernel(), getWindow(), [&](const PoolWindow &window) {
    if (std::optional<int64_t> best = findMaximum(window, input.data))
      results[0].data[window.output] = values.data[*best];
  });
  return success();
}

LogicalResult AvgPool2dOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                    MutableArrayRef<ReferenceTensor> results) {
  forEachWindow(operands[0]->shape(), results[0].shape(), getKernel(), getWindow(), [&](const PoolWindow &window) {
    double sum = 0.0;
    window.forEachInput([&](int64_t i) { sum += operands[0]->data[i]; });
    results[0].data[window.output] = sum / window.paddedArea;
  });
  return success();
}

LogicalResult AvgPool2dGradientOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                            MutableArrayRef<ReferenceTensor> results) {
  const ReferenceTensor &cotangent = *operands[0];
  forEachWindow(operands[1]->shape(), cotangent.shape(), getKernel(), getWindow(), [&](const PoolWindow &window) {
    window.forEachInput([&](int64_t i) { results[0].data[i] += cotangent.data[window.output] / window.paddedArea; });
  });
  return success();
}

//===----------------------------------------------------------------------===//
// Linearity and derivatives
//===----------------------------------------------------------------------===//

bool AvgPool2dOp::isLinearIn(unsigned) { return true; }
bool AvgPool2dGradientOp::isLinearIn(unsigned operandIndex) { return operandIndex == 0; }
bool MaxPool2dGradientOp::isLinearIn(unsigned operandIndex) { return operandIndex == 0; }
bool MaxPool2dSelectOp::isLinearIn(unsigned operandIndex) { return operandIndex == 0; }

LogicalResult MaxPool2dOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool>,
                                    MutableArrayRef<Value> gradients) {
  gradients[0] = MaxPool2dGradientOp::create(builder, getLoc(), cotangents[0], getInput(), getKernelAttr(),
                                             getStridesAttr(), getPadsAttr(), getCeilModeAttr());
  return success();
}

// Each of the two is linear in its first operand, with the other as its transpose; the input only decides which places
// count.
LogicalResult MaxPool2dGradientOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                            MutableArrayRef<Value> gradients) {
  if (needed[0])
    gradients[0] = MaxPool2dSelectOp::create(builder, getLoc(), cotangents[0], getInput(), getKernelAttr(),
                                             getStridesAttr(), getPadsAttr(), getCeilModeAttr());
  return success();
}
LogicalResult MaxPool2dSelectOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                          MutableArrayRef<Value> gradients) {
  if (needed[0])
    gradients[0] = MaxPool2dGradientOp::create(builder, getLoc(), cotangents[0], getInput(), getKernelAttr(),
                                               getStridesAttr(), getPadsAttr(), getCeilModeAttr());
  return success();
}

LogicalResult AvgPool2dOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool>,
                                    MutableArrayRef<Value> gradients) {
  gradients[0] = AvgPool2dGradientOp::create(builder, getLoc(), cotangents[0], getInput(), getKernelAttr(),
                                             getStridesAttr(), getPadsAttr(), getCeilModeAttr());
  return success();
}

LogicalResult AvgPool2dGradientOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                            MutableArrayRef<Value> gradients) {
  // It is linear in the cotangent, with the mean over windows as its transpose; the input lends its extents alone.
  if (needed[0])
    gradients[0] = AvgPool2dOp::create(builder, getLoc(), cotangents[0], getKernelAttr(), getStridesAttr(),
                                       getPadsAttr(), getCeilModeAttr());
  return success();
}
