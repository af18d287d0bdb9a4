//===- Layout.h - the order of dimensions in memory -------------*- C++ -*-===//

#ifndef ESPALIER_CONVERSION_CGTOPLAN_LAYOUT_H
#define ESPALIER_CONVERSION_CGTOPLAN_LAYOUT_H

#include "espalier/Dialect/CG/IR/CGOps.h"

namespace espalier::cg {

/// The order of a value's dimensions in memory, outermost first; empty for the order of the type.
using Layout = llvm::SmallVector<int64_t, 4>;

/// Do two layouts put the elements of a tensor of this shape in the same order?
bool isSameOrder(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> lhs, llvm::ArrayRef<int64_t> rhs);

/// The layout of a value of a fused graph; a reshape has that of its type.
Layout getMemoryOrder(mlir::Value value);

} // namespace espalier::cg

#endif // ESPALIER_CONVERSION_CGTOPLAN_LAYOUT_H
