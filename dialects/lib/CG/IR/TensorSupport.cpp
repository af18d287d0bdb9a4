//===- TensorSupport.cpp - shared by the ops that move elements -----------===//

#include "TensorSupport.h"

#include "espalier/Dialect/CG/IR/CGOps.h"

using namespace mlir;
using namespace espalier::cg;

std::string espalier::cg::listText(ArrayRef<int64_t> entries) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "[";
  llvm::interleaveComma(entries, os);
  os << "]";
  return text;
}

bool espalier::cg::isNumberType(Type type) {
  return type.isSignlessInteger(32) || type.isSignlessInteger(64) || isa<Float16Type, BFloat16Type>(type) ||
         type.isF32() || type.isF64();
}

LogicalResult espalier::cg::checkAxis(int64_t axis, const TensorShape &shape, ShapeContext &shapes) {
  if (axis < 0 || axis >= shape.rank())
    return shapes.error("expects 'axis' to be a dimension of ", shape, ", but got ", axis);
  return success();
}

LogicalResult espalier::cg::checkAxes(ArrayRef<int64_t> axes, const TensorShape &shape, ShapeContext &shapes) {
  SmallVector<bool> seen(shape.rank(), false);
  for (int64_t axis : axes) {
    if (axis < 0 || axis >= shape.rank() || seen[axis])
      return shapes.error("expects 'axes' to be distinct dimensions of ", shape, ", but got ", listText(axes));
    seen[axis] = true;
  }
  return success();
}

AxisView espalier::cg::viewAlong(ArrayRef<int64_t> shape, int64_t axis) {
  AxisView view;
  for (int64_t extent : shape.take_front(axis))
    view.outer *= extent;
  view.extent = shape[axis];
  for (int64_t extent : shape.drop_front(axis + 1))
    view.inner *= extent;
  return view;
}

void espalier::cg::forEachPosition(ArrayRef<int64_t> shape, llvm::function_ref<void(ArrayRef<int64_t>, int64_t)> body) {
  if (llvm::is_contained(shape, 0))
    return;
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  SmallVector<int64_t> position(shape.size(), 0);
  for (int64_t offset = 0; offset < count; ++offset) {
    body(position, offset);
    for (int64_t dim = static_cast<int64_t>(shape.size()) - 1; dim >= 0 && ++position[dim] == shape[dim]; --dim)
      position[dim] = 0;
  }
}

int64_t espalier::cg::offsetOf(ArrayRef<int64_t> position, ArrayRef<int64_t> shape) {
  int64_t offset = 0;
  for (auto [place, extent] : llvm::zip_equal(position, shape))
    offset = offset * extent + place;
  return offset;
}

Value espalier::cg::reshapeToLike(OpBuilder &builder, Location loc, Value value, Value like) {
  auto from = cast<RankedTensorType>(value.getType()), to = cast<RankedTensorType>(like.getType());
  if (to.hasStaticShape())
    return from.getShape() == to.getShape() ? value : ReshapeOp::create(builder, loc, value, to.getShape()).getResult();
  return ReshapeLikeOp::create(builder, loc, value, like);
}

Value espalier::cg::zerosLike(OpBuilder &builder, Location loc, Value like) {
  return BroadcastLikeOp::create(builder, loc, createScalar(builder, loc, like, 0.0), like);
}
