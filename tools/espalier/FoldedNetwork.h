//===- FoldedNetwork.h - branches folded, with their weights ----*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_FOLDEDNETWORK_H
#define ESPALIER_TOOLS_ESPALIER_FOLDEDNETWORK_H

#include "Network.h"

#include "espalier/Runtime/Train/Trainer.h"

namespace espalier::tools {

/// A network whose regions of branches are one convolution each.
struct FoldedNetwork {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  rt::TensorMap weights;
  /// By the path of each new parameter, the paths of the parameters and states it was made of.
  std::map<std::string, std::vector<std::string>> sources;
};

/// Folds `graph` and computes the new weights in float64. The module has the folded graph, and the graphs of the old
/// one that have no weights (losses, metrics). InvalidInput where a weight is missing, has another type or is not
/// finite, or where a new one is not finite in the network's type.
rt::Expected<FoldedNetwork> foldNetwork(cg::GraphOp graph, const rt::TensorMap &weights);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_FOLDEDNETWORK_H
