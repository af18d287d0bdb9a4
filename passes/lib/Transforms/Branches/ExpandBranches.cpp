//===- ExpandBranches.cpp - a convolution becomes a block of branches -----===//

#include "espalier/Transforms/BlockProvider.h"
#include "espalier/Transforms/BranchPasses.h"
#include "espalier/Transforms/StepPasses.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"
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

namespace {
/// A convolution, and what follows it that belongs to it.
struct Site {
  Conv2dOp conv;
  ParameterOp filter;
  /// Of the bias between convolution and norm; may be null.
  AddOp biased;
  Value bias;
  /// May be null.
  BatchNormOp norm;

  /// What the paths of new parameters begin with, without a dot.
  StringRef prefix() {
    StringRef path = filter.getPath();
    if (path == "weight")
      return "";
    path.consume_back(".weight");
    return path;
  }
  /// The op behind a path of the block, which the site has already; null if it has none.
  Operation *existing(StringRef path) {
    if (path == mainFilter)
      return filter;
    if (!norm)
      return nullptr;
    Value value = path == mainScale      ? norm.getScale()
                  : path == mainShift    ? norm.getShift()
                  : path == mainMean     ? norm.getMean()
                  : path == mainVariance ? norm.getVariance()
                                         : Value();
    return value ? value.getDefiningOp() : nullptr;
  }
};

/// What the parameters and states of a graph are called, and how often each parameter is used.
struct Storage {
  llvm::StringMap<unsigned> uses;

  explicit Storage(GraphOp graph) {
    for (Operation &op : graph.getBody().front())
      if (isa<ParameterOp, StateOp>(op))
        uses[pathOf(&op)] += static_cast<unsigned>(llvm::range_size(op.getUses()));
  }
  static StringRef pathOf(Operation *op) { return op->getAttrOfType<StringAttr>("path").getValue(); }
};

using Reason = std::string;

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
  LogicalResult expand(Site site, Storage &storage);
  std::optional<Reason> find(Conv2dOp conv, const Storage &storage, Site &site);
  std::optional<Reason> findNorm(Site &site);
  FailureOr<GraphOp> instantiate(Site &site);
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
  Storage storage(graph);
  for (Conv2dOp conv : llvm::to_vector(graph.getBody().front().getOps<Conv2dOp>())) {
    Site site;
    std::optional<Reason> refusal = find(conv, storage, site);
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
// Which convolutions
//===----------------------------------------------------------------------===//

/// What belongs to the convolution, or why it stays. The filter is set where it is a parameter.
std::optional<Reason> ExpandBranches::find(Conv2dOp conv, const Storage &storage, Site &site) {
  site.conv = conv;
  site.filter = conv.getFilter().getDefiningOp<ParameterOp>();
  if (!site.filter)
    return "its filter is not a parameter";
  ArrayRef<int64_t> extents = site.filter.getType().getShape();
  auto isLarge = [](int64_t size) { return size >= 3 && size % 2 == 1; };
  if (!isLarge(extents[2]) || !isLarge(extents[3]))
    return llvm::formatv("its window is {0}x{1}, not of odd numbers of at least 3", extents[2], extents[3]).str();
  if (storage.uses.lookup(site.filter.getPath()) != 1)
    return "its filter has other uses";
  WindowAttrs window = conv.getWindow();
  for (unsigned dim : {0u, 1u})
    if (window.padBefore(dim) != window.padAfter(dim))
      return "its padding is not the same on opposite sides";
  if (conv.getInput().getType().isDynamicDim(1))
    return "the channels of its input are not known";
  return findNorm(site);
}

std::optional<Reason> ExpandBranches::findNorm(Site &site) {
  if (!site.conv->hasOneUse())
    return {};
  Value normalised = site.conv.getResult();
  Operation *user = *site.conv->user_begin();
  if (auto add = dyn_cast<AddOp>(user); add && add->hasOneUse() && add.getType() == site.conv.getType()) {
    Value other = add.getLhs() == normalised ? add.getRhs() : add.getLhs();
    auto reshape = other.getDefiningOp<ReshapeOp>();
    if (!reshape || !reshape.getInput().getDefiningOp<ParameterOp>())
      return {};
    user = *add->user_begin();
    normalised = add.getResult();
    if (!isa<BatchNormOp>(user))
      return {}; // the bias of a convolution without a norm stays behind the block
    site.biased = add;
    site.bias = other;
  }
  if (isa<BatchNormTrainingOp, BatchNormInferenceOp>(user))
    return "its norm is specialised already";
  auto norm = dyn_cast<BatchNormOp>(user);
  if (!norm)
    return {};
  if (!norm.getScale().getDefiningOp<ParameterOp>() || !norm.getShift().getDefiningOp<ParameterOp>() ||
      !norm.getMean().getDefiningOp<StateOp>() || !norm.getVariance().getDefiningOp<StateOp>())
    return "the operands of its norm are not two parameters and two states";
  site.norm = norm;
  return {};
}

//===----------------------------------------------------------------------===//
// The block
//===----------------------------------------------------------------------===//

/// The graph of the block for this convolution, with the types that it has to have.
FailureOr<GraphOp> ExpandBranches::instantiate(Site &site) {
  ArrayRef<int64_t> filter = site.filter.getType().getShape();
  WindowAttrs window = site.conv.getWindow();
  BlockSite wanted;
  wanted.input = site.conv.getInput().getType();
  wanted.channels = filter[0];
  wanted.kernel = {filter[2], filter[3]};
  wanted.strides = window.strides;
  wanted.pads = {window.padBefore(0), window.padBefore(1)};
  wanted.dilations = window.dilations;
  wanted.groups = window.groups;
  wanted.preserve = initialize == BranchInitialization::Preserve;

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
                              << (isa<StateOp>(op) ? "state '" : "parameter '") << Storage::pathOf(op)
                              << "' of the block '" << block << "', but that has the type "
                              << op->getResult(0).getType();
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

static std::string join(StringRef prefix, StringRef path) {
  return prefix.empty() ? path.str() : path.empty() ? prefix.str() : (prefix + "." + path).str();
}

LogicalResult ExpandBranches::expand(Site site, Storage &storage) {
  FailureOr<GraphOp> graph = instantiate(site);
  if (failed(graph))
    return failure();
  bool hasFilter = false, hasNorm = false;
  Block &body = graph->getBody().front();
  for (Operation &op : body) {
    if (!isa<ParameterOp, StateOp>(op))
      continue;
    StringRef path = Storage::pathOf(&op);
    hasFilter |= path == mainFilter;
    hasNorm |= path == mainScale;
    std::string newPath = join(site.prefix(), path);
    if (!site.existing(path) && storage.uses.contains(newPath)) {
      remark::missed(site.conv.getLoc(), remark::RemarkOpts::name("not-expanded").category(getArgumentName()))
          << remark::reason("the network has a parameter '{0}', as the block would have", newPath);
      return success();
    }
  }
  if (!hasFilter && initialize == BranchInitialization::Preserve)
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
    auto inner = op.getAttrOfType<StringAttr>(scopeAttrName);
    StringRef scope = inner ? inner.getValue() : "";
    Operation *like = scope == "conv" ? site.conv.getOperation() : scope == "norm" ? site.norm.getOperation() : nullptr;
    if (auto own = like ? like->getAttrOfType<StringAttr>(scopeAttrName) : StringAttr())
      return own.getValue().str();
    return join(site.prefix(), scope == "conv" ? "" : scope);
  };
  for (Operation &op : body.without_terminator()) {
    bool isStorage = isa<ParameterOp, StateOp>(op);
    if (Operation *existing = isStorage ? site.existing(Storage::pathOf(&op)) : nullptr) {
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
      std::string path = join(site.prefix(), Storage::pathOf(&op));
      storage.uses[path] = 0;
      copy->setAttr("path", builder.getStringAttr(path));
    }
    if (auto dropout = dyn_cast<DropoutOp>(copy))
      dropout.setKey(join(site.prefix(), dropout.getKey()));
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
