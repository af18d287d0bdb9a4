//===- GraphWeights.h - weights of a graph, drawn and computed --*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_GRAPHWEIGHTS_H
#define ESPALIER_TOOLS_ESPALIER_GRAPHWEIGHTS_H

#include "Network.h"

#include "espalier/Runtime/Train/Trainer.h"

namespace espalier::tools {

/// The path of a parameter, or of a state that is no slot; empty for another op.
std::string storagePath(mlir::Operation *op);

enum class WeightDraw {
  /// From their initialisers: the numbers that the runtime draws.
  Initial,
  /// As `Initial`, but what would be one number throughout varies around it, and variances of batch norms lie in
  /// [0.5, 2): in a network that has just begun, many mistakes compute the same.
  Varied,
};

/// The parameters and states of `graph`, which depend on their paths and `seed` alone.
rt::Expected<rt::TensorMap> drawWeights(cg::GraphOp graph, uint64_t seed, WeightDraw draw);

/// The weight at `path` in the type that `graph` has it in. InvalidInput where it is missing, has another shape or is
/// not finite.
rt::Expected<rt::HostTensor> convertWeight(const rt::TensorMap &weights, const std::string &path,
                                           mlir::RankedTensorType type);

/// The graph that computes parameters of `graph` from others, as `cg-materialize-weights` and
/// `cg-branches-to-gradient-scaling` leave it; null if there is none.
cg::GraphOp findWeightsGraph(cg::GraphOp graph);

/// The results of a graph of weights by their paths, computed in float64. InvalidInput where it has arguments or
/// a result without a path, a weight is missing, has another type or is not finite, or a result is not finite in its
/// type.
rt::Expected<rt::TensorMap> computeWeights(cg::GraphOp function, const rt::TensorMap &weights);

/// What the parameters of `graph` start as that its graph of weights computes from initial weights; empty without one.
rt::Expected<rt::TensorMap> computeInitialWeights(cg::GraphOp graph, uint64_t seed);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_GRAPHWEIGHTS_H
