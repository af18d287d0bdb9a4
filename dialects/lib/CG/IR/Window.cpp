//===- Window.cpp - sliding windows of convolutions and pools -------------===//

#include "espalier/Dialect/CG/IR/Window.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace espalier::cg;

DimExpr WindowAttrs::reach(unsigned dim, const DimExpr &kernel) const {
  return DimExpr(dilations[dim]) * (kernel - DimExpr(1)) + DimExpr(1);
}

DimExpr WindowAttrs::positions(unsigned dim, const DimExpr &extent, const DimExpr &kernel) const {
  int64_t stride = strides[dim];
  DimExpr start = extent + DimExpr(padBefore(dim));
  DimExpr slack = start + DimExpr(padAfter(dim)) - reach(dim, kernel);
  if (std::optional<int64_t> constant = slack.getConstant(); constant && *constant < 0)
    return DimExpr::overflow();
  if (!ceilMode)
    return DimExpr::floorDiv(slack, stride) + DimExpr(1);
  // Windows needed to cover everything, and windows that start before the trailing padding: the smaller number. They
  // are ceil((start + excess) / stride) and ceil(start / stride).
  DimExpr covering = DimExpr::ceilDiv(slack, stride) + DimExpr(1);
  std::optional<int64_t> excess = (DimExpr(padAfter(dim)) - reach(dim, kernel) + DimExpr(stride)).getConstant();
  if (excess && *excess <= 0)
    return covering;
  DimExpr starting = DimExpr::ceilDiv(start, stride);
  return covering + starting - DimExpr::max({covering, starting});
}

LogicalResult espalier::cg::checkEntries(StringRef name, std::optional<ArrayRef<int64_t>> entries, size_t size,
                                         int64_t minimum, ShapeContext &shapes) {
  if (!entries || (entries->size() == size && llvm::all_of(*entries, [&](int64_t entry) { return entry >= minimum; })))
    return success();
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::interleaveComma(*entries, os);
  return shapes.error("expects '", name, "' to be ", size, " integers of at least ", minimum, ", but got [", text, "]");
}

LogicalResult espalier::cg::checkSameShape(StringRef what, const TensorShape &expected, const TensorShape &actual,
                                           ShapeContext &shapes) {
  bool equal = expected.elementType == actual.elementType && expected.rank() == actual.rank() &&
               llvm::none_of(llvm::zip_equal(expected.dims, actual.dims),
                             [&](const auto &pair) { return shapes.conflict(std::get<0>(pair), std::get<1>(pair)); });
  return equal ? success() : shapes.error("expects ", what, " like ", expected, ", but got ", actual);
}
