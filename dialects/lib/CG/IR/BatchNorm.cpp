//===- BatchNorm.cpp - batch normalisation --------------------------------===//

#include "espalier/Dialect/CG/IR/CGOps.h"

#include <cmath>

using namespace mlir;
using namespace espalier::cg;

//===----------------------------------------------------------------------===//
// Shapes and verification
//===----------------------------------------------------------------------===//

/// Checks that `vectors` run over dimension 1 of `input`, in its element type.
static LogicalResult checkChannelVectors(const TensorShape &input, ValueRange vectors, ShapeContext &shapes) {
  if (input.rank() < 2)
    return shapes.error("expects an input of rank 2 or more, but got ", input);
  for (Value value : vectors) {
    const TensorShape &vector = shapes[value];
    if (vector.rank() != 1 || vector.elementType != input.elementType || shapes.conflict(vector.dims[0], input.dims[1]))
      return shapes.error("expects vectors over dimension 1 of the input, but got ", vector, " for ", input);
  }
  return success();
}

LogicalResult BatchNormOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  TensorShape input = shapes[adaptor.getInput()];
  if (failed(checkChannelVectors(input, adaptor.getOperands().drop_front(), shapes))) // batch_norm_c1
    return failure();
  results.push_back(std::move(input));
  return success();
}

LogicalResult BatchNormInferenceOp::inferShapes(Adaptor adaptor, ShapeContext &shapes,
                                                SmallVectorImpl<TensorShape> &results) {
  TensorShape input = shapes[adaptor.getInput()];
  if (failed(checkChannelVectors(input, adaptor.getOperands().drop_front(), shapes))) // batch_norm_inference_c1
    return failure();
  results.push_back(std::move(input));
  return success();
}

LogicalResult BatchNormTrainingOp::inferShapes(Adaptor adaptor, ShapeContext &shapes,
                                               SmallVectorImpl<TensorShape> &results) {
  TensorShape input = shapes[adaptor.getInput()];
  if (failed(checkChannelVectors(input, adaptor.getOperands().drop_front(), shapes))) // batch_norm_training_c1
    return failure();
  TensorShape statistic{input.elementType, {input.dims[1]}};
  results.append({std::move(input), statistic, statistic});
  return success();
}

static LogicalResult verifyEpsilon(Operation *op, const APFloat &epsilon) {
  if (!(epsilon.convertToDouble() >= 0.0)) // batch_norm_c2, batch_norm_inference_c2, batch_norm_training_c2
    return op->emitOpError("expects 'epsilon' to be at least 0, but got ") << epsilon.convertToDouble();
  return success();
}

LogicalResult BatchNormOp::verify() {
  double momentum = getMomentum().convertToDouble();
  if (!(momentum >= 0.0 && momentum <= 1.0)) // batch_norm_c2
    return emitOpError("expects 'momentum' in [0, 1], but got ") << momentum;
  return verifyEpsilon(*this, getEpsilon());
}
LogicalResult BatchNormInferenceOp::verify() { return verifyEpsilon(*this, getEpsilon()); }
LogicalResult BatchNormTrainingOp::verify() { return verifyEpsilon(*this, getEpsilon()); }

//===----------------------------------------------------------------------===//
// Cost
//===----------------------------------------------------------------------===//

/// Each element is centred, divided, scaled and shifted; each channel takes one sum and one root.
static OpCost normalisationCost(Operation *op, ShapeContext &shapes) {
  OpCost cost = movementCost(op, shapes);
  const TensorShape &input = shapes[op->getOperand(0)];
  cost.flops = DimExpr(4) * input.elements() + DimExpr(2) * input.dims[1];
  return cost;
}

OpCost BatchNormOp::getCost(ShapeContext &shapes) { return normalisationCost(*this, shapes); }
OpCost BatchNormInferenceOp::getCost(ShapeContext &shapes) { return normalisationCost(*this, shapes); }
OpCost BatchNormTrainingOp::getCost(ShapeContext &shapes) {
  // The statistics take one addition for the mean; a difference, a square and an addition for the variance; and two
  // divisions for each channel.
  OpCost cost = normalisationCost(*this, shapes);
  const TensorShape &input = shapes[getInput()];
  cost.flops += DimExpr(4) * input.elements() + DimExpr(2) * input.dims[1];
  return cost;
}

//===----------------------------------------------------------------------===//
// Reference evaluation
//===----------------------------------------------------------------------===//

/// Calls `body(channel, element offset)` for each element.
static void forEachElement(const ReferenceTensor &tensor, llvm::function_ref<void(int64_t, int64_t)> body) {
  int64_t channels = tensor.shape()[1], inner = 1;
  for (int64_t extent : tensor.shape().drop_front(2))
    inner *= extent;
  for (int64_t i = 0; i < tensor.size(); ++i)
    body(i / inner % channels, i);
}

static void normalise(const ReferenceTensor &input, ArrayRef<double> scale, ArrayRef<double> shift,
                      ArrayRef<double> mean, ArrayRef<double> variance, double epsilon, ReferenceTensor &result) {
  forEachElement(input, [&](int64_t c, int64_t i) {
    result.data[i] = (input.data[i] - mean[c]) / std::sqrt(variance[c] + epsilon) * scale[c] + shift[c];
  });
}

LogicalResult BatchNormOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                    MutableArrayRef<ReferenceTensor> results) {
  normalise(*operands[0], operands[1]->data, operands[2]->data, operands[3]->data, operands[4]->data,
            getEpsilon().convertToDouble(), results[0]);
  return success();
}

LogicalResult BatchNormInferenceOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                             MutableArrayRef<ReferenceTensor> results) {
  normalise(*operands[0], operands[1]->data, operands[2]->data, operands[3]->data, operands[4]->data,
            getEpsilon().convertToDouble(), results[0]);
  return success();
}

LogicalResult BatchNormTrainingOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                            MutableArrayRef<ReferenceTensor> results) {
  const ReferenceTensor &input = *operands[0];
  std::vector<double> &mean = results[1].data, &variance = results[2].data;
  double count = 1.0; // elements of one channel
  for (int64_t dim = 0; dim < input.rank(); ++dim)
    count *= dim == 1 ? 1 : input.shape()[dim];
  forEachElement(input, [&](int64_t c, int64_t i) { mean[c] += input.data[i]; });
  for (double &value : mean)
    value /= count;
  forEachElement(input, [&](int64_t c, int64_t i) {
    double centred = input.data[i] - mean[c];
    variance[c] += centred * centred;
  });
  for (double &value : variance)
    value /= count;
  normalise(input, operands[1]->data, operands[2]->data, mean, variance, getEpsilon().convertToDouble(), results[0]);
  return success();
}

//===----------------------------------------------------------------------===//
// Derivatives
//===----------------------------------------------------------------------===//

namespace {
/// Arithmetic on an image and on vectors over its channels, as ops at one place.
struct ChannelBuilder {
  OpBuilder &builder;
  Location loc;
  Value image; // the op's input

  Value add(Value a, Value b) { return AddOp::create(builder, loc, a, b); }
  Value sub(Value a, Value b) { return SubOp::create(builder, loc, a, b); }
  Value mul(Value a, Value b) { return MulOp::create(builder, loc, a, b); }
  Value div(Value a, Value b) { return DivOp::create(builder, loc, a, b); }
  Value number(double value) { return createScalar(builder, loc, image, value); }

  /// A vector over channels, shaped so that it broadcasts against the image.
  Value spread(Value vector) {
    SmallVector<int64_t> shape(rank() - 1, 1);
    shape[0] = -1;
    return ReshapeOp::create(builder, loc, vector, shape);
  }
  /// Sums over all dimensions but the channels.
  Value sumByChannel(Value value) { return ReduceSumOp::create(builder, loc, value, otherDims(), /*keep_dims=*/false); }
  /// Number of elements of one channel.
  Value count() {
    Type element = cast<RankedTensorType>(image.getType()).getElementType();
    return ExtentOp::create(builder, loc, image, otherDims(), element);
  }
  /// 1 / sqrt(variance + epsilon)
  Value inverseDeviation(Value variance, const APFloat &epsilon) {
    return RsqrtOp::create(builder, loc, add(variance, number(epsilon.convertToDouble())));
  }

private:
  int64_t rank() { return cast<RankedTensorType>(image.getType()).getRank(); }
  SmallVector<int64_t> otherDims() {
    SmallVector<int64_t> dims{0};
    llvm::append_range(dims, llvm::seq<int64_t>(2, rank()));
    return dims;
  }
};
} // namespace

LogicalResult BatchNormInferenceOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                             MutableArrayRef<Value> gradients) {
  ChannelBuilder b{builder, getLoc(), getInput()};
  Value cotangent = cotangents[0];
  Value inverse = b.inverseDeviation(getVariance(), getEpsilon());
  Value slope = needed[0] || needed[3] || needed[4] ? b.mul(getScale(), inverse) : Value();
  if (needed[0])
    gradients[0] = b.mul(cotangent, b.spread(slope));
  Value sum, centredSum; // of the cotangent, and of its product with x - mean
  if (needed[2] || needed[3])
    sum = b.sumByChannel(cotangent);
  if (needed[1] || needed[4])
    centredSum = b.sumByChannel(b.mul(cotangent, b.sub(getInput(), b.spread(getMean()))));
  if (needed[1])
    gradients[1] = b.mul(centredSum, inverse);
  if (needed[2])
    gradients[2] = sum;
  if (needed[3])
    gradients[3] = NegOp::create(builder, getLoc(), b.mul(sum, slope));
  if (needed[4]) { // d/dv (v + epsilon)^-1/2 = -1/2 (v + epsilon)^-3/2
    Value factor = b.mul(slope, b.mul(inverse, inverse));
    gradients[4] = b.mul(b.number(-0.5), b.mul(centredSum, factor));
  }
  return success();
}

LogicalResult BatchNormTrainingOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                            MutableArrayRef<Value> gradients) {
  // With n elements in a channel, d = x - mean, r = 1 / sqrt(variance + epsilon), cotangents g of the result, gm of the
  // mean and gv of the variance (Ioffe and Szegedy 2015, section 3, with the terms of the statistics added):
  //   dx = scale r g + (2 gv - scale r^3 sum(g d)) / n * d + (gm - scale r sum(g)) / n
  ChannelBuilder b{builder, getLoc(), getInput()};
  Value cotangent = cotangents[0], ofMean = cotangents[1], ofVariance = cotangents[2];
  Value centred, inverse, sum, centredSum;
  if (needed[0] || (needed[1] && cotangent))
    centred = b.sub(getInput(), b.spread(getMean()));
  if (cotangent) {
    inverse = b.inverseDeviation(getVariance(), getEpsilon());
    if (needed[0] || needed[2])
      sum = b.sumByChannel(cotangent);
    if (needed[0] || needed[1])
      centredSum = b.sumByChannel(b.mul(cotangent, centred));
    if (needed[1])
      gradients[1] = b.mul(centredSum, inverse);
    if (needed[2])
      gradients[2] = sum;
  }
  if (!needed[0])
    return success();

  Value slope = ofVariance ? b.mul(b.number(2.0), ofVariance) : Value(), constant = ofMean, direct;
  auto subtract = [&](Value from, Value value) -> Value {
    return from ? b.sub(from, value) : NegOp::create(builder, getLoc(), value).getResult();
  };
  if (cotangent) {
    Value factor = b.mul(getScale(), inverse);
    direct = b.mul(b.spread(factor), cotangent);
    slope = subtract(slope, b.mul(b.mul(factor, b.mul(inverse, inverse)), centredSum));
    constant = subtract(constant, b.mul(factor, sum));
  }
  Value count = b.count(), total = direct;
  if (slope) {
    Value term = b.mul(b.spread(b.div(slope, count)), centred);
    total = total ? b.add(total, term) : term;
  }
  if (constant) {
    Value term = b.spread(b.div(constant, count));
    // Alone it has the shape of a channel, not of the input.
    total = total ? b.add(total, term) : BroadcastLikeOp::create(builder, getLoc(), term, getInput()).getResult();
  }
  gradients[0] = total;
  return success();
}
