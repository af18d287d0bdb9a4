//===- BranchGrowth.h - branches that come and go in training ---*- C++ -*-===//
//
// Huang et al., "DyRep: Bootstrapping Training with Dynamic Re-parameterization" (arXiv:2203.12868), by edits that keep
// what the network computes in inference mode: the filter beside a branch makes up for it.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_TOOLS_ESPALIER_BRANCHGROWTH_H
#define ESPALIER_TOOLS_ESPALIER_BRANCHGROWTH_H

#include "BranchEdit.h"
#include "TrainingCompiler.h"

#include "espalier/Runtime/Train/ProgramProvider.h"
#include "espalier/Runtime/Train/RunFolder.h"
#include "espalier/Transforms/BranchBlock.h"

#include <functional>
#include <set>

namespace espalier::tools {

/// Cuts weak branches of a network, and grows one beside the convolution that matters most.
class BranchGrowth final : public rt::ProgramProvider {
public:
  /// Blocks that the recipe names by files go into edits as they are: their paths should be absolute.
  BranchGrowth(cg::GraphOp graph, rt::Recipe recipe, const TrainingCompiler &compiler)
      : graph(graph), recipe(std::move(recipe)), compiler(compiler) {}

  /// Fails where a block that the recipe names can grow beside no convolution of the graph; of the default ones, where
  /// none can.
  rt::Status checkBlocks();

  /// Changes the graph as the edits of a position say.
  rt::Status replay(const std::vector<std::string> &edits);

  rt::Status edit(rt::Trainer &trainer, rt::RunPosition &position, rt::RunIdentity &identity) override;
  rt::Status save(int64_t step) const override;

  /// Where save() writes the network, as `network.mlir` and as `network-<step>.mlir`.
  const rt::RunFolder *folder = nullptr;
  /// Told what is done, a line each.
  std::function<void(const std::string &)> note;

private:
  struct GrownBranch {
    std::string filter; ///< beside which it grew
    std::string path;   ///< that its parameters lie under
  };
  struct Growth;

  /// The tensors of a trainer, and its running statistics after `count` batches without learning.
  struct Observation {
    rt::TensorMap tensors, running;
    int64_t count;
  };

  /// Of an edit that was made: who has grown what.
  void remember(const BranchEdit &edit);
  void keep(const BranchEdit &edit, rt::RunPosition &position);

  /// Paths of grown branches beside the block's main convolution whose norms have less than a tenth of its norm's
  /// scale, and less than their mean, if they differ.
  std::vector<std::string> findWeakBranches(cg::BranchBlock &block, const rt::TensorMap &tensors) const;
  /// Adds the filters beside branches that were cut to `changed`.
  rt::Status cutBranches(rt::TensorMap &tensors, rt::RunPosition &position, std::set<std::string> &changed);
  /// Nothing where no filter can grow.
  rt::Expected<std::optional<Growth>> growBranch(const rt::TensorMap &tensors, rt::RunPosition &position);
  /// What lies between the path of a convolution and those of a branch that grows before an epoch.
  std::string freeScope(llvm::StringRef filter, size_t epoch);
  /// Lets a block grow beside a filter of a graph. Fails, with the reason, where it is none that can.
  static rt::Expected<Growth> growBeside(cg::GraphOp graph, const std::string &filter, const std::string &block,
                                         const std::string &scope);
  /// Why the convolution of this filter cannot grow the block; nothing where it can.
  std::optional<std::string> whyNotGrown(const std::string &filter, const std::string &block);
  /// The filter with the largest score of those that can grow, and a block that it can become. Empty if there is none.
  std::pair<std::string, std::string> chooseFilter(const rt::TensorMap &tensors, int64_t step);
  rt::Expected<Observation> observe(rt::Trainer &trainer, int64_t step) const;
  /// Gives a branch its statistics, and lets the filter beside it make up for it.
  rt::Status startBranch(rt::Trainer &trainer, const Growth &growth, int64_t step);
  /// Gives the norms behind these filters the statistics of what the filters make now.
  rt::Status refreshNorms(rt::Trainer &trainer, const std::set<std::string> &filters, int64_t step);

  cg::GraphOp graph;
  rt::Recipe recipe;
  const TrainingCompiler &compiler;
  std::vector<GrownBranch> grown;
};

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_BRANCHGROWTH_H
