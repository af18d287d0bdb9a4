//===- Convolution.cpp - 2-D convolution and its gradients ----------------===//

#include "espalier/Dialect/CG/IR/CGOps.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace espalier::cg;

//===----------------------------------------------------------------------===//
// Attributes and shapes
//===----------------------------------------------------------------------===//

/// The window of attributes that `checkAttributes` accepts; `OpT` is a convolution op or its adaptor.
template <typename OpT> static WindowAttrs readWindow(OpT op) {
  WindowAttrs window;
  if (auto strides = op.getStrides())
    llvm::copy(*strides, window.strides.begin());
  if (auto pads = op.getPads())
    llvm::copy(*pads, window.pads.begin());
  if (auto dilations = op.getDilations())
    llvm::copy(*dilations, window.dilations.begin());
  window.groups = op.getGroups().value_or(1);
  return window;
}

template <typename Adaptor> static LogicalResult checkAttributes(Adaptor adaptor, ShapeContext &shapes) {
  if (failed(checkEntries("strides", adaptor.getStrides(), 2, 1, shapes)) ||
      failed(checkEntries("pads", adaptor.getPads(), 4, 0, shapes)) ||
      failed(checkEntries("dilations", adaptor.getDilations(), 2, 1, shapes)))
    return failure();
  int64_t groups = adaptor.getGroups().value_or(1);
  if (groups < 1)
    return shapes.error("expects 'groups' to be at least 1, but got ", groups);
  return success();
}

/// The shape that `cg.conv2d` of `input` and `filter` gives.
template <typename Adaptor>
static LogicalResult inferConvolution(Adaptor adaptor, const TensorShape &input, const TensorShape &filter,
                                      ShapeContext &shapes, TensorShape &result) {
  if (failed(checkAttributes(adaptor, shapes))) // conv2d_c1
    return failure();
  // Type inference runs before the operand constraints are checked.
  if (input.rank() != 4 || filter.rank() != 4)
    return shapes.error("expects tensors of rank 4, but got ", input, " and ", filter);
  WindowAttrs window = readWindow(adaptor);
  if (input.elementType != filter.elementType) // conv2d_c2
    return shapes.error("expects one element type, but got input ", input, " and filter ", filter);
  if (shapes.conflict(input.dims[1], filter.dims[1] * DimExpr(window.groups))) // conv2d_c2
    return shapes.error("expects input channels (", input.dims[1], ") to equal filter channels (", filter.dims[1],
                        ") times groups (", window.groups, ")");
  std::optional<int64_t> features = filter.dims[0].getConstant();
  if (features && *features % window.groups != 0) // conv2d_c3
    return shapes.error("expects filter features (", *features, ") to be a multiple of groups (", window.groups, ")");

  result = {input.elementType, {input.dims[0], filter.dims[0]}};
  for (unsigned dim : {0u, 1u}) {
    const DimExpr &extent = input.dims[2 + dim], &kernel = filter.dims[2 + dim];
    DimExpr positions = window.positions(dim, extent, kernel);
    if (positions.isOverflow() || kernel.isConstant(0)) // conv2d_c4
      return shapes.error("expects the padded input to cover the dilated filter, but got input extent ", extent,
                          " with pads ", window.padBefore(dim), " and ", window.padAfter(dim), ", filter extent ",
                          kernel, " with dilation ", window.dilations[dim]);
    result.dims.push_back(std::move(positions));
  }
  return success();
}

/// Checks that `cotangent` has the shape of `cg.conv2d` of `input` and `filter`.
template <typename Adaptor>
static LogicalResult checkCotangent(Adaptor adaptor, const TensorShape &input, const TensorShape &filter,
                                    const TensorShape &cotangent, ShapeContext &shapes) {
  TensorShape expected;
  if (failed(inferConvolution(adaptor, input, filter, shapes, expected)))
    return failure();
  return checkSameShape("a cotangent", expected, cotangent, shapes);
}

LogicalResult Conv2dOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  TensorShape result;
  if (failed(inferConvolution(adaptor, shapes[adaptor.getInput()], shapes[adaptor.getFilter()], shapes, result)))
    return failure();
  results.push_back(std::move(result));
  return success();
}

LogicalResult Conv2dInputGradientOp::inferShapes(Adaptor adaptor, ShapeContext &shapes,
                                                 SmallVectorImpl<TensorShape> &results) {
  const TensorShape &like = shapes[adaptor.getLike()];
  if (failed(checkCotangent(adaptor, like, shapes[adaptor.getFilter()], shapes[adaptor.getCotangent()],
                            shapes))) // conv2d_input_gradient_c1
    return failure();
  results.push_back(like);
  return success();
}

LogicalResult Conv2dFilterGradientOp::inferShapes(Adaptor adaptor, ShapeContext &shapes,
                                                  SmallVectorImpl<TensorShape> &results) {
  const TensorShape &input = shapes[adaptor.getInput()], &like = shapes[adaptor.getLike()];
  if (!mayAccumulateIn(like.elementType, input.elementType)) // conv2d_filter_gradient_c2
    return shapes.error("expects a filter of the input's element type, or of f32 where that is narrower, but got ",
                        like, " for ", input);
  TensorShape filter{input.elementType, like.dims};
  if (failed(checkCotangent(adaptor, input, filter, shapes[adaptor.getCotangent()],
                            shapes))) // conv2d_filter_gradient_c1
    return failure();
  results.push_back(like);
  return success();
}

WindowAttrs Conv2dOp::getWindow() { return readWindow(*this); }
WindowAttrs Conv2dInputGradientOp::getWindow() { return readWindow(*this); }
WindowAttrs Conv2dFilterGradientOp::getWindow() { return readWindow(*this); }

//===----------------------------------------------------------------------===//
// Cost
//===----------------------------------------------------------------------===//

/// The three convolutions multiply the same pairs: one MAC for each result element of the forward one and each filter
/// tap that it sees, those that meet padding included.
static OpCost convolutionCost(const TensorShape &output, const TensorShape &filter) {
  OpCost cost;
  cost.macs = output.elements() * filter.dims[1] * filter.dims[2] * filter.dims[3];
  cost.flops = DimExpr(2) * cost.macs;
  return cost;
}

OpCost Conv2dOp::getCost(ShapeContext &shapes) {
  const TensorShape &input = shapes[getInput()], &filter = shapes[getFilter()], &result = shapes[getResult()];
  OpCost cost = convolutionCost(result, filter);
  cost.bytesRead = input.bytes() + filter.bytes();
  cost.bytesWritten = result.bytes();
  return cost;
}

OpCost Conv2dInputGradientOp::getCost(ShapeContext &shapes) {
  const TensorShape &cotangent = shapes[getCotangent()], &filter = shapes[getFilter()];
  OpCost cost = convolutionCost(cotangent, filter);
  cost.bytesRead = cotangent.bytes() + filter.bytes();
  cost.bytesWritten = shapes[getResult()].bytes();
  return cost;
}

OpCost Conv2dFilterGradientOp::getCost(ShapeContext &shapes) {
  const TensorShape &cotangent = shapes[getCotangent()], &filter = shapes[getResult()];
  OpCost cost = convolutionCost(cotangent, filter);
  cost.bytesRead = shapes[getInput()].bytes() + cotangent.bytes();
  cost.bytesWritten = filter.bytes();
  return cost;
}

//===----------------------------------------------------------------------===//
// Reference evaluation
//===----------------------------------------------------------------------===//

/// Calls `body(input, filter, output, count)` with element offsets for every filter tap and every run of `count` output
/// columns that it touches: output elements are adjacent, input elements lie the horizontal stride apart.
template <typename Body>
static void forEachRun(ArrayRef<int64_t> input, ArrayRef<int64_t> filter, ArrayRef<int64_t> output,
                       const WindowAttrs &window, Body body) {
  int64_t featuresPerGroup = filter[0] / window.groups;
  // The output positions whose tap at `offset` (before the stride) falls inside [0, extent).
  auto inside = [](int64_t offset, int64_t stride, int64_t extent, int64_t count) {
    int64_t first = std::max<int64_t>(0, llvm::divideCeilSigned(-offset, stride));
    int64_t last = llvm::divideFloorSigned(extent - 1 - offset, stride);
    return std::pair(first, std::min(last + 1, count));
  };
  for (int64_t n = 0; n < output[0]; ++n)
    for (int64_t feature = 0; feature < filter[0]; ++feature)
      for (int64_t channel = 0; channel < filter[1]; ++channel)
        for (int64_t kh = 0; kh < filter[2]; ++kh)
          for (int64_t kw = 0; kw < filter[3]; ++kw) {
            int64_t inputChannel = feature / featuresPerGroup * filter[1] + channel;
            int64_t top = kh * window.dilations[0] - window.padBefore(0);
            int64_t left = kw * window.dilations[1] - window.padBefore(1);
            auto [firstRow, endRow] = inside(top, window.strides[0], input[2], output[2]);
            auto [firstColumn, endColumn] = inside(left, window.strides[1], input[3], output[3]);
            if (firstColumn >= endColumn)
              continue;
            int64_t tap = ((feature * filter[1] + channel) * filter[2] + kh) * filter[3] + kw;
            for (int64_t row = firstRow; row < endRow; ++row) {
              int64_t inputRow = (n * input[1] + inputChannel) * input[2] + row * window.strides[0] + top;
              int64_t outputRow = (n * output[1] + feature) * output[2] + row;
              body(inputRow * input[3] + firstColumn * window.strides[1] + left, tap,
                   outputRow * output[3] + firstColumn, endColumn - firstColumn);
            }
          }
}

LogicalResult Conv2dOp::evaluate(ArrayRef<const ReferenceTensor *> operands, MutableArrayRef<ReferenceTensor> results) {
  WindowAttrs window = getWindow();
  const double *input = operands[0]->data.data(), *filter = operands[1]->data.data();
  double *output = results[0].data.data();
  forEachRun(operands[0]->shape(), operands[1]->shape(), results[0].shape(), window,
             [&](int64_t in, int64_t tap, int64_t out, int64_t count) {
               for (int64_t i = 0; i < count; ++i)
                 output[out + i] += filter[tap] * input[in + i * window.strides[1]];
             });
  return success();
}

LogicalResult Conv2dInputGradientOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                              MutableArrayRef<ReferenceTensor> results) {
  WindowAttrs window = getWindow();
  const double *cotangent = operands[0]->data.data(), *filter = operands[1]->data.data();
  double *result = results[0].data.data();
  forEachRun(results[0].shape(), operands[1]->shape(), operands[0]->shape(), window,
             [&](int64_t in, int64_t tap, int64_t out, int64_t count) {
               for (int64_t i = 0; i < count; ++i)
                 result[in + i * window.strides[1]] += filter[tap] * cotangent[out + i];
             });
  return success();
}

LogicalResult Conv2dFilterGradientOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                               MutableArrayRef<ReferenceTensor> results) {
  WindowAttrs window = getWindow();
  const double *input = operands[0]->data.data(), *cotangent = operands[1]->data.data();
  double *result = results[0].data.data();
  forEachRun(operands[0]->shape(), results[0].shape(), operands[1]->shape(), window,
             [&](int64_t in, int64_t tap, int64_t out, int64_t count) {
               double sum = 0.0;
               for (int64_t i = 0; i < count; ++i)
                 sum += cotangent[out + i] * input[in + i * window.strides[1]];
               result[tap] += sum;
             });
  return success();
}

//===----------------------------------------------------------------------===//
// Linearity and derivatives
//===----------------------------------------------------------------------===//

// A convolution is bilinear, and so are its two gradients: each is the derivative of the others.

bool Conv2dOp::isLinearIn(unsigned) { return true; }
// Only the extents of `like` matter.
bool Conv2dInputGradientOp::isLinearIn(unsigned operandIndex) { return operandIndex != 2; }
bool Conv2dFilterGradientOp::isLinearIn(unsigned operandIndex) { return operandIndex != 2; }

template <typename OpT> static Value convolve(OpBuilder &builder, OpT like, Value input, Value filter) {
  return Conv2dOp::create(builder, like.getLoc(), input, filter, like.getStridesAttr(), like.getPadsAttr(),
                          like.getDilationsAttr(), like.getGroupsAttr());
}
template <typename OpT>
static Value inputGradient(OpBuilder &builder, OpT like, Value cotangent, Value filter, Value input) {
  return Conv2dInputGradientOp::create(builder, like.getLoc(), cotangent, filter, input, like.getStridesAttr(),
                                       like.getPadsAttr(), like.getDilationsAttr(), like.getGroupsAttr());
}
template <typename OpT>
static Value filterGradient(OpBuilder &builder, OpT like, Value input, Value cotangent, Value filter) {
  return Conv2dFilterGradientOp::create(builder, like.getLoc(), input, cotangent, filter, like.getStridesAttr(),
                                        like.getPadsAttr(), like.getDilationsAttr(), like.getGroupsAttr());
}

LogicalResult Conv2dOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                 MutableArrayRef<Value> gradients) {
  if (needed[0])
    gradients[0] = inputGradient(builder, *this, cotangents[0], getFilter(), getInput());
  if (needed[1])
    gradients[1] = filterGradient(builder, *this, getInput(), cotangents[0], getFilter());
  return success();
}

LogicalResult Conv2dInputGradientOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                              MutableArrayRef<Value> gradients) {
  if (needed[0])
    gradients[0] = convolve(builder, *this, cotangents[0], getFilter());
  if (needed[1])
    gradients[1] = filterGradient(builder, *this, cotangents[0], getCotangent(), getFilter());
  return success();
}

LogicalResult Conv2dFilterGradientOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                               MutableArrayRef<Value> gradients) {
  Value filter = castLike(builder, getLoc(), cotangents[0], getInput());
  if (needed[0])
    gradients[0] = inputGradient(builder, *this, getCotangent(), filter, getInput());
  if (needed[1])
    gradients[1] = convolve(builder, *this, getInput(), filter);
  return success();
}
