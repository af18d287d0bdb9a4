//===- Branches.cpp - networks with blocks of branches --------------------===//

#include "Branches.h"

#include "../common/Compile.h"

#include "mlir/IR/Remarks.h"
#include "mlir/Pass/PassManager.h"

using namespace espalier;
using namespace espalier::tools;

namespace {
/// What the pass did with each convolution.
struct Outcome {
  size_t numExpanded = 0;
  /// `FILE:LINE:COLUMN: REASON` of the others.
  std::vector<std::string> refusals;
};

class OutcomeStreamer final : public mlir::remark::detail::MLIRRemarkStreamerBase {
public:
  explicit OutcomeStreamer(std::shared_ptr<Outcome> outcome) : outcome(std::move(outcome)) {}

  void streamOptimizationRemark(const mlir::remark::detail::Remark &remark) override {
    std::string reason, place = "?";
    for (const auto &argument : remark.getArgs())
      if (argument.key == "Reason")
        reason = argument.val;
    if (reason.empty()) {
      ++outcome->numExpanded;
      return;
    }
    if (auto loc = remark.getLocation()->findInstanceOf<mlir::FileLineColLoc>())
      place = fmt::format("{}:{}:{}", loc.getFilename().str(), loc.getLine(), loc.getColumn());
    outcome->refusals.push_back(fmt::format("{}: {}", place, reason));
  }

private:
  std::shared_ptr<Outcome> outcome;
};
} // namespace

rt::Status espalier::tools::expandBranches(Network &network, cg::ExpandBranchesOptions options,
                                           const Console &console) {
  mlir::MLIRContext &context = network.context();
  auto outcome = std::make_shared<Outcome>();
  mlir::remark::RemarkCategories categories;
  categories.passed = categories.missed = "cg-expand-branches";
  if (failed(mlir::remark::enableOptimizationRemarks(context, std::make_unique<OutcomeStreamer>(outcome),
                                                     std::make_unique<mlir::remark::RemarkEmittingPolicyAll>(),
                                                     categories)))
    return reported();
  std::string block = options.block;
  mlir::PassManager manager(&context);
  manager.addPass(cg::createExpandBranches(std::move(options)));
  if (failed(manager.run(network.module())))
    return reported();
  size_t count = outcome->numExpanded + outcome->refusals.size();
  if (outcome->numExpanded == 0)
    return rt::invalidInput("none of the {} convolutions can be expanded into {}{}", count, block,
                            count ? "; the first: " + outcome->refusals.front() : "");
  console.note("{} of {} convolutions expanded into {}", outcome->numExpanded, count, block);
  for (const std::string &refusal : outcome->refusals)
    console.detail("{}", refusal);
  return {};
}

static int64_t countConvolutions(mlir::ModuleOp module) {
  int64_t count = 0;
  module.walk([&](cg::Conv2dOp) { ++count; });
  return count;
}

static bool hasComputedFilters(mlir::ModuleOp module) {
  mlir::WalkResult result = module.walk([](cg::Conv2dOp conv) {
    bool isComputed = conv.getFilter().getDefiningOp() && !conv.getFilter().getDefiningOp<cg::ParameterOp>();
    return isComputed ? mlir::WalkResult::interrupt() : mlir::WalkResult::advance();
  });
  return result.wasInterrupted();
}

static mlir::LogicalResult foldOnline(mlir::ModuleOp module, cg::BranchNorms norms) {
  cg::FoldBranchesOptions options;
  options.online = true;
  options.norms = norms;
  mlir::PassManager manager(module.getContext());
  manager.addPass(cg::createFoldBranches(options));
  return manager.run(module);
}

rt::Status espalier::tools::foldBranchesOnline(Network &network, cg::BranchNorms norms, const Console &console) {
  int64_t before = countConvolutions(network.module());
  if (failed(foldOnline(network.module(), norms)))
    return reported();
  int64_t after = countConvolutions(network.module());
  if (after == before) {
    std::string hint;
    if (norms == cg::BranchNorms::Keep) {
      mlir::OwningOpRef<mlir::ModuleOp> trial = network.module().clone();
      if (failed(foldOnline(*trial, cg::BranchNorms::After)))
        return reported();
      if (countConvolutions(*trial) < before)
        hint = ": branches that end in batch norms need branches.fold = \"norms-after\"";
    }
    if (hint.empty() && hasComputedFilters(network.module()))
      hint = ": filters are summed up already, not images, so branches.fold has nothing to do";
    return rt::invalidInput("none of the {} convolutions can be folded in training{}", before, hint);
  }
  console.note("{} convolutions folded into {} in each step", before, after);
  return {};
}
