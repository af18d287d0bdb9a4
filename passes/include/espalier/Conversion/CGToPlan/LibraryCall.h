//===- LibraryCall.h - what a vendor library computes in one call -*- C++ -*-===//

#ifndef ESPALIER_CONVERSION_CGTOPLAN_LIBRARYCALL_H
#define ESPALIER_CONVERSION_CGTOPLAN_LIBRARYCALL_H

#include "espalier/Dialect/CG/IR/CGOps.h"

namespace espalier::cg {

/// A convolution, one of its gradients or a matrix product, and what follows it:
/// `clamp(contraction + bias + residual, min, max)`.
struct LibraryCall {
  mlir::Operation *contraction = nullptr;
  mlir::Value bias;     // one number for each channel (convolution) or column (product)
  mlir::Value residual; // of the result's type
  std::optional<double> min, max;
  mlir::Value result;
};

/// Can the library compute this op at all?
bool isLibraryContraction(mlir::Operation *op);

/// Matches `ops`, in any order, constants aside, against one call: all of them, and nothing between them is needed
/// elsewhere. Returns nothing where they are more than the library does.
std::optional<LibraryCall> matchLibraryCall(llvm::ArrayRef<mlir::Operation *> ops);

} // namespace espalier::cg

#endif // ESPALIER_CONVERSION_CGTOPLAN_LIBRARYCALL_H
