//===- RunCost.h - The cost table of a run ----------------------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_RUNCOST_H
#define ESPALIER_TOOLS_ESPALIER_RUNCOST_H

#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Pipelines/Step.h"
#include "espalier/Runtime/Core/Status.h"

#include <string>

namespace espalier::tools {

/// What one image costs, for machines and for people.
struct RunCost {
  std::string json;  ///< the document of `espalier cost --json`
  std::string table; ///< what `espalier cost` prints
};

/// Prices the forward pass of `graph`, whose module stays as it is, for sizes NAME=NUMBER.
rt::Expected<RunCost> priceRun(cg::GraphOp graph, const SizeBindings &sizes, Precision precision);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_RUNCOST_H
