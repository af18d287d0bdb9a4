//===- ExpandBranches.cpp - a convolution becomes a block of branches -----===//

#include "BranchSite.h"

#include "espalier/Transforms/BranchPasses.h"
#include "espalier/Transforms/StepPasses.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/GlobPattern.h"

#include <cmath>

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_EXPANDBRANCHES
#include "espalier/Transforms/BranchPasses.h.inc"
} // namespace espalier::cg

/// \name Paths in a block that stand for the parameters and states of the convolution and the norm it replaces.
/// @{
static constexpr StringRef mainFilter = "conv.weight", mainScale = "norm.weight", mainShift = "norm.bias",
                           mainMean = "norm.running_mean", mainVariance = "norm.running_var";
/// @}

static bool isPath(StringRef text) {
  auto isPart = [](StringRef part) {
    return !part.empty() && llvm::all_of(part, [](char c) { return llvm::isAlnum(c) || c == '_' || c == '-'; });
  };
  return llvm::all_of(llvm::split(text, '.'), isPart);
}

namespace {
/// The op behind a path of the block, which the site has already; null if it has none.
Operation *findExisting(BranchSite &site, StringRef path) {
  if (path == mainFilter)
    return site.filter;
  if (!site.norm)
    return nullptr;
  Value value = path == mainScale      ? site.norm.getScale()
                : path == mainShift    ? site.norm.getShift()
                : path == mainMean     ? site.norm.getMean()
                : path == mainVariance ? site.norm.getVariance()
                                       : Value();
  return value ? value.getDefiningOp() : nullptr;
}

struct ExpandBranches final : espalier::cg::impl::ExpandBranchesBase<ExpandBranches> {
  using Base::Base;
  // What a run makes is not of a copy's concern.
  ExpandBranches(const ExpandBranches &other) : Base(other) {}

  void runOnOperation() override {
    provider = getContext().getLoadedDialect<CGDialect>()->getRegisteredInterface<BlockProvider>();
    LogicalResult done = success();
    if (block.empty())
      done = getOperation().emitError("expects the name of a block of branches");
    else if (!provider)
      done = getOperation().emitError("this tool cannot read blocks of branches");
    else if (!scope.empty() && !isPath(scope.getValue()))
      done = getOperation().emitError("expects a scope of letters, digits, '_' and '-' joined by '.', but got '")
             << scope.getValue() << "'";
    SmallVector<llvm::GlobPattern> patterns;
    if (succeeded(done))
      done = parsePatterns(patterns);
    SmallVector<bool> matches(patterns.size(), false);
    for (GraphOp graph : getOperation().getOps<GraphOp>())
      if (succeeded(done) && !graph.getBody().front().getOps<ParameterGradientOp>().empty())
        done = graph.emitError("expects a graph without gradients: branches would have none");
    for (GraphOp graph : getOperation().getOps<GraphOp>())
      if (succeeded(done))
        done = expand(graph, patterns, matches);
    for (auto [text, matched] : llvm::zip(paths, matches))
      if (succeeded(done) && !matched)
        done = getOperation().emitError("no convolution has a filter at a path that matches '") << text << "'";
    instances.clear();
    if (failed(done))
      signalPassFailure();
  }

private:
  LogicalResult parsePatterns(SmallVectorImpl<llvm::GlobPattern> &patterns);
  LogicalResult expand(GraphOp graph, ArrayRef<llvm::GlobPattern> patterns, MutableArrayRef<bool> matches);
  LogicalResult expand(BranchSite site, StoragePaths &storage);
  FailureOr<GraphOp> instantiate(BranchSite &site);
  LogicalResult adopt(Operation *existing, Operation *op);

  const BlockProvider *provider = nullptr;
  /// Blocks that were made already: many convolutions of a network are alike.
  llvm::StringMap<OwningOpRef<ModuleOp>> instances;
};
} // namespace

LogicalResult ExpandBranches::parsePatterns(SmallVectorImpl<llvm::GlobPattern> &patterns) {
  for (const std::string &text : paths) {
    auto pattern = llvm::GlobPattern::create(text);
    if (!pattern)
      return getOperation().emitError("expects a pattern of parameter paths, but got '")
             << text << "': " << llvm::toString(pattern.takeError());
    patterns.push_back(std::move(*pattern));
  }
  return success();
}

LogicalResult ExpandBranches::expand(GraphOp graph, ArrayRef<llvm::GlobPattern> patterns,
                                     MutableArrayRef<bool> matches) {
  StoragePaths storage(graph);
  for (Conv2dOp conv : llvm::to_vector(graph.getBody().front().getOps<Conv2dOp>())) {
    BranchSite site;
    std::optional<std::string> refusal = findBranchSite(conv, storage, site);
    if (!patterns.empty() && site.filter) {
      bool isChosen = false;
      for (auto [pattern, matched] : llvm::zip(patterns, matches))
        if (pattern.match(site.filter.getPath()))
          isChosen = matched = true;
      if (!isChosen)
        continue;
    }
    if (!refusal) {
      if (failed(expand(site, storage)))
        return failure();
      continue;
    }
    remark::missed(conv.getLoc(), remark::RemarkOpts::name("not-expanded").category(getArgumentName()))
        << remark::reason("{0}", *refusal);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The block
//===----------------------------------------------------------------------===//

/// The graph of the block for this convolution, with the types that it has to have.
FailureOr<GraphOp> ExpandBranches::instantiate(BranchSite &site) {
  BlockSite wanted = site.describe(initialize == BranchInitialization::Preserve);
  std::string key;
  llvm::raw_string_ostream os(key);
  os << wanted.input << ' ' << site.filter.getType() << ' ' << wanted.groups;
  for (const auto &pair : {wanted.strides, wanted.pads, wanted.dilations})
    os << ' ' << pair[0] << ' ' << pair[1];
  OwningOpRef<ModuleOp> &module = instances[key];
  if (!module)
    module = provider->instantiate(block, wanted, site.conv.getLoc());
  if (!module)
    return failure();
  GraphOp graph = *module->getOps<GraphOp>().begin();
  Operation *end = graph.getBody().front().getTerminator();
  if (end->getNumOperands() != 1 || end->getOperand(0).getType() != site.conv.getType())
    return site.conv.emitError("cannot be expanded into the block '")
           << block << "': expects a result " << site.conv.getType() << ", but got " << end->getOperandTypes();
  return graph;
}

/// Lets `existing`, a parameter or state of the site, stand for `op` of the block.
LogicalResult ExpandBranches::adopt(Operation *existing, Operation *op) {
  if (existing->getName() != op->getName() || existing->getResultTypes() != op->getResultTypes()) {
    InFlightDiagnostic diag = existing->emitError("expects to become the ")
                              << (isa<StateOp>(op) ? "state '" : "parameter '") << pathOf(op) << "' of the block '"
                              << block << "', but that has the type " << op->getResult(0).getType();
    diag.attachNote(op->getLoc()) << "declared here";
    return diag;
  }
  if (initialize == BranchInitialization::Paper) {
    existing->removeAttr("init");
    if (Attribute init = op->getAttr("init"))
      existing->setAttr("init", init);
  }
  return success();
}

LogicalResult ExpandBranches::expand(BranchSite site, StoragePaths &storage) {
  // What new paths begin with.
  std::string prefix = joinPaths(site.prefix(), scope.getValue());
  FailureOr<GraphOp> graph = instantiate(site);
  if (failed(graph))
    return failure();
  bool hasFilter = false, hasNorm = false;
  Block &body = graph->getBody().front();
  for (Operation &op : body) {
    if (!isa<ParameterOp, StateOp>(op))
      continue;
    StringRef path = pathOf(&op);
    hasFilter |= path == mainFilter;
    hasNorm |= path == mainScale;
    std::string newPath = joinPaths(prefix, path);
    if (!findExisting(site, path) && storage.uses.contains(newPath)) {
      remark::missed(site.conv.getLoc(), remark::RemarkOpts::name("not-expanded").category(getArgumentName()))
          << remark::reason("the network has a parameter '{0}', as the block would have", newPath);
      return success();
    }
  }
  if (!hasFilter && initialize != BranchInitialization::Paper)
    return site.conv.emitError("cannot be expanded into the block '")
           << block << "': it has no parameter '" << mainFilter << "' that could keep the filter";
  // The norm and the bias of the network stay behind a block that has no norm for them.
  if (!hasNorm) {
    site.norm = nullptr;
    site.biased = nullptr;
  }

  Operation *replaced = site.norm ? site.norm.getOperation() : site.conv.getOperation();
  OpBuilder builder(replaced);
  IRMapping values;
  values.map(body.getArgument(0), site.conv.getInput());
  auto scopeOf = [&](Operation &op) {
    auto attr = op.getAttrOfType<StringAttr>(scopeAttrName);
    StringRef inner = attr ? attr.getValue() : "";
    Operation *like = inner == "conv" ? site.conv.getOperation() : inner == "norm" ? site.norm.getOperation() : nullptr;
    if (auto own = like ? like->getAttrOfType<StringAttr>(scopeAttrName) : StringAttr())
      return own.getValue().str();
    return inner == "conv" ? site.prefix().str() : joinPaths(prefix, inner);
  };
  for (Operation &op : body.without_terminator()) {
    bool isStorage = isa<ParameterOp, StateOp>(op);
    if (Operation *existing = isStorage ? findExisting(site, pathOf(&op)) : nullptr) {
      if (failed(adopt(existing, &op)))
        return failure();
      values.map(op.getResults(), existing->getResults());
      continue;
    }
    auto norm = dyn_cast<BatchNormOp>(op);
    auto scale = norm ? norm.getScale().getDefiningOp<ParameterOp>() : nullptr;
    bool isMainNorm = scale && scale.getPath() == mainScale;
    Value input = isMainNorm ? values.lookup(norm.getInput()) : Value();
    if (isMainNorm && site.biased) {
      if (input.getType() != site.conv.getType())
        return site.conv.emitError("cannot be expanded into the block '")
               << block << "': its bias does not fit " << input.getType();
      auto add = AddOp::create(builder, site.biased.getLoc(), input, site.bias);
      if (Attribute scope = site.biased->getAttr(scopeAttrName))
        add->setAttr(scopeAttrName, scope);
      values.map(norm.getInput(), add.getResult());
    }
    Operation *copy = builder.clone(op, values);
    if (isMainNorm)
      values.map(norm.getInput(), input); // without the bias
    copy->setLoc(CallSiteLoc::get(op.getLoc(), site.conv.getLoc()));
    if (isStorage) {
      std::string path = joinPaths(prefix, pathOf(&op));
      storage.uses[path] = 0;
      copy->setAttr("path", builder.getStringAttr(path));
    }
    if (auto dropout = dyn_cast<DropoutOp>(copy))
      dropout.setKey(joinPaths(prefix, dropout.getKey()));
    copy->setAttr(scopeAttrName, builder.getStringAttr(scopeOf(op)));
    if (!isMainNorm)
      continue;
    auto main = cast<BatchNormOp>(copy);
    if (site.norm) {
      main.setEpsilonAttr(site.norm.getEpsilonAttr());
      main.setMomentumAttr(site.norm.getMomentumAttr());
    } else if (initialize == BranchInitialization::Preserve) {
      // Over the initial variance of 1 this is the identity.
      double deviation = std::sqrt(1.0 + main.getEpsilon().convertToDouble());
      main.getScale().getDefiningOp()->setAttr("init",
                                               FillAttr::get(builder.getContext(), builder.getF64FloatAttr(deviation)));
    }
  }
  remark::passed(site.conv.getLoc(), remark::RemarkOpts::name("expanded").category(getArgumentName()))
      << remark::metric("Block", block.getValue()) << remark::metric("Filter", site.filter.getPath());

  replaced->getResult(0).replaceAllUsesWith(values.lookup(body.getTerminator()->getOperand(0)));
  if (site.norm)
    site.norm.erase();
  if (site.biased)
    site.biased.erase();
  site.conv.erase();
  if (site.filter->use_empty())
    site.filter.erase();
  return success();
}
