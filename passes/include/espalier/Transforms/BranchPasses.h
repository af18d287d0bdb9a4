//===- BranchPasses.h - the algebra of branches ------------------*- C++ -*-===//

#ifndef ESPALIER_TRANSFORMS_BRANCHPASSES_H
#define ESPALIER_TRANSFORMS_BRANCHPASSES_H

#include "espalier/Dialect/CG/IR/CGOps.h"

#include "mlir/Pass/Pass.h"

namespace espalier::cg {

enum class BranchNorms { Keep, After };
enum class BranchInitialization { Paper, Preserve, Grow };
enum class FilterScore { SynFlow, SNIP, GradientNorm };
enum class GradientScaleSource { MutualInformation, Fixed };
enum class GradientScaleBlock { None, ACNet, RepVGG };
enum class GradientScaleTarget { Gradient, Update };

/// The slot of a filter's path that holds the matrix which multiplies the filter's gradient.
inline constexpr llvm::StringLiteral gradientScaleSlot = "gradient_scale";
/// Of a `cg.parameter`: the matrix that its slot starts as, a floating-point `tensor` literal of shape [rows, columns]
/// or [outputs, 1, rows, columns].
inline constexpr llvm::StringLiteral gradientScaleAttrName = "cg.gradient_scale";

/// The slot of a filter's path, of rank 0, that `cg-score-filters` adds to.
inline constexpr llvm::StringLiteral scoreSlot = "score";

/// Of a graph that `cg-materialize-weights` made: the name of the graph whose parameters it computes.
inline constexpr llvm::StringLiteral weightsOfAttrName = "cg.weights_of";

/// A filter whose gradient can be scaled, and the convolutions that apply it, in their order.
struct ScalableFilter {
  ParameterOp parameter;
  llvm::SmallVector<Conv2dOp, 1> convolutions;

  int64_t getRows() { return parameter.getType().getDimSize(2); }
  int64_t getColumns() { return parameter.getType().getDimSize(3); }
};

/// The filters of `graph` whose gradients can be scaled, by their path, in the order of their first convolutions. Calls
/// `refuse` for every other convolution, with the reason.
llvm::SmallVector<ScalableFilter>
findScalableFilters(GraphOp graph, llvm::function_ref<void(Conv2dOp conv, const std::string &reason)> refuse);

#define GEN_PASS_DECL
#include "espalier/Transforms/BranchPasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "espalier/Transforms/BranchPasses.h.inc"

} // namespace espalier::cg

#endif // ESPALIER_TRANSFORMS_BRANCHPASSES_H
