//===- Broadcast.cpp - broadcast_like -------------------------------------===//

#include "TensorSupport.h"

#include "espalier/Dialect/CG/IR/CGOps.h"

using namespace mlir;
using namespace espalier::cg;

LogicalResult BroadcastLikeOp::inferShapes(Adaptor adaptor, ShapeContext &shapes,
                                           SmallVectorImpl<TensorShape> &results) {
  const TensorShape &input = shapes[adaptor.getInput()], &like = shapes[adaptor.getLike()];
  auto mismatch = [&] {
    return shapes.error("expects an input whose extents are 1, missing or those of ", like, ", but got ", input);
  };
  int64_t lead = like.rank() - input.rank();
  if (lead < 0) // broadcast_like_c1
    return mismatch();
  TensorShape result{input.elementType, like.dims};
  for (int64_t i = 0; i < input.rank(); ++i) {
    if (input.dims[i].isConstant(1))
      continue;
    if (shapes.conflict(input.dims[i], like.dims[lead + i])) // broadcast_like_c1
      return mismatch();
  }
  results.push_back(std::move(result));
  return success();
}

OpCost BroadcastLikeOp::getCost(ShapeContext &shapes) { // only the extents of `like` are read
  OpCost cost;
  cost.bytesRead = shapes[getInput()].bytes();
  cost.bytesWritten = shapes[getResult()].bytes();
  return cost;
}

LogicalResult BroadcastLikeOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                        MutableArrayRef<ReferenceTensor> results) {
  const ReferenceTensor &input = *operands[0];
  ReferenceTensor &result = results[0];
  forEachPosition(result.shape(), [&](ArrayRef<int64_t> position, int64_t offset) {
    SmallVector<int64_t> source(position.take_back(input.rank()));
    for (auto [place, extent] : llvm::zip_equal(source, input.shape()))
      if (extent == 1)
        place = 0;
    result.data[offset] = input.data[offsetOf(source, input.shape())];
  });
  return success();
}

bool BroadcastLikeOp::isLinearIn(unsigned operandIndex) { return operandIndex == 0; }

LogicalResult BroadcastLikeOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                        MutableArrayRef<Value> gradients) {
  if (needed[0]) // nothing depends on the values of `like`
    gradients[0] = reduceToShapeOf(builder, getLoc(), cotangents[0], getInput());
  return success();
}

OpFoldResult BroadcastLikeOp::fold(FoldAdaptor adaptor) {
  if (!getType().hasStaticShape())
    return {};
  if (getInput().getType() == getType())
    return getInput();
  if (auto splat = dyn_cast_or_null<SplatElementsAttr>(adaptor.getInput()))
    return splat.resizeSplat(getType());
  return {};
}
