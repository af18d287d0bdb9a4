//===- BranchGrowth.cpp - branches that come and go in training -----------===//

#include "BranchGrowth.h"

#include "BranchWeights.h"

#include "../common/Compile.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Transforms/BranchPasses.h"
#include "espalier/Transforms/ParameterPaths.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <cmath>
#include <random>

using namespace espalier;
using namespace espalier::tools;

/// The norm that a convolution gets of its own before its first branch, so that its share of the sum can be told.
static constexpr const char *originBlock = "dyrep_origin", *originScale = "origin.weight";

static std::string scoreName(llvm::StringRef filter) { return (filter + "#" + cg::scoreSlot).str(); }

static bool hasOrigin(const cg::BranchBlock &block, llvm::StringRef filter) {
  cg::BatchNormOp norm = block.norm;
  return norm && cg::pathOf(norm.getScale()) == cg::joinPaths(cg::convolutionPath(filter), originScale);
}

/// What the block of a filter computes.
static rt::Expected<FoldedFilter> evaluateFilter(cg::GraphOp graph, llvm::StringRef filter,
                                                 const rt::TensorMap &tensors) {
  mlir::FailureOr<cg::BranchBlock> block = cg::findBranchBlock(graph, filter);
  if (failed(block))
    return reported();
  mlir::OwningOpRef<mlir::ModuleOp> folded = cg::foldBlock(*block);
  return folded ? evaluateBlock(*folded, tensors) : rt::Expected<FoldedFilter>(reported());
}

namespace {
/// A copy of a graph to try edits on.
class Trial {
public:
  explicit Trial(cg::GraphOp original) : module(mlir::ModuleOp::create(original.getLoc())) {
    graph = original.clone();
    module->push_back(graph);
  }

  mlir::OwningOpRef<mlir::ModuleOp> module;
  cg::GraphOp graph;
};
} // namespace

//===----------------------------------------------------------------------===//
// Edits
//===----------------------------------------------------------------------===//

void BranchGrowth::remember(const BranchEdit &edit) {
  if (edit.kind == BranchEdit::Kind::Cut)
    llvm::erase_if(grown, [&](const GrownBranch &branch) { return cg::isUnderPath(branch.path, edit.path); });
  else if (edit.block != originBlock)
    grown.push_back({edit.path, cg::joinPaths(cg::convolutionPath(edit.path), edit.scope)});
}

void BranchGrowth::keep(const BranchEdit &edit, rt::RunPosition &position) {
  remember(edit);
  position.edits.push_back(edit.str());
}

rt::Status BranchGrowth::replay(const std::vector<std::string> &edits) {
  for (const std::string &text : edits) {
    rt::Expected<BranchEdit> edit = BranchEdit::parse(text);
    if (!edit)
      return edit.takeStatus();
    if (!edit->apply(graph).ok())
      return rt::invalidInput("the edit {} cannot be made to '{}'", text, graph.getSymName().str());
    remember(*edit);
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Cutting
//===----------------------------------------------------------------------===//

std::vector<std::string> BranchGrowth::findWeakBranches(cg::BranchBlock &block, const rt::TensorMap &tensors) const {
  double main = meanMagnitude(elements(tensors, cg::pathOf(block.norm.getScale())));
  std::vector<std::pair<std::string, double>> shares;
  double sum = 0, squares = 0;
  for (const cg::BranchSummand &summand : cg::findBranches(block)) {
    auto branch = llvm::find_if(grown, [&](const GrownBranch &candidate) {
      return candidate.filter == block.filter.getPath() && cg::isUnderPath(summand.prefix, candidate.path);
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
      BranchEdit edit = BranchEdit::cut(path);
      Trial trial(graph);
      if (rt::Status s = edit.apply(trial.graph); !s.ok())
        return s;
      rt::Expected<FoldedFilter> before = evaluateFilter(graph, filter, tensors);
      if (!before)
        return before.takeStatus();
      rt::Expected<FoldedFilter> after = evaluateFilter(trial.graph, filter, tensors);
      if (!after)
        return after.takeStatus();
      if (!findDeadChannels(*block, *before, *after, tensors).empty()) {
        note(fmt::format("{} is weak, but stays: the norm of {} is next to zero for a channel", path, filter));
        continue;
      }
      if (rt::Status s = edit.apply(graph); !s.ok())
        return s;
      keep(edit, position);
      block = cg::findBranchBlock(graph, filter);
      if (failed(block))
        return reported();
      makeUpFor(*block, *before, *after, tensors);
      changed.insert(filter);
      note(fmt::format("cut {}", path));
      for (auto it = tensors.begin(); it != tensors.end();)
        it = cg::isUnderPath(llvm::StringRef(it->first).split('#').first, path) ? tensors.erase(it) : std::next(it);
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
  std::vector<BranchEdit> edits;              ///< that made it
};

std::string BranchGrowth::freeScope(llvm::StringRef filter, size_t epoch) {
  auto isTaken = [&](llvm::StringRef scope) {
    std::string path = cg::joinPaths(cg::convolutionPath(filter), scope);
    return llvm::any_of(graph.getBody().front(), [&](mlir::Operation &op) {
      return llvm::isa<cg::ParameterOp, cg::StateOp>(op) && cg::isUnderPath(cg::pathOf(op.getResult(0)), path);
    });
  };
  std::string scope = fmt::format("g{}", epoch);
  for (int number = 2; isTaken(scope); ++number)
    scope = fmt::format("g{}_{}", epoch, number);
  return scope;
}

/// The branch of a block whose parameters lie under `path`, if it is one and ends in a norm.
static std::optional<cg::BranchSummand> findOnlyBranch(const cg::BranchBlock &block, llvm::StringRef path) {
  std::optional<cg::BranchSummand> found;
  for (cg::BranchSummand &summand : cg::findBranches(block)) {
    if (!cg::isUnderPath(summand.prefix, path))
      continue;
    if (found || summand.scalePath.empty())
      return std::nullopt;
    found = std::move(summand);
  }
  return found;
}

rt::Expected<BranchGrowth::Growth> BranchGrowth::growBeside(cg::GraphOp graph, const std::string &filter,
                                                            const std::string &block, const std::string &scope) {
  Growth growth{filter, cg::joinPaths(cg::convolutionPath(filter), scope), false, {}, {}};
  auto expand = [&](const std::string &name, const std::string &newScope) -> mlir::FailureOr<cg::BranchBlock> {
    BranchEdit edit = BranchEdit::expand(filter, name, newScope);
    if (!edit.apply(graph).ok())
      return mlir::failure();
    growth.edits.push_back(std::move(edit));
    return cg::findBranchBlock(graph, filter);
  };
  mlir::FailureOr<cg::BranchBlock> found = cg::findBranchBlock(graph, filter);
  growth.isFirst = succeeded(found) && !hasOrigin(*found, filter);
  if (growth.isFirst)
    found = expand(originBlock, "");
  if (failed(found) || !hasOrigin(*found, filter) || !(growth.function = cg::foldBlock(*found)))
    return rt::invalidInput("what it is added to cannot be folded with it into one convolution of its window");
  found = expand(block, scope);
  if (failed(found) || !hasOrigin(*found, filter) || !findOnlyBranch(*found, growth.path) || !cg::foldBlock(*found))
    return rt::invalidInput("a block that grows is a main convolution 'conv', its norm 'norm', and one linear branch "
                            "beside it that fits into the window and ends in a norm");
  return growth;
}

std::optional<std::string> BranchGrowth::whyNotGrown(const std::string &filter, const std::string &block) {
  for (const std::string &name : {std::string(originBlock), block})
    if (std::optional<std::string> reason = cg::refuseBlock(graph, filter, name))
      return reason;
  // That a block can be made does not say that it is of the kind that can grow.
  mlir::ScopedDiagnosticHandler quiet(graph.getContext(), [](mlir::Diagnostic &) { return mlir::success(); });
  Trial trial(graph);
  rt::Expected<Growth> growth = growBeside(trial.graph, filter, block, freeScope(filter, 0));
  return growth ? std::nullopt : std::optional<std::string>(growth.status().message());
}

std::pair<std::string, std::string> BranchGrowth::chooseFilter(const rt::TensorMap &tensors, int64_t step) {
  std::mt19937_64 random(static_cast<uint64_t>(recipe.seed) * 1'000'003 + static_cast<uint64_t>(step));
  std::vector<std::pair<double, std::string>> filters;
  for (cg::ParameterOp parameter : graph.getBody().front().getOps<cg::ParameterOp>()) {
    llvm::StringRef path = parameter.getPath();
    auto score = tensors.find(scoreName(path));
    auto isAround = [&](const GrownBranch &branch) { return cg::isUnderPath(path, branch.path); };
    // A branch of a branch grows none itself.
    if (score == tensors.end() || llvm::count_if(grown, isAround) > 1)
      continue;
    bool isRandom = recipe.growthScore == rt::GrowthScore::Random;
    double value = isRandom ? static_cast<double>(random()) : double(score->second.elements<float>()[0]);
    if (!std::isnan(value))
      filters.emplace_back(value, path.str());
  }
  llvm::sort(filters,
             [](const auto &a, const auto &b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  for (auto &[score, filter] : filters) {
    std::vector<std::string> fitting;
    for (const std::string &block : recipe.growthBlocks)
      if (!whyNotGrown(filter, block))
        fitting.push_back(block);
    if (!fitting.empty())
      return {filter, fitting[random() % fitting.size()]};
  }
  return {};
}

rt::Status BranchGrowth::checkBlocks() {
  std::string refusal;
  size_t numRefused = 0;
  for (const std::string &block : recipe.growthBlocks) {
    std::string reason = "the network has none";
    bool fits = false, isLarge = false;
    for (cg::Conv2dOp conv : graph.getBody().front().getOps<cg::Conv2dOp>()) {
      auto filter = conv.getFilter().getDefiningOp<cg::ParameterOp>();
      if (!filter || fits)
        continue;
      std::optional<std::string> why = whyNotGrown(filter.getPath().str(), block);
      fits = !why;
      // Of those that would not grow anything, the window is the reason.
      llvm::ArrayRef<int64_t> extents = filter.getType().getShape();
      if (why && !isLarge)
        reason = fmt::format("'{}': {}", filter.getPath().str(), *why);
      isLarge |= std::min(extents[2], extents[3]) > 1;
    }
    if (!fits && numRefused++ == 0)
      refusal = fmt::format("no convolution can grow '{}'; {}", block, reason);
  }
  bool isGiven = recipe.growthBlocks != rt::Recipe().growthBlocks;
  if (numRefused == 0 || (!isGiven && numRefused < recipe.growthBlocks.size()))
    return {};
  return rt::invalidInput("{}{}", recipe.locate({"growth.blocks", "growth.interval"}).prefix(), refusal);
}

rt::Expected<std::optional<BranchGrowth::Growth>> BranchGrowth::growBranch(const rt::TensorMap &tensors,
                                                                           rt::RunPosition &position) {
  auto [filter, block] = chooseFilter(tensors, position.step);
  if (filter.empty()) {
    note("no convolution can grow a branch");
    return std::optional<Growth>();
  }
  rt::Expected<Growth> growth = growBeside(graph, filter, block, freeScope(filter, position.history.size()));
  if (!growth)
    return growth.takeStatus();
  for (const BranchEdit &edit : growth->edits)
    keep(edit, position);
  note(fmt::format("grew {} beside {}, as {}", block, filter, growth->path));
  return std::optional<Growth>(std::move(*growth));
}

rt::Expected<BranchGrowth::Observation> BranchGrowth::observe(rt::Trainer &trainer, int64_t step) const {
  rt::Expected<rt::TensorMap> tensors = trainer.everything();
  if (!tensors)
    return tensors.takeStatus();
  rt::Expected<rt::TensorMap> running = trainer.observeStates(step, recipe.growthBatches);
  if (!running)
    return running.takeStatus();
  return Observation{std::move(*tensors), std::move(*running), std::min(recipe.growthBatches, trainer.stepsPerEpoch())};
}

rt::Status BranchGrowth::startBranch(rt::Trainer &trainer, const Growth &growth, int64_t step) {
  rt::Expected<Observation> observed = observe(trainer, step);
  if (!observed)
    return observed.takeStatus();
  auto &[tensors, running, count] = *observed;
  mlir::FailureOr<cg::BranchBlock> block = cg::findBranchBlock(graph, growth.filter);
  if (failed(block))
    return reported();
  if (growth.isFirst) // over the variance of 1 that the norm starts with, this is the identity
    llvm::fill(elements(tensors, cg::pathOf(block->norm.getScale())),
               static_cast<float>(std::sqrt(1 + block->norm.getEpsilon().convertToDouble())));
  cg::BatchNormOp last; // of the branch
  std::optional<cg::BranchSummand> branch = findOnlyBranch(*block, growth.path);
  for (cg::BatchNormOp norm : graph.getBody().front().getOps<cg::BatchNormOp>()) {
    if (!norm.getMean().getDefiningOp<cg::StateOp>() || !cg::isUnderPath(cg::pathOf(norm.getMean()), growth.path))
      continue;
    averageBatches(norm, running, count, tensors);
    if (branch && cg::pathOf(norm.getScale()) == branch->scalePath)
      last = norm;
  }
  rt::Expected<FoldedFilter> before = evaluateBlock(*growth.function, tensors);
  if (!before)
    return before.takeStatus();
  rt::Expected<FoldedFilter> after = evaluateFilter(graph, growth.filter, tensors);
  if (!after)
    return after.takeStatus();
  // For a channel that the main convolution has given up, the branch starts at zero.
  std::vector<size_t> dead = findDeadChannels(*block, *before, *after, tensors);
  if (last && !dead.empty()) {
    for (size_t channel : dead)
      elements(tensors, cg::pathOf(last.getScale()))[channel] =
          elements(tensors, cg::pathOf(last.getShift()))[channel] = 0;
    after = evaluateFilter(graph, growth.filter, tensors);
    if (!after)
      return after.takeStatus();
  }
  makeUpFor(*block, *before, *after, tensors);
  return trainer.load(tensors);
}

rt::Status BranchGrowth::refreshNorms(rt::Trainer &trainer, const std::set<std::string> &filters, int64_t step) {
  rt::Expected<Observation> observed = observe(trainer, step);
  if (!observed)
    return observed.takeStatus();
  auto &[tensors, running, count] = *observed;
  for (const std::string &filter : filters) {
    if (!tensors.count(filter)) // went with the branch that it was in
      continue;
    mlir::FailureOr<cg::BranchBlock> block = cg::findBranchBlock(graph, filter);
    if (failed(block))
      return reported();
    renormalise(block->norm, running, count, tensors);
  }
  return trainer.load(tensors);
}

//===----------------------------------------------------------------------===//
// Between two epochs
//===----------------------------------------------------------------------===//

rt::Status BranchGrowth::save(int64_t step) const {
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
  return refreshNorms(trainer, filters, position.step);
}
