//===- Pad.cpp - constant padding -----------------------------------------===//

#include "TensorSupport.h"

#include "espalier/Dialect/CG/IR/CGOps.h"

#include <cmath>

using namespace mlir;
using namespace espalier::cg;

LogicalResult PadOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  const TensorShape &input = shapes[adaptor.getInput()];
  for (auto [name, pads] : {std::pair("low", adaptor.getLow()), std::pair("high", adaptor.getHigh())}) {
    bool isNegative = llvm::any_of(pads, [](int64_t pad) { return pad < 0; });
    if (static_cast<int64_t>(pads.size()) != input.rank() || isNegative) // pad_c1
      return shapes.error("expects '", name, "' to hold ", input.rank(), " integers of at least 0, but got ",
                          listText(pads));
  }
  TensorShape result = input;
  for (auto [dim, low, high] : llvm::zip_equal(result.dims, adaptor.getLow(), adaptor.getHigh()))
    dim = dim + DimExpr(low) + DimExpr(high);
  results.push_back(std::move(result));
  return success();
}

OpCost PadOp::getCost(ShapeContext &shapes) { return movementCost(*this, shapes); }

LogicalResult PadOp::evaluate(ArrayRef<const ReferenceTensor *> operands, MutableArrayRef<ReferenceTensor> results) {
  const ReferenceTensor &input = *operands[0];
  ReferenceTensor &result = results[0];
  double value = getValue().convertToDouble();
  if (!isa<FloatType>(result.type.getElementType()))
    value = std::trunc(value);
  llvm::fill(result.data, value);
  forEachPosition(input.shape(), [&](ArrayRef<int64_t> position, int64_t offset) {
    SmallVector<int64_t> target(position);
    for (auto [place, low] : llvm::zip_equal(target, getLow()))
      place += low;
    result.data[offsetOf(target, result.shape())] = input.data[offset];
  });
  return success();
}

bool PadOp::isLinearIn(unsigned) { return getValue().isZero(); }

LogicalResult PadOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                              MutableArrayRef<Value> gradients) {
  if (!needed[0])
    return success();
  Value cotangent = cotangents[0];
  for (auto [axis, low, high] : llvm::enumerate(getLow(), getHigh())) {
    if (low == 0 && high == 0)
      continue;
    int64_t extent = getInput().getType().getDimSize(axis);
    int64_t end = ShapedType::isDynamic(extent) ? -1 - high : low + extent;
    cotangent = SliceOp::create(builder, getLoc(), cotangent, axis, low, end, /*stride=*/1);
  }
  gradients[0] = cotangent;
  return success();
}
