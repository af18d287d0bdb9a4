//===- Kernels.h - pipelines from `step` to `kernels` -----------*- C++ -*-===//

#ifndef ESPALIER_PIPELINES_KERNELS_H
#define ESPALIER_PIPELINES_KERNELS_H

#include "mlir/Pass/PassManager.h"

namespace espalier {

struct FusedOptions {
  /// Weights are constant between runs: compute what depends on them alone in a program of its own, `prepare`, and fold
  /// scales by channel into filters. For inference.
  bool prepareWeights = false;
};

/// `step` -> `fused`: decompose, split weights off, form groups, assign layouts.
void buildStepToFusedPipeline(mlir::OpPassManager &manager, const FusedOptions &options = {});

/// `fused` -> `kernels`: kernels, an arena and dispatch tables.
void buildFusedToKernelsPipeline(mlir::OpPassManager &manager);

/// Registers `espalier-step-to-fused-pipeline` and `espalier-fused-to-kernels-pipeline`.
void registerKernelPipelines();

} // namespace espalier

#endif // ESPALIER_PIPELINES_KERNELS_H
