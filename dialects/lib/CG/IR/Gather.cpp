//===- Gather.cpp - gather, scatter_add -----------------------------------===//

#include "TensorSupport.h"

#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Dialect/CG/IR/Window.h"

using namespace mlir;
using namespace espalier::cg;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

static FailureOr<TensorShape> gatherShape(int64_t axis, const TensorShape &input, const TensorShape &indices,
                                          ShapeContext &shapes) {
  if (failed(checkAxis(axis, input, shapes))) // gather_c1, scatter_add_c1
    return failure();
  TensorShape result{input.elementType, {}};
  result.dims.append(input.dims.begin(), input.dims.begin() + axis);
  llvm::append_range(result.dims, indices.dims);
  result.dims.append(input.dims.begin() + axis + 1, input.dims.end());
  return result;
}

LogicalResult GatherOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  FailureOr<TensorShape> result =
      gatherShape(adaptor.getAxis(), shapes[adaptor.getInput()], shapes[adaptor.getIndices()], shapes);
  if (failed(result))
    return failure();
  results.push_back(std::move(*result));
  return success();
}

LogicalResult ScatterAddOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  const TensorShape &input = shapes[adaptor.getInput()], &updates = shapes[adaptor.getUpdates()];
  FailureOr<TensorShape> gathered = gatherShape(adaptor.getAxis(), input, shapes[adaptor.getIndices()], shapes);
  if (failed(gathered) || failed(checkSameShape("updates", *gathered, updates, shapes))) // scatter_add_c2
    return failure();
  results.push_back(input);
  return success();
}

//===----------------------------------------------------------------------===//
// Cost and evaluation
//===----------------------------------------------------------------------===//

OpCost GatherOp::getCost(ShapeContext &shapes) { // only the slices taken are read
  OpCost cost;
  cost.bytesWritten = shapes[getResult()].bytes();
  cost.bytesRead = shapes[getIndices()].bytes() + cost.bytesWritten;
  return cost;
}

OpCost ScatterAddOp::getCost(ShapeContext &shapes) {
  OpCost cost = movementCost(*this, shapes);
  cost.flops = shapes[getUpdates()].elements();
  return cost;
}

/// Calls `body(offset in the gathered tensor, offset in the source)` for each gathered element whose index lies within
/// the extent along `axis`.
static void forEachGathered(const ReferenceTensor &indices, ArrayRef<int64_t> source, int64_t axis,
                            llvm::function_ref<void(int64_t, int64_t)> body) {
  AxisView view = viewAlong(source, axis);
  for (int64_t outer = 0; outer < view.outer; ++outer) {
    for (int64_t k = 0; k < indices.size(); ++k) {
      double index = indices.data[k];
      if (!(index >= 0 && index < static_cast<double>(view.extent)))
        continue;
      for (int64_t inner = 0; inner < view.inner; ++inner)
        body((outer * indices.size() + k) * view.inner + inner,
             (outer * view.extent + static_cast<int64_t>(index)) * view.inner + inner);
    }
  }
}

LogicalResult GatherOp::evaluate(ArrayRef<const ReferenceTensor *> operands, MutableArrayRef<ReferenceTensor> results) {
  const ReferenceTensor &input = *operands[0];
  forEachGathered(*operands[1], input.shape(), getAxis(),
                  [&](int64_t gathered, int64_t source) { results[0].data[gathered] = input.data[source]; });
  return success();
}

LogicalResult ScatterAddOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                     MutableArrayRef<ReferenceTensor> results) {
  const ReferenceTensor &input = *operands[0], &updates = *operands[2];
  results[0].data = input.data;
  forEachGathered(*operands[1], input.shape(), getAxis(),
                  [&](int64_t gathered, int64_t source) { results[0].data[source] += updates.data[gathered]; });
  return success();
}

//===----------------------------------------------------------------------===//
// Derivative
//===----------------------------------------------------------------------===//

bool GatherOp::isLinearIn(unsigned operandIndex) { return operandIndex == 0; }

LogicalResult GatherOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                 MutableArrayRef<Value> gradients) {
  if (needed[0])
    gradients[0] = ScatterAddOp::create(builder, getLoc(), zerosLike(builder, getLoc(), getInput()), getIndices(),
                                        cotangents[0], getAxis());
  return success();
}

LogicalResult ScatterAddOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                     MutableArrayRef<Value> gradients) {
  if (needed[0])
    gradients[0] = cotangents[0];
  if (needed[2])
    gradients[2] = GatherOp::create(builder, getLoc(), cotangents[0], getIndices(), getAxis());
  return success();
}
