//===- WeightExpressions.h - what is computed from parameters ---*- C++ -*-===//

#ifndef ESPALIER_LIB_TRANSFORMS_BRANCHES_WEIGHTEXPRESSIONS_H
#define ESPALIER_LIB_TRANSFORMS_BRANCHES_WEIGHTEXPRESSIONS_H

#include "espalier/Dialect/CG/IR/CGOps.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

namespace espalier::cg {

/// Values that a graph computes from parameters and states alone, and that an op reads which is not such a value.
struct WeightExpressions {
  llvm::SetVector<mlir::Value> values;
  /// Paths of the parameters and states that such an op reads as they are.
  llvm::StringSet<> keptPaths;
};

/// The values of a block that depend on parameters, states and literals alone.
llvm::DenseSet<mlir::Value> findWeights(mlir::Block &block);

/// Erases what is pure and not used, the last first.
void eraseDeadOps(mlir::Block &block);

/// Reshapes cost nothing: they stay where they are, and what they reshape is the value.
WeightExpressions findWeightExpressions(GraphOp graph);

/// Makes the graph `name` behind `graph`, which takes nothing and gives these weights of it, each result named by its
/// path.
void buildWeights(GraphOp graph, llvm::StringRef name, llvm::ArrayRef<mlir::Value> expressions,
                  llvm::ArrayRef<std::string> paths);

/// Makes parameters of the values, and a graph `<graph><suffix>` beside `graph` that computes them; see
/// `cg-materialize-weights`. `made`, where given, gets each value's parameter. Fails, having emitted an error, where
/// the name is taken.
llvm::LogicalResult materialize(GraphOp graph, const WeightExpressions &expressions, llvm::StringRef suffix,
                                llvm::function_ref<void(mlir::Value value, ParameterOp parameter)> made = nullptr);

} // namespace espalier::cg

#endif // ESPALIER_LIB_TRANSFORMS_BRANCHES_WEIGHTEXPRESSIONS_H
