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

  /// The padding before and after spatial dimension `dim` (0: height, 1: width).
  int64_t padBefore(unsigned dim) const { return pads[dim]; }
  int64_t padAfter(unsigned dim) const { return pads[dim + 2]; }

  /// How far a window of `kernel` taps reaches along spatial dimension `dim`, gaps of the dilation included.
  DimExpr reach(unsigned dim, const DimExpr &kernel) const;

  /// Number of window positions along spatial dimension `dim`, as an expression; overflow where the padded extent is
  /// known not to cover the window. With `ceilMode` a last window may reach beyond the padded extent, if it starts
  /// before the trailing padding does.
  DimExpr positions(unsigned dim, const DimExpr &extent, const DimExpr &kernel) const;
};

/// Checks that an attribute, where present, holds `size` integers of at least `minimum`.
mlir::LogicalResult checkEntries(llvm::StringRef name, std::optional<llvm::ArrayRef<int64_t>> entries, size_t size,
                                 int64_t minimum, ShapeContext &shapes);

/// Checks that `actual`, which messages call `what` ("a cotangent"), has the shape and element type `expected`.
mlir::LogicalResult checkSameShape(llvm::StringRef what, const TensorShape &expected, const TensorShape &actual,
                                   ShapeContext &shapes);

} // namespace espalier::cg

#endif // ESPALIER_DIALECT_CG_IR_WINDOW_H
