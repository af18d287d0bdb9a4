//===- BranchWeights.h - the weights of blocks that are edited --*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_BRANCHWEIGHTS_H
#define ESPALIER_TOOLS_ESPALIER_BRANCHWEIGHTS_H

#include "espalier/Runtime/Train/Checkpoint.h"
#include "espalier/Transforms/BranchBlock.h"

namespace espalier::tools {

/// \name The numbers of a tensor of f32 that is there.
/// @{
rt::Span<const float> elements(const rt::TensorMap &tensors, llvm::StringRef path);
rt::Span<float> elements(rt::TensorMap &tensors, llvm::StringRef path);
/// @}

double meanMagnitude(rt::Span<const float> values);

/// The one convolution that a block is worth in inference mode: [outputs, inputs of a group, rows, columns], and
/// [outputs].
struct FoldedFilter {
  std::vector<double> filter, bias;
};

/// Computes what cg::foldBlock() gave, in float64.
rt::Expected<FoldedFilter> evaluateBlock(mlir::ModuleOp folded, const rt::TensorMap &tensors);

/// Channels for which makeUpFor() would make the filter a thousand times as large as its largest element: the norm of
/// the main convolution is next to zero there.
std::vector<size_t> findDeadChannels(cg::BranchBlock &block, const FoldedFilter &before, const FoldedFilter &after,
                                     const rt::TensorMap &tensors);

/// Changes the filter of a block's main convolution and the shift of its norm so that the block, which was worth
/// `before` and is worth `after`, is worth `before` again.
void makeUpFor(cg::BranchBlock &block, const FoldedFilter &before, const FoldedFilter &after, rt::TensorMap &tensors);

/// Replaces the statistics of a norm by the average over `count` batches, after which they would be `running`.
void averageBatches(cg::BatchNormOp norm, const rt::TensorMap &running, int64_t count, rt::TensorMap &tensors);

/// The same, with a scale and a shift by which the norm still computes what it did in inference mode.
void renormalise(cg::BatchNormOp norm, const rt::TensorMap &running, int64_t count, rt::TensorMap &tensors);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_BRANCHWEIGHTS_H
