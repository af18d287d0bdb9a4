//===- Window.h - sliding windows of convolutions and pools -----*- C++ -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_WINDOW_H
#define ESPALIER_DIALECT_CG_IR_WINDOW_H

#include "espalier/Dialect/CG/IR/ShapeContext.h"

#include <array>

namespace espalier::cg {

/// How a two-dimensional window slides: absent attributes filled in. Pads are top, left, bottom, right.
struct WindowAttrs {
  std::array<int64_t, 2> strides = {1, 1};
  std::array<int64_t, 4> pads = {0, 0, 0, 0};
  std::array<int64_t, 2> dilations = {1, 1};
  int64_t groups = 1;
  bool ceilMode = false;

  /// Number of window positions along spatial dimension `dim` (0: height, 1: width), as an expression; overflow where
  /// the padded extent is known not to cover the window.
  DimExpr positions(unsigned dim, const DimExpr &extent, const DimExpr &kernel) const;
};

} // namespace espalier::cg

#endif // ESPALIER_DIALECT_CG_IR_WINDOW_H
