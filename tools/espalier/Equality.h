//===- Equality.h - do two networks compute the same? -----------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_EQUALITY_H
#define ESPALIER_TOOLS_ESPALIER_EQUALITY_H

#include "Network.h"

#include "espalier/Runtime/Train/Trainer.h"

namespace espalier::tools {

/// How far an output of one network is from that of another.
struct OutputError {
  std::string name;
  double maxAbsolute = 0.0;
  double relative = 0.0; ///< the norm of the difference, as a share of the norm of the first network's output
  double largest = 0.0;  ///< number of the first network's output, without its sign
};

/// A network with weights, at certain sizes.
struct WeightedNetwork {
  cg::GraphOp graph;
  const rt::TensorMap &weights;
};

/// Runs both networks in float64 on the same standard-normal inputs, which depend on `seed` alone. An output that is
/// not finite has an infinite error.
rt::Expected<std::vector<OutputError>> compareNetworks(WeightedNetwork first, WeightedNetwork second,
                                                       const SizeBindings &sizes, uint64_t seed);

/// A line for each output.
std::string describeErrors(const std::vector<OutputError> &errors);

/// InvalidInput with the first output whose relative error is larger than `tolerance`.
rt::Status checkErrors(const std::vector<OutputError> &errors, double tolerance);

/// InvalidInput with the first output whose errors are not those that were `recorded`. Errors come from the rounding of
/// folded weights, which lie in files; other processors and numbers of threads add up in another order, in float64. So
/// errors agree that differ by a hundredth, or by 1e-12 of the output.
rt::Status checkRecorded(const std::vector<OutputError> &errors, const std::vector<OutputError> &recorded);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_EQUALITY_H
