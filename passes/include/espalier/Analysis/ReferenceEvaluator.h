//===- ReferenceEvaluator.h - a graph's value in float64 --------*- C++ -*-===//
//
// Slow and obvious: what every compiled program is compared with.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_ANALYSIS_REFERENCEEVALUATOR_H
#define ESPALIER_ANALYSIS_REFERENCEEVALUATOR_H

#include "espalier/Dialect/CG/IR/CGOps.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

#include <vector>

namespace espalier::cg {

/// What one run of a graph leaves behind.
struct ReferenceRun {
  /// What an op writes to storage: a `cg.update`, `cg.parameter_gradient` or `cg.parameter_update`.
  struct Write {
    mlir::Operation *op;
    ReferenceTensor value;
  };
  std::vector<ReferenceTensor> results;
  std::vector<Write> writes; // in program order
};

struct ReferenceLimits {
  /// Elements that may be alive at one time, of 8 bytes each.
  int64_t liveElements = int64_t(1) << 28;
};

/// The tensor behind a `cg.parameter`, `cg.state` or `cg.hyper`, of that op's result type; fails having emitted an
/// error.
using ReferenceStorage = llvm::function_ref<llvm::FailureOr<ReferenceTensor>(mlir::Operation *op)>;

/// Evaluates a function of one block whose ops implement ReferenceOpInterface. `arguments` have static shapes that fit
/// the argument types; extents that those leave open, and all that follow from them, are checked as they become known.
/// Fails, having emitted an error at the op, where shapes do not fit, an op cannot be evaluated, or a limit is passed.
llvm::FailureOr<ReferenceRun> evaluateReference(mlir::FunctionOpInterface function,
                                                llvm::ArrayRef<ReferenceTensor> arguments, ReferenceStorage storage,
                                                ReferenceLimits limits = {});

/// Evaluates a single op on `operands`, under the same rules.
llvm::FailureOr<std::vector<ReferenceTensor>>
evaluateReference(mlir::Operation *op, llvm::ArrayRef<const ReferenceTensor *> operands, ReferenceLimits limits = {});

} // namespace espalier::cg

#endif // ESPALIER_ANALYSIS_REFERENCEEVALUATOR_H
