//===- Contraction.h - convolutions, products, what follows them -*- C++ -*-===//

#ifndef ESPALIER_CONVERSION_CGTOPLAN_CONTRACTION_H
#define ESPALIER_CONVERSION_CGTOPLAN_CONTRACTION_H

#include "espalier/Dialect/CG/IR/CGOps.h"

namespace espalier::cg {

/// A convolution, one of its gradients or a matrix product?
bool isContraction(mlir::Operation *op);

/// The contraction that a group is built around, or null.
mlir::Operation *findContraction(GroupOp group);

/// The window of a convolution or one of its gradients.
WindowAttrs getConvolutionWindow(mlir::Operation *op);

/// What tells one contraction from another when their speed is compared: kind, element types, shapes and window,
/// without a space, and `:constant` at the end where operand 1 is a weight that changes only between runs. What is
/// fused behind it is left out. `op` is in a group of a fused graph.
std::string getContractionSignature(mlir::Operation *op);

/// A contraction and what follows it: `clamp(contraction + bias + residual, min, max)`.
struct ContractionChain {
  mlir::Operation *contraction = nullptr;
  mlir::Value bias;     // one number for each channel (convolution) or column (product)
  mlir::Value residual; // of the result's type
  std::optional<double> min, max;
  mlir::Value result;
};

/// Matches `ops`, in any order, constants aside, against one chain: all of them, and nothing between them is needed
/// elsewhere. Returns nothing where they are more than that.
std::optional<ContractionChain> matchContractionChain(llvm::ArrayRef<mlir::Operation *> ops);

} // namespace espalier::cg

#endif // ESPALIER_CONVERSION_CGTOPLAN_CONTRACTION_H
