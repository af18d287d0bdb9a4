//===- Kernels.h - pipelines from `step` to `kernels` -----------*- C++ -*-===//

#ifndef ESPALIER_PIPELINES_KERNELS_H
#define ESPALIER_PIPELINES_KERNELS_H

#include "mlir/Pass/PassManager.h"

#include <string>

namespace espalier {

struct FusedOptions {
  /// Weights are constant between runs: compute what depends on them alone in a program of its own, `prepare`, and fold
  /// scales by channel into filters. For inference.
  bool prepareWeights = false;
  /// Processor that code is made for, whose measured times count; see CPUTarget::get.
  std::string cpu = "host";
  /// File of measured times, and a candidate to choose wherever it is legal; see `cg-choose-kernels`.
  std::string kernelTable, preferredCandidate;
};

/// `step` -> `fused`: decompose, split weights off, form groups, assign layouts, choose
/// candidates.
void buildStepToFusedPipeline(mlir::OpPassManager &manager, const FusedOptions &options = {});

/// `fused` -> `kernels`: packed operands, kernels, an arena and dispatch tables.
void buildFusedToKernelsPipeline(mlir::OpPassManager &manager, const FusedOptions &options = {});

/// Registers `espalier-step-to-fused-pipeline` and `espalier-fused-to-kernels-pipeline`.
void registerKernelPipelines();

} // namespace espalier

#endif // ESPALIER_PIPELINES_KERNELS_H
