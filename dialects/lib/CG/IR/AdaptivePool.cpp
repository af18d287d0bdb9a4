//===- AdaptivePool.cpp - means over a given number of windows ------------===//

#include "TensorSupport.h"

#include "espalier/Dialect/CG/IR/CGOps.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace espalier::cg;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

/// Checks that `input` is an image with elements, as far as its extents are known.
static LogicalResult checkImage(const TensorShape &input, ShapeContext &shapes) {
  // Type inference runs before the operand constraints are checked.
  if (input.rank() != 4 || input.dims[2].isConstant(0) || input.dims[3].isConstant(0))
    return shapes.error("expects an image with rows and columns, but got ", input);
  return success();
}

LogicalResult AdaptiveAvgPool2dOp::inferShapes(Adaptor adaptor, ShapeContext &shapes,
                                               SmallVectorImpl<TensorShape> &results) {
  const TensorShape &input = shapes[adaptor.getInput()];
  if (failed(checkEntries("extents", adaptor.getExtents(), 2, 1, shapes)) || // adaptive_avg_pool2d_c1
      failed(checkImage(input, shapes)))                                     // adaptive_avg_pool2d_c2
    return failure();
  ArrayRef<int64_t> extents = adaptor.getExtents();
  results.push_back({input.elementType, {input.dims[0], input.dims[1], extents[0], extents[1]}});
  return success();
}

LogicalResult AdaptiveAvgPool2dGradientOp::inferShapes(Adaptor adaptor, ShapeContext &shapes,
                                                       SmallVectorImpl<TensorShape> &results) {
  const TensorShape &cotangent = shapes[adaptor.getCotangent()], &input = shapes[adaptor.getInput()];
  if (failed(checkImage(input, shapes))) // adaptive_avg_pool2d_gradient_c2
    return failure();
  auto isCounted = [](const DimExpr &dim) { return dim.getConstant().value_or(0) > 0; };
  if (cotangent.rank() != 4 || cotangent.elementType != input.elementType ||
      shapes.conflict(cotangent.dims[0], input.dims[0]) || shapes.conflict(cotangent.dims[1], input.dims[1]) ||
      !isCounted(cotangent.dims[2]) || !isCounted(cotangent.dims[3])) // adaptive_avg_pool2d_gradient_c1
    return shapes.error("expects a cotangent of known rows and columns for ", input, ", but got ", cotangent);
  results.push_back(input);
  return success();
}

//===----------------------------------------------------------------------===//
// Cost and evaluation
//===----------------------------------------------------------------------===//

// One addition for each element of the image and one division for each mean. What neighbouring windows share is counted
// once: how much that is depends on the remainder of two extents, which has no expression in a symbolic size.
OpCost AdaptiveAvgPool2dOp::getCost(ShapeContext &shapes) {
  OpCost cost = movementCost(*this, shapes);
  cost.flops = shapes[getInput()].elements() + shapes[getResult()].elements();
  return cost;
}
OpCost AdaptiveAvgPool2dGradientOp::getCost(ShapeContext &shapes) {
  OpCost cost;
  cost.bytesRead = shapes[getCotangent()].bytes();
  cost.bytesWritten = shapes[getResult()].bytes();
  cost.flops = shapes[getCotangent()].elements() + shapes[getResult()].elements();
  return cost;
}

/// Calls `body(place in the pooled image, place in the image, elements in the window)` for all pairs that belong
/// together.
static void forEachPair(ArrayRef<int64_t> pooled, ArrayRef<int64_t> image,
                        llvm::function_ref<void(int64_t, int64_t, double)> body) {
  forEachPosition(pooled, [&](ArrayRef<int64_t> position, int64_t offset) {
    std::array<int64_t, 2> begin, end;
    for (unsigned dim : {0u, 1u}) {
      int64_t index = position[2 + dim], extent = image[2 + dim], count = pooled[2 + dim];
      begin[dim] = index * extent / count;
      end[dim] = llvm::divideCeilSigned((index + 1) * extent, count);
    }
    auto size = static_cast<double>((end[0] - begin[0]) * (end[1] - begin[1]));
    for (int64_t row = begin[0]; row < end[0]; ++row)
      for (int64_t column = begin[1]; column < end[1]; ++column)
        body(offset, offsetOf({position[0], position[1], row, column}, image), size);
  });
}

LogicalResult AdaptiveAvgPool2dOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                            MutableArrayRef<ReferenceTensor> results) {
  const ReferenceTensor &input = *operands[0];
  ReferenceTensor &result = results[0];
  forEachPair(result.shape(), input.shape(),
              [&](int64_t mean, int64_t element, double size) { result.data[mean] += input.data[element] / size; });
  return success();
}

LogicalResult AdaptiveAvgPool2dGradientOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                                    MutableArrayRef<ReferenceTensor> results) {
  const ReferenceTensor &cotangent = *operands[0];
  ReferenceTensor &result = results[0];
  forEachPair(cotangent.shape(), result.shape(),
              [&](int64_t mean, int64_t element, double size) { result.data[element] += cotangent.data[mean] / size; });
  return success();
}

//===----------------------------------------------------------------------===//
// Linearity, derivative, folding
//===----------------------------------------------------------------------===//

bool AdaptiveAvgPool2dOp::isLinearIn(unsigned) { return true; }
bool AdaptiveAvgPool2dGradientOp::isLinearIn(unsigned operandIndex) { return operandIndex == 0; }

LogicalResult AdaptiveAvgPool2dOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                            MutableArrayRef<Value> gradients) {
  if (needed[0])
    gradients[0] = AdaptiveAvgPool2dGradientOp::create(builder, getLoc(), cotangents[0], getInput());
  return success();
}

LogicalResult AdaptiveAvgPool2dGradientOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                                    MutableArrayRef<Value> gradients) {
  if (needed[0]) // nothing depends on the values of the input
    gradients[0] =
        AdaptiveAvgPool2dOp::create(builder, getLoc(), cotangents[0], getCotangent().getType().getShape().take_back(2));
  return success();
}

OpFoldResult AdaptiveAvgPool2dOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() && getType().getShape().take_back(2) == getExtents()
             ? OpFoldResult(getInput())
             : OpFoldResult();
}
