//===- Pricing.h - costs of what a verb compiles ----------------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_PRICING_H
#define ESPALIER_TOOLS_ESPALIER_PRICING_H

#include "espalier/Analysis/CostAnalysis.h"
#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Pipelines/Step.h"

namespace espalier::tools {

/// Prices the forward pass of `graph` after giving the sizes of its module their numbers, and its values the types of
/// `precision`; prints errors and fails.
mlir::FailureOr<CostReport> priceForward(cg::GraphOp graph, const SizeBindings &sizes, Precision precision);

/// Prices one step of training; `module` has the graphs of network and loss, and stays as it is. Prints errors and
/// fails.
mlir::FailureOr<CostReport> priceStep(mlir::ModuleOp module, const TrainingOptions &options);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_PRICING_H
