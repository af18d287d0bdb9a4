//===- ReferenceStep.h - gradients by the reference evaluator ---*- C++ -*-===//

#ifndef ESPALIER_TEST_UNIT_INTEGRATION_REFERENCESTEP_H
#define ESPALIER_TEST_UNIT_INTEGRATION_REFERENCESTEP_H

#include "Nets.h"

#include <functional>

namespace espalier::integration {

/// Values of the parameter at a path, row by row.
using Start = std::function<std::vector<double>(const std::string &path, const std::vector<int64_t> &shape)>;

/// Loss and gradients by path, in float64.
struct Gradients {
  double loss = 0.0;
  std::map<std::string, std::vector<double>> byPath;
};

/// A training step of a network for the reference evaluator.
class ReferenceStep {
public:
  /// Changes the network's module; fails the test where that does not work.
  ReferenceStep(LoadedNet &net, const golden::Golden &golden);

  /// On the golden's batch of number `index`.
  Gradients evaluate(const Start &start, size_t index);

private:
  cg::GraphOp graph;
  uint64_t classes;
};

} // namespace espalier::integration

#endif // ESPALIER_TEST_UNIT_INTEGRATION_REFERENCESTEP_H
