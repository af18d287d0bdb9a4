//===- ShapeContext.cpp - operand shapes for shape functions --------------===//

#include "espalier/Dialect/CG/IR/ShapeContext.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace espalier::cg;

DimExpr TensorShape::bytes() const {
  unsigned bits = elementType.isIntOrFloat() ? elementType.getIntOrFloatBitWidth() : 64;
  return elements() * DimExpr((bits + 7) / 8);
}

std::string TensorShape::str() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << elementType << "[";
  llvm::interleaveComma(dims, os);
  os << "]";
  return text;
}

const TensorShape &ShapeContext::operator[](Value value) {
  std::unique_ptr<TensorShape> &entry = known[value];
  if (entry)
    return *entry;
  entry = std::make_unique<TensorShape>();
  TensorShape &shape = *entry;
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type) { // operand constraints reject it; a shape function may run before they do
    shape.elementType = value.getType();
    return shape;
  }
  shape.elementType = type.getElementType();
  for (int64_t extent : type.getShape())
    shape.dims.push_back(ShapedType::isDynamic(extent) ? DimExpr::symbol("?" + std::to_string(anonymous++))
                                                       : DimExpr(extent));
  return shape;
}

bool ShapeContext::conflict(const DimExpr &lhs, const DimExpr &rhs) const {
  if (lhs == rhs)
    return false;
  if (strict || lhs.isOverflow() || rhs.isOverflow())
    return true;
  return (lhs - rhs).getConstant().has_value();
}

DimExpr ShapeContext::merge(const DimExpr &lhs, const DimExpr &rhs) const { return lhs.getConstant() ? lhs : rhs; }

LogicalResult ShapeContext::appendTypes(ArrayRef<TensorShape> shapes, SmallVectorImpl<Type> &types) const {
  // Code and memory for a tensor grow with its rank; no network comes near this.
  constexpr size_t maxRank = 64;
  for (const TensorShape &shape : shapes) {
    if (shape.dims.size() > maxRank)
      return error("expects results of at most ", maxRank, " dimensions, but got ", shape.dims.size());
    SmallVector<int64_t> extents;
    for (const DimExpr &dim : shape.dims) {
      if (dim.isOverflow())
        return error("expects result extents below 2^63, but got ", shape);
      std::optional<int64_t> constant = dim.getConstant();
      if (constant && *constant < 0)
        return error("expects non-negative result extents, but got ", shape);
      extents.push_back(constant.value_or(ShapedType::kDynamic));
    }
    if (shape.bytes().isOverflow())
      return error("expects a result smaller than 2^63 bytes, but got ", shape);
    types.push_back(RankedTensorType::get(extents, shape.elementType));
  }
  return success();
}
