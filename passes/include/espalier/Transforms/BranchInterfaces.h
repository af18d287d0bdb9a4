//===- BranchInterfaces.h - ops as convolutions -----------------*- C++ -*-===//

#ifndef ESPALIER_TRANSFORMS_BRANCHINTERFACES_H
#define ESPALIER_TRANSFORMS_BRANCHINTERFACES_H

#include "espalier/Transforms/ConvMap.h"

namespace mlir {
class DialectRegistry;
}

#include "espalier/Transforms/BranchInterfaces.h.inc"

namespace espalier::cg {

/// Attaches ConvMapOpInterface to the ops that have it. Passes over branches need it.
void registerConvMapModels(mlir::DialectRegistry &registry);

} // namespace espalier::cg

#endif // ESPALIER_TRANSFORMS_BRANCHINTERFACES_H
