//===- ShapeInference.cpp - shapes of results, op by op -------------------===//

#include "espalier/Dialect/CG/IR/ShapeInference.h"

#include "espalier/Dialect/CG/IR/CGOps.h"

using namespace mlir;
using namespace espalier::cg;

LogicalResult espalier::cg::inferShapes(Operation &op, ShapeContext &shapes) {
  auto shaped = dyn_cast<ShapeOpInterface>(op);
  if (!shaped)
    return success();
  shapes.moveTo(op.getName().getStringRef(), op.getLoc());
  SmallVector<TensorShape, 2> inferred;
  if (failed(shaped.inferResultShapes(shapes, inferred)))
    return failure();
  for (auto [result, shape] : llvm::zip_equal(op.getResults(), inferred)) {
    for (auto [dim, extent] : llvm::zip_equal(shape.dims, cast<RankedTensorType>(result.getType()).getShape()))
      if (!ShapedType::isDynamic(extent))
        dim = DimExpr(extent);
    shapes.set(result, std::move(shape));
  }
  return success();
}
