//===- Window.cpp - sliding windows of convolutions and pools -------------===//

#include "espalier/Dialect/CG/IR/Window.h"

using namespace espalier::cg;

DimExpr WindowAttrs::positions(unsigned dim, const DimExpr &extent, const DimExpr &kernel) const {
  DimExpr covered = DimExpr(dilations[dim]) * (kernel - DimExpr(1)) + DimExpr(1);
  DimExpr slack = extent + DimExpr(pads[dim]) + DimExpr(pads[dim + 2]) - covered;
  if (std::optional<int64_t> constant = slack.getConstant(); constant && *constant < 0)
    return DimExpr::overflow();
  if (!ceilMode)
    return DimExpr::floorDiv(slack, strides[dim]) + DimExpr(1);
  DimExpr count = DimExpr::ceilDiv(slack, strides[dim]) + DimExpr(1);
  // The last window must start inside the input or the leading padding; with unknown extents one cannot tell, and the
  // two rules differ only for pads larger than what the language's pools allow with a stride of at least the kernel.
  std::optional<int64_t> known = count.getConstant(), length = extent.getConstant();
  if (known && length && (*known - 1) * strides[dim] >= *length + pads[dim])
    return *known - 1;
  return count;
}
