//===- Transpose.cpp - permutation of dimensions --------------------------===//

#include "TensorSupport.h"

#include "espalier/Dialect/CG/IR/CGOps.h"

using namespace mlir;
using namespace espalier::cg;

LogicalResult TransposeOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  const TensorShape &input = shapes[adaptor.getInput()];
  ArrayRef<int64_t> permutation = adaptor.getPermutation();
  SmallVector<bool> seen(input.rank(), false);
  bool isPermutation = static_cast<int64_t>(permutation.size()) == input.rank();
  for (int64_t dim : permutation) {
    isPermutation = isPermutation && dim >= 0 && dim < input.rank() && !seen[dim];
    if (!isPermutation) // transpose_c1
      break;
    seen[dim] = true;
  }
  if (!isPermutation) // transpose_c1
    return shapes.error("expects 'permutation' to permute the ", input.rank(), " dimensions of ", input, ", but got ",
                        listText(permutation));
  TensorShape result{input.elementType, {}};
  for (int64_t dim : permutation)
    result.dims.push_back(input.dims[dim]);
  results.push_back(std::move(result));
  return success();
}

OpCost TransposeOp::getCost(ShapeContext &shapes) { return movementCost(*this, shapes); }

LogicalResult TransposeOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                    MutableArrayRef<ReferenceTensor> results) {
  const ReferenceTensor &input = *operands[0];
  SmallVector<int64_t> source(input.rank());
  forEachPosition(results[0].shape(), [&](ArrayRef<int64_t> position, int64_t offset) {
    for (auto [dim, place] : llvm::zip_equal(getPermutation(), position))
      source[dim] = place;
    results[0].data[offset] = input.data[offsetOf(source, input.shape())];
  });
  return success();
}

bool TransposeOp::isLinearIn(unsigned) { return true; }

LogicalResult TransposeOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                    MutableArrayRef<Value> gradients) {
  if (!needed[0])
    return success();
  SmallVector<int64_t> inverse(getPermutation().size());
  for (auto [index, dim] : llvm::enumerate(getPermutation()))
    inverse[dim] = index;
  gradients[0] = TransposeOp::create(builder, getLoc(), cotangents[0], inverse);
  return success();
}

OpFoldResult TransposeOp::fold(FoldAdaptor adaptor) {
  ArrayRef<int64_t> permutation = getPermutation();
  if (llvm::is_sorted(permutation))
    return getInput();
  if (auto splat = dyn_cast_or_null<SplatElementsAttr>(adaptor.getInput()))
    return splat.resizeSplat(getType());
  auto inner = getInput().getDefiningOp<TransposeOp>();
  if (!inner)
    return {};
  SmallVector<int64_t> composed;
  for (int64_t dim : permutation)
    composed.push_back(inner.getPermutation()[dim]);
  getInputMutable().assign(inner.getInput());
  setPermutation(composed);
  return getResult();
}
