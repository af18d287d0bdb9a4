//===- Constants.cpp - literals, iota, extents ----------------------------===//

#include "TensorSupport.h"

#include "espalier/Dialect/CG/IR/CGOps.h"

using namespace mlir;
using namespace espalier::cg;

//===----------------------------------------------------------------------===//
// ConstantOp
//===----------------------------------------------------------------------===//

LogicalResult ConstantOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  auto value = dyn_cast<DenseIntOrFPElementsAttr>(adaptor.getValue());
  if (!value || !isa<RankedTensorType>(value.getType())) // constant_c1
    return shapes.error("expects 'value' to be a dense tensor of numbers, but got ", adaptor.getValue());
  TensorShape shape{value.getElementType(), {}};
  shape.dims.append(value.getType().getShape().begin(), value.getType().getShape().end());
  results.push_back(std::move(shape));
  return success();
}

// A literal is part of the program: nothing is read when it runs.
OpCost ConstantOp::getCost(ShapeContext &) { return {}; }

LogicalResult ConstantOp::evaluate(ArrayRef<const ReferenceTensor *>, MutableArrayRef<ReferenceTensor> results) {
  auto value = cast<DenseIntOrFPElementsAttr>(getValue());
  std::vector<double> &data = results[0].data;
  bool isBoolean = value.getElementType().isInteger(1);
  auto convert = [&](const auto &number) -> double {
    if constexpr (std::is_same_v<std::decay_t<decltype(number)>, APFloat>) {
      APFloat wide = number;
      bool lossy;
      wide.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
      return wide.convertToDouble();
    } else {
      return isBoolean ? static_cast<double>(number.getZExtValue()) : static_cast<double>(number.getSExtValue());
    }
  };
  if (isa<FloatType>(value.getElementType()))
    llvm::transform(value.getValues<APFloat>(), data.begin(), convert);
  else
    llvm::transform(value.getValues<APInt>(), data.begin(), convert);
  return success();
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

//===----------------------------------------------------------------------===//
// IotaOp
//===----------------------------------------------------------------------===//

LogicalResult IotaOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  auto size = static_cast<int64_t>(adaptor.getSize());
  if (size < 0) // iota_c1
    return shapes.error("expects 'size' to be at least 0, but got ", size);
  if (!isNumberType(adaptor.getType())) // iota_c2
    return shapes.error("expects 'type' to be i32, i64 or a float type, but got ", adaptor.getType());
  results.push_back({adaptor.getType(), {DimExpr(size)}});
  return success();
}

OpCost IotaOp::getCost(ShapeContext &shapes) { return movementCost(*this, shapes); }

LogicalResult IotaOp::evaluate(ArrayRef<const ReferenceTensor *>, MutableArrayRef<ReferenceTensor> results) {
  for (auto [index, element] : llvm::enumerate(results[0].data))
    element = static_cast<double>(index);
  return success();
}

//===----------------------------------------------------------------------===//
// ExtentOp
//===----------------------------------------------------------------------===//

LogicalResult ExtentOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  if (failed(checkAxes(adaptor.getAxes(), shapes[adaptor.getInput()], shapes))) // extent_c1
    return failure();
  if (!isNumberType(adaptor.getType())) // extent_c2
    return shapes.error("expects 'type' to be i32, i64 or a float type, but got ", adaptor.getType());
  results.push_back({adaptor.getType(), {}});
  return success();
}

OpCost ExtentOp::getCost(ShapeContext &shapes) { // extents are known, no element is read
  OpCost cost;
  cost.bytesWritten = shapes[getResult()].bytes();
  return cost;
}

LogicalResult ExtentOp::evaluate(ArrayRef<const ReferenceTensor *> operands, MutableArrayRef<ReferenceTensor> results) {
  double product = 1.0;
  for (int64_t axis : getAxes())
    product *= static_cast<double>(operands[0]->shape()[axis]);
  results[0].data[0] = product;
  return success();
}

OpFoldResult ExtentOp::fold(FoldAdaptor) {
  DimExpr product(1);
  for (int64_t axis : getAxes()) {
    int64_t extent = getInput().getType().getDimSize(axis);
    if (ShapedType::isDynamic(extent))
      return {};
    product *= DimExpr(extent);
  }
  std::optional<int64_t> number = product.getConstant();
  if (!number || (getType().isInteger(32) && !llvm::isInt<32>(*number)))
    return {};
  Builder builder(getContext());
  Attribute element = isa<FloatType>(getType())
                          ? Attribute(builder.getFloatAttr(getType(), static_cast<double>(*number)))
                          : Attribute(builder.getIntegerAttr(getType(), *number));
  return DenseElementsAttr::get(cast<ShapedType>(getResult().getType()), element);
}
