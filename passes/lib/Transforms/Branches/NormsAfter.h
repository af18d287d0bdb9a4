//===- NormsAfter.h - one batch norm behind a sum of branches ---*- C++ -*-===//

#ifndef ESPALIER_LIB_TRANSFORMS_BRANCHES_NORMSAFTER_H
#define ESPALIER_LIB_TRANSFORMS_BRANCHES_NORMSAFTER_H

#include "mlir/Interfaces/FunctionInterfaces.h"

namespace espalier::cg {

/// Where every summand of a sum of images ends in a batch norm of its own, the norm of the summand with the largest
/// window goes behind the sum, and of the others the scales are left, as trainable factors. Norms between the
/// convolutions of a branch become their scales as well. Returns the number of sums. Another function of the same
/// parameters: what OREPA trains in place of the branches (Hu et al. 2022, arXiv:2204.00826, section 3).
int64_t moveNormsAfterSums(mlir::FunctionOpInterface function);

} // namespace espalier::cg

#endif // ESPALIER_LIB_TRANSFORMS_BRANCHES_NORMSAFTER_H
