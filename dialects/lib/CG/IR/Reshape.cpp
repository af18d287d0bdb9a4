//===- Reshape.cpp - reshape, reshape_like --------------------------------===//

#include "TensorSupport.h"

#include "espalier/Dialect/CG/IR/CGOps.h"

using namespace mlir;
using namespace espalier::cg;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

/// Does an entry of `shape` stand for an extent of the input?
static bool isPlace(int64_t entry) { return entry < -1; }

LogicalResult ReshapeOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  const TensorShape &input = shapes[adaptor.getInput()];
  ArrayRef<int64_t> shape = adaptor.getShape();
  auto misfit = [&] { // reshape_c1
    return shapes.error("expects 'shape' to hold extents, places -2 - i of the dimensions of ", input,
                        " and at most one -1, with no 0 beside it, but got ", listText(shape));
  };
  TensorShape result{input.elementType, {}};
  SmallVector<DimExpr, 4> rest = input.dims; // extents that no place stands for
  DimExpr known(1);                          // product of the entries that are neither places nor -1
  bool isEmpty = false;                      // whatever the others are
  for (int64_t entry : shape) {
    if (!isPlace(entry)) {
      result.dims.push_back(entry);
      known *= entry == -1 ? DimExpr(1) : DimExpr(entry);
      continue;
    }
    int64_t dim = -2 - entry;
    if (dim >= input.rank() || llvm::count(shape, entry) > 1)
      return misfit();
    result.dims.push_back(input.dims[dim]);
    rest[dim] = DimExpr(1);
    isEmpty |= input.dims[dim].isConstant(0);
  }
  DimExpr elements = DimExpr::product(rest);
  if (const auto *open = llvm::find(shape, -1); open != shape.end()) {
    if (llvm::count(shape, -1) > 1 || llvm::is_contained(result.dims, DimExpr(0)))
      return misfit();
    // Divisibility of symbolic extents shows when they have numbers: floor then is exact.
    std::optional<DimExpr> quotient = DimExpr::exactQuotient(elements, known);
    if (!quotient)
      quotient = DimExpr::floorDiv(elements, known.getConstant().value_or(0));
    known *= *quotient;
    result.dims[open - shape.begin()] = *quotient;
  }
  if (!isEmpty && shapes.conflict(elements, known)) // reshape_c2
    return shapes.error("expects 'shape' to keep the ", input.elements(), " elements of ", input, ", but got ",
                        listText(shape));
  results.push_back(std::move(result));
  return success();
}

LogicalResult ReshapeLikeOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  const TensorShape &input = shapes[adaptor.getInput()], &like = shapes[adaptor.getLike()];
  if (shapes.conflict(input.elements(), like.elements())) // reshape_like_c1
    return shapes.error("expects operands with equal numbers of elements, but got ", input, " and ", like);
  results.push_back({input.elementType, like.dims});
  return success();
}

//===----------------------------------------------------------------------===//
// Cost and evaluation
//===----------------------------------------------------------------------===//

// A reshape renames extents: nothing moves.
OpCost ReshapeOp::getCost(ShapeContext &) { return {}; }
OpCost ReshapeLikeOp::getCost(ShapeContext &) { return {}; }

LogicalResult ReshapeOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                  MutableArrayRef<ReferenceTensor> results) {
  results[0].data = operands[0]->data;
  return success();
}

LogicalResult ReshapeLikeOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                      MutableArrayRef<ReferenceTensor> results) {
  results[0].data = operands[0]->data;
  return success();
}

//===----------------------------------------------------------------------===//
// Derivative
//===----------------------------------------------------------------------===//

bool ReshapeOp::isLinearIn(unsigned) { return true; }
bool ReshapeLikeOp::isLinearIn(unsigned operandIndex) { return operandIndex == 0; }

LogicalResult ReshapeOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                  MutableArrayRef<Value> gradients) {
  if (needed[0])
    gradients[0] = reshapeToLike(builder, getLoc(), cotangents[0], getInput());
  return success();
}

LogicalResult ReshapeLikeOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                      MutableArrayRef<Value> gradients) {
  if (needed[0]) // nothing depends on the values of `like`
    gradients[0] = reshapeToLike(builder, getLoc(), cotangents[0], getInput());
  return success();
}

//===----------------------------------------------------------------------===//
// Folds
//===----------------------------------------------------------------------===//

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  RankedTensorType type = getType();
  // With at most one `?`, equal types mean equal extents.
  if (getInput().getType() == type && type.getNumDynamicDims() <= 1)
    return getInput();
  if (type.hasStaticShape() && getShape() != type.getShape()) {
    setShape(type.getShape());
    return getResult();
  }
  if (auto elements = dyn_cast_or_null<DenseElementsAttr>(adaptor.getInput()); elements && type.hasStaticShape())
    return elements.reshape(type);
  Value source;
  if (auto reshape = getInput().getDefiningOp<ReshapeOp>())
    source = reshape.getInput();
  else if (auto reshapeLike = getInput().getDefiningOp<ReshapeLikeOp>())
    source = reshapeLike.getInput();
  if (!source || llvm::any_of(getShape(), isPlace))
    return {};
  getInputMutable().assign(source);
  return getResult();
}

LogicalResult ReshapeLikeOp::canonicalize(ReshapeLikeOp op, PatternRewriter &rewriter) {
  if (!op.getType().hasStaticShape())
    return rewriter.notifyMatchFailure(op, "result extents are not static");
  rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getInput(), op.getType().getShape());
  return success();
}
