//===- WeightEvaluator.h - weights computed from weights --------*- C++ -*-===//

#ifndef ESPALIER_ANALYSIS_WEIGHTEVALUATOR_H
#define ESPALIER_ANALYSIS_WEIGHTEVALUATOR_H

#include "espalier/Analysis/ReferenceEvaluator.h"

namespace espalier::cg {

/// Fills in the elements of a `cg.parameter` or `cg.state`; fails having emitted an error or noted it elsewhere.
using WeightReader =
    llvm::function_ref<llvm::LogicalResult(mlir::Operation *op, llvm::MutableArrayRef<double> elements)>;
/// Takes the elements of one result of the graph.
using WeightWriter = llvm::function_ref<llvm::LogicalResult(unsigned result, llvm::ArrayRef<double> elements)>;

/// Evaluates a graph without arguments, such as `cg-materialize-weights` makes, in float64, and writes each result as
/// soon as it is known. The results are those of `evaluateReference` but for the order of sums; what weights are mostly
/// made of, products of filters and elementwise arithmetic, runs on all processors at the speed of the hardware. Fails,
/// having emitted an error at the op, where an op cannot be evaluated or a limit is passed.
llvm::LogicalResult evaluateWeights(GraphOp graph, WeightReader read, WeightWriter write, ReferenceLimits limits = {});

} // namespace espalier::cg

#endif // ESPALIER_ANALYSIS_WEIGHTEVALUATOR_H
