//===- BranchGrowth.cpp - branches that come and go in training -----------===//

#include "BranchGrowth.h"

#include "BranchWeights.h"

#include "../common/Compile.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Core/Text.h"
#include "espalier/Transforms/BranchPasses.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <cmath>
#include <random>

using namespace espalier;
using namespace espalier::tools;

/// The norm that a convolution gets of its own before its first branch, so that its share of the sum can be told.
static constexpr const char *originBlock = "dyrep_origin", *originPath = "origin";

static std::string scoreName(llvm::StringRef filter) { return (filter + "#" + cg::scoreSlot).str(); }

/// "layer1.conv1" of "layer1.conv1.weight": the path of the convolution.
static llvm::StringRef convolutionOf(llvm::StringRef filter) {
  filter.consume_back(".weight");
  return filter;
}

static bool isUnder(llvm::StringRef path, llvm::StringRef prefix) {
  return path.consume_front(prefix) && (path.empty() || path.front() == '.');
}

//===----------------------------------------------------------------------===//
// Edits
//===----------------------------------------------------------------------===//

std::string BranchGrowth::Edit::str() const {
  return kind == Kind::Cut ? "cut\t" + path : fmt::format("expand\t{}\t{}\t{}", path, block, scope);
}

rt::Expected<BranchGrowth::Edit> BranchGrowth::Edit::parse(const std::string &text) {
  llvm::SmallVector<llvm::StringRef> words;
  llvm::StringRef(text).split(words, '\t');
  if (words.size() == 2 && words[0] == "cut")
    return Edit{Kind::Cut, words[1].str(), "", ""};
  if (words.size() == 4 && words[0] == "expand")
    return Edit{Kind::Expand, words[1].str(), words[2].str(), words[3].str()};
  return rt::invalidInput("expects an edit of a network, but got {}", rt::quote(text));
}

/// A pattern that matches `path` alone.
static std::string escapePattern(llvm::StringRef path) {
  std::string pattern;
  for (char c : path) {
    if (llvm::StringRef("*?[]{}^!\\").contains(c))
      pattern += '\\';
    pattern += c;
  }
  return pattern;
}

rt::Status BranchGrowth::apply(const Edit &edit) {
  if (edit.kind == Edit::Kind::Cut) {
    mlir::PassManager manager(graph.getContext(), cg::GraphOp::getOperationName());
    cg::CutBranchesOptions options;
    options.paths = {edit.path};
    manager.addPass(cg::createCutBranches(std::move(options)));
    if (failed(manager.run(graph)))
      return reported();
    llvm::erase_if(grown, [&](const GrownBranch &branch) { return isUnder(branch.path, edit.path); });
    return {};
  }
  mlir::PassManager manager(graph.getContext());
  cg::ExpandBranchesOptions options;
  options.paths = {escapePattern(edit.path)};
  options.block = edit.block;
  options.scope = edit.scope;
  options.initialize = cg::BranchInitialization::Grow;
  manager.addPass(cg::createExpandBranches(std::move(options)));
  if (failed(manager.run(graph->getParentOfType<mlir::ModuleOp>())))
    return reported();
  if (edit.block != originBlock)
    grown.push_back({edit.path, (convolutionOf(edit.path) + "." + edit.scope).str()});
  return {};
}

rt::Status BranchGrowth::applyAndKeep(const Edit &edit, rt::RunPosition &position) {
  if (rt::Status s = apply(edit); !s.ok())
    return s;
  position.edits.push_back(edit.str());
  return {};
}

rt::Status BranchGrowth::replay(const std::vector<std::string> &edits) {
  for (const std::string &text : edits) {
    rt::Expected<Edit> edit = Edit::parse(text);
    if (!edit)
      return edit.takeStatus();
    if (rt::Status s = apply(*edit); !s.ok())
      return s;
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Cutting
//===----------------------------------------------------------------------===//

std::vector<std::string> BranchGrowth::findWeakBranches(cg::BranchBlock &block, const rt::TensorMap &tensors) const {
  double main = meanMagnitude(elements(tensors, pathOf(block.norm.getScale())));
  std::vector<std::pair<std::string, double>> shares;
  double sum = 0, squares = 0;
  for (const cg::BranchSummand &summand : cg::findBranches(block)) {
    auto branch = llvm::find_if(grown, [&](const GrownBranch &candidate) {
      return candidate.filter == block.filter.getPath() && isUnder(summand.prefix, candidate.path);
    });
    if (branch == grown.end() || summand.scalePath.empty())
      continue;
    double share = meanMagnitude(elements(tensors, summand.scalePath)) / main;
    shares.emplace_back(branch->path, share);
    sum += share;
  }
  if (shares.size() < 2 || !std::isfinite(sum))
    return {};
  double mean = sum / static_cast<double>(shares.size());
  for (const auto &[path, share] : shares)
    squares += (share - mean) * (share - mean);
  constexpr double minDeviation = 0.02, minShare = 0.1;
  if (std::sqrt(squares / static_cast<double>(shares.size() - 1)) <= minDeviation)
    return {};
  std::vector<std::string> weak;
  for (const auto &[path, share] : shares)
    if (share < mean && share < minShare)
      weak.push_back(path);
  return weak;
}

rt::Status BranchGrowth::cutBranches(rt::TensorMap &tensors, rt::RunPosition &position,
                                     std::set<std::string> &changed) {
  std::set<std::string> filters;
  for (const GrownBranch &branch : grown)
    filters.insert(branch.filter);
  for (const std::string &filter : filters) {
    if (!tensors.count(filter)) // went with the branch that it was in
      continue;
    mlir::FailureOr<cg::BranchBlock> block = cg::findBranchBlock(graph, filter);
    if (failed(block))
      return reported();
    for (const std::string &path : findWeakBranches(*block, tensors)) {
      mlir::OwningOpRef<mlir::ModuleOp> whole = cg::foldBlock(*block);
      if (!whole)
        return reported();
      rt::Expected<FoldedFilter> before = evaluateBlock(*whole, tensors);
      if (!before)
        return before.takeStatus();
      if (rt::Status s = applyAndKeep({Edit::Kind::Cut, path, "", ""}, position); !s.ok())
        return s;
      block = cg::findBranchBlock(graph, filter);
      if (failed(block))
        return reported();
      mlir::OwningOpRef<mlir::ModuleOp> rest = cg::foldBlock(*block);
      if (!rest)
        return reported();
      rt::Expected<FoldedFilter> after = evaluateBlock(*rest, tensors);
      if (!after)
        return after.takeStatus();
      bool isKept = makeUpFor(*block, *before, *after, tensors);
      changed.insert(filter);
      note(fmt::format("cut {}{}", path,
                       isKept ? "" : "; the filter beside it cannot make up for it, so the function changes"));
      for (auto it = tensors.begin(); it != tensors.end();)
        it = isUnder(llvm::StringRef(it->first).split('#').first, path) ? tensors.erase(it) : std::next(it);
    }
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Growing
//===----------------------------------------------------------------------===//

struct BranchGrowth::Growth {
  std::string filter;                         ///< beside which it grew
  std::string path;                           ///< that its parameters lie under
  bool isFirst;                               ///< of this filter
  mlir::OwningOpRef<mlir::ModuleOp> function; ///< what the block computed before
};

std::pair<std::string, std::string> BranchGrowth::chooseFilter(const rt::TensorMap &tensors, int64_t step) {
  std::mt19937_64 random(static_cast<uint64_t>(recipe.seed) * 1'000'003 + static_cast<uint64_t>(step));
  std::vector<std::pair<double, std::string>> filters;
  for (cg::ParameterOp parameter : graph.getBody().front().getOps<cg::ParameterOp>()) {
    llvm::StringRef path = parameter.getPath();
    auto score = tensors.find(scoreName(path));
    auto isAround = [&](const GrownBranch &branch) { return isUnder(path, branch.path); };
    // A branch of a branch grows none itself.
    if (score == tensors.end() || llvm::count_if(grown, isAround) > 1)
      continue;
    bool isRandom = recipe.growthScore == rt::GrowthScore::Random;
    double value = isRandom ? static_cast<double>(random()) : double(score->second.elements<float>()[0]);
    if (!std::isnan(value) && !cg::refuseBlock(graph, path, originBlock))
      filters.emplace_back(value, path.str());
  }
  llvm::sort(filters,
             [](const auto &a, const auto &b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  for (auto &[score, filter] : filters) {
    std::vector<std::string> fitting;
    for (const std::string &block : recipe.growthBlocks)
      if (!cg::refuseBlock(graph, filter, block))
        fitting.push_back(block);
    if (!fitting.empty())
      return {filter, fitting[random() % fitting.size()]};
  }
  return {};
}

rt::Status BranchGrowth::checkBlocks(const std::function<void(const std::string &)> &warn) {
  std::vector<std::string> refusals;
  for (const std::string &block : recipe.growthBlocks) {
    std::optional<std::string> first;
    bool fits = false;
    for (cg::Conv2dOp conv : graph.getBody().front().getOps<cg::Conv2dOp>()) {
      auto filter = conv.getFilter().getDefiningOp<cg::ParameterOp>();
      if (!filter || fits)
        continue;
      std::optional<std::string> reason = cg::refuseBlock(graph, filter.getPath(), block);
      fits = !reason;
      first = first ? first : reason;
    }
    if (!fits)
      refusals.push_back(fmt::format("no convolution can become '{}'{}", block, first ? ": " + *first : ""));
  }
  std::string prefix = recipe.locate({"growth.blocks", "growth.interval"}).prefix();
  if (refusals.size() == recipe.growthBlocks.size())
    return rt::invalidInput("{}{}", prefix, refusals.front());
  for (const std::string &refusal : refusals)
    warn(prefix + refusal);
  return {};
}

rt::Expected<std::optional<BranchGrowth::Growth>> BranchGrowth::growBranch(const rt::TensorMap &tensors,
                                                                           rt::RunPosition &position) {
  auto [filter, block] = chooseFilter(tensors, position.step);
  if (filter.empty()) {
    note("no convolution can grow a branch");
    return std::optional<Growth>();
  }
  std::string convolution = convolutionOf(filter).str(), scope = fmt::format("g{}", position.history.size());
  Growth growth{filter, convolution + "." + scope, !tensors.count(convolution + "." + originPath + ".weight"), {}};
  if (growth.isFirst)
    if (rt::Status s = applyAndKeep({Edit::Kind::Expand, filter, originBlock, ""}, position); !s.ok())
      return s;
  mlir::FailureOr<cg::BranchBlock> before = cg::findBranchBlock(graph, filter);
  if (failed(before) || !(growth.function = cg::foldBlock(*before)))
    return reported();
  if (rt::Status s = applyAndKeep({Edit::Kind::Expand, filter, block, scope}, position); !s.ok())
    return s;
  note(fmt::format("grew {} beside {}, as {}", block, filter, growth.path));
  return std::optional<Growth>(std::move(growth));
}

rt::Status BranchGrowth::startBranch(rt::Trainer &trainer, const Growth &growth, int64_t step) {
  rt::Expected<rt::TensorMap> tensors = trainer.everything();
  if (!tensors)
    return tensors.takeStatus();
  rt::Expected<rt::TensorMap> running = trainer.observeStates(step, recipe.growthBatches);
  if (!running)
    return running.takeStatus();
  mlir::FailureOr<cg::BranchBlock> block = cg::findBranchBlock(graph, growth.filter);
  if (failed(block))
    return reported();
  if (growth.isFirst) // over the variance of 1 that the norm starts with, this is the identity
    llvm::fill(elements(*tensors, pathOf(block->norm.getScale())),
               static_cast<float>(std::sqrt(1 + block->norm.getEpsilon().convertToDouble())));
  int64_t count = std::min(recipe.growthBatches, trainer.stepsPerEpoch());
  for (cg::BatchNormOp norm : graph.getBody().front().getOps<cg::BatchNormOp>())
    if (norm.getMean().getDefiningOp<cg::StateOp>() && isUnder(pathOf(norm.getMean()), growth.path))
      averageBatches(norm, *running, count, *tensors);
  mlir::OwningOpRef<mlir::ModuleOp> function = cg::foldBlock(*block);
  if (!function)
    return reported();
  rt::Expected<FoldedFilter> before = evaluateBlock(*growth.function, *tensors);
  if (!before)
    return before.takeStatus();
  rt::Expected<FoldedFilter> after = evaluateBlock(*function, *tensors);
  if (!after)
    return after.takeStatus();
  if (!makeUpFor(*block, *before, *after, *tensors))
    note(fmt::format("{} cannot make up for its new branch: its norm is zero for a channel", growth.filter));
  return trainer.load(*tensors);
}

rt::Status BranchGrowth::refreshNorms(rt::Trainer &trainer, const std::set<std::string> &filters, int64_t step) {
  rt::Expected<rt::TensorMap> tensors = trainer.everything();
  if (!tensors)
    return tensors.takeStatus();
  rt::Expected<rt::TensorMap> running = trainer.observeStates(step, recipe.growthBatches);
  if (!running)
    return running.takeStatus();
  for (const std::string &filter : filters) {
    if (!tensors->count(filter)) // went with the branch that it was in
      continue;
    mlir::FailureOr<cg::BranchBlock> block = cg::findBranchBlock(graph, filter);
    if (failed(block))
      return reported();
    renormalise(block->norm, *running, std::min(recipe.growthBatches, trainer.stepsPerEpoch()), *tensors);
  }
  return trainer.load(*tensors);
}

//===----------------------------------------------------------------------===//
// Between two epochs
//===----------------------------------------------------------------------===//

rt::Status BranchGrowth::writeNetwork(int64_t step) const {
  std::string text;
  llvm::raw_string_ostream(text) << graph->getParentOfType<mlir::ModuleOp>() << "\n";
  if (rt::Status s = rt::writeFileAtomically(folder->file(fmt::format("network-{}.mlir", step)), text); !s.ok())
    return s;
  return rt::writeFileAtomically(folder->file("network.mlir"), text);
}

rt::Status BranchGrowth::edit(rt::Trainer &trainer, rt::RunPosition &position, rt::RunIdentity &identity) {
  rt::Expected<rt::TensorMap> tensors = trainer.everything();
  if (!tensors)
    return tensors.takeStatus();
  size_t numEdits = position.edits.size();
  std::set<std::string> filters; // whose blocks change
  if (recipe.growthCuts)
    if (rt::Status s = cutBranches(*tensors, position, filters); !s.ok())
      return s;
  rt::Expected<std::optional<Growth>> growth = growBranch(*tensors, position);
  if (!growth)
    return growth.takeStatus();
  for (auto &[name, tensor] : *tensors)
    if (llvm::StringRef(name).ends_with(scoreName("")))
      llvm::fill(tensor.elements<float>(), 0.0f);
  if (position.edits.size() == numEdits)
    return trainer.load(*tensors);

  rt::Expected<CompiledTraining> compiled = compiler.compile(graph);
  if (!compiled)
    return compiled.takeStatus();
  identity.artifactDigest = compiled->artifact.digest;
  if (rt::Status s = trainer.replacePrograms(std::move(compiled->programs)); !s.ok())
    return s;
  if (rt::Status s = trainer.initialize(compiled->artifact.initializers); !s.ok())
    return s;
  if (rt::Status s = trainer.load(*tensors); !s.ok())
    return s;
  if (*growth) {
    filters.insert((*growth)->filter);
    if (rt::Status s = startBranch(trainer, **growth, position.step); !s.ok())
      return s;
  }
  if (rt::Status s = refreshNorms(trainer, filters, position.step); !s.ok())
    return s;
  return writeNetwork(position.step);
}
