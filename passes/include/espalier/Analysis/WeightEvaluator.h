//===- WeightEvaluator.h - weights computed from weights --------*- C++ -*-===//

#ifndef ESPALIER_ANALYSIS_WEIGHTEVALUATOR_H
#define ESPALIER_ANALYSIS_WEIGHTEVALUATOR_H

#include "espalier/Analysis/ReferenceEvaluator.h"

#include <functional>

namespace espalier::cg {

/// Fills in elements of a `cg.parameter` or `cg.state`, those from `offset` on. Several threads call it at once, and
/// the same elements may be asked for again.
using WeightSource = std::function<void(int64_t offset, llvm::MutableArrayRef<double> elements)>;
/// Gives the source of an op; fails having emitted an error or noted it elsewhere.
using WeightReader = llvm::function_ref<llvm::FailureOr<WeightSource>(mlir::Operation *op)>;
/// Takes elements of one result of the graph, those from `offset` on. Several threads call it at once, for each element
/// once.
using WeightWriter = llvm::function_ref<void(unsigned result, int64_t offset, llvm::ArrayRef<double> elements)>;

/// Evaluates a graph without arguments, such as `cg-materialize-weights` makes, in float64. The results are those of
/// `evaluateReference` but for the order of sums; what weights are mostly made of, products of filters and elementwise
/// arithmetic, runs on all processors at the speed of the hardware, and is written part by part as soon as it is known.
/// The limit holds for what has to be kept. Fails, having emitted an error at the op, where an op cannot be evaluated
/// or the limit is passed.
llvm::LogicalResult evaluateWeights(GraphOp graph, WeightReader read, WeightWriter write, ReferenceLimits limits = {});

} // namespace espalier::cg

#endif // ESPALIER_ANALYSIS_WEIGHTEVALUATOR_H
