//===- TrainedGraph.h - training by the reference evaluator -----*- C++ -*-===//

#ifndef ESPALIER_TEST_UNIT_TRANSFORMS_TRAINEDGRAPH_H
#define ESPALIER_TEST_UNIT_TRANSFORMS_TRAINEDGRAPH_H

#include "espalier/Analysis/ReferenceEvaluator.h"

#include "mlir/IR/BuiltinOps.h"

#include <map>
#include <string>

namespace espalier::test {

/// A graph that passes made a training step of, run in float64 with storage of its own.
class TrainedGraph {
public:
  /// Parses a module of one graph and runs `passes` on that graph, as in `cg-differentiate,cg-apply-optimizer`. Fails
  /// the test where that does not work. States and slots start as their initializers say.
  TrainedGraph(mlir::MLIRContext &context, const std::string &text, const std::string &passes);

  /// The value of a parameter, or of a slot of it as `path#slot`.
  std::vector<double> &value(const std::string &name) { return storage[name]; }
  /// Runs a step and stores what it writes; the first result.
  double step(const std::vector<std::vector<double>> &inputs, double learningRate);

private:
  mlir::OwningOpRef<mlir::ModuleOp> module;
  cg::GraphOp graph;
  std::map<std::string, std::vector<double>> storage;
  int numSteps = 0;
};

} // namespace espalier::test

#endif // ESPALIER_TEST_UNIT_TRANSFORMS_TRAINEDGRAPH_H
