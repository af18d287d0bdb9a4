//===- BranchBlock.cpp - a convolution with its branches ------------------===//

#include "espalier/Transforms/BranchBlock.h"

#include "BranchPlanner.h"
#include "BranchSite.h"
#include "ImageSum.h"
#include "WeightExpressions.h"

#include "espalier/Transforms/BranchInterfaces.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace espalier::cg;

//===----------------------------------------------------------------------===//
// Finding blocks
//===----------------------------------------------------------------------===//

/// The one convolution whose filter is the parameter; else null, and how many there are.
static std::pair<Conv2dOp, unsigned> findConv(GraphOp graph, StringRef filterPath) {
  Conv2dOp found;
  unsigned count = 0;
  for (auto conv : graph.getBody().front().getOps<Conv2dOp>())
    if (auto filter = conv.getFilter().getDefiningOp<ParameterOp>(); filter && filter.getPath() == filterPath) {
      found = conv;
      ++count;
    }
  return {count == 1 ? found : Conv2dOp(), count};
}

/// Is `root` made of weights and `image` by ops that can be affine in it?
static bool isAffineIn(Value image, Value root, const llvm::DenseSet<Value> &weights) {
  llvm::SetVector<Value> values;
  values.insert(root);
  for (size_t i = 0; i < values.size(); ++i) {
    Value value = values[i];
    if (value == image || weights.contains(value))
      continue;
    Operation *op = value.getDefiningOp();
    if (!op || !isa<ConvMapOpInterface>(op))
      return false;
    values.insert(op->operand_begin(), op->operand_end());
  }
  return true;
}

FailureOr<BranchBlock> espalier::cg::findBranchBlock(GraphOp graph, StringRef filterPath) {
  BranchSite site;
  auto [conv, count] = findConv(graph, filterPath);
  if (!conv)
    return graph.emitError("expects one convolution whose filter is the parameter '")
           << filterPath << "', but got " << count;
  site.conv = conv;
  site.filter = conv.getFilter().getDefiningOp<ParameterOp>();
  if (std::optional<std::string> reason = findBranchNorm(site))
    return conv.emitError("is not the main convolution of a block: ") << *reason;

  BranchBlock block{conv, site.filter, site.norm, site.norm ? site.norm.getResult() : conv.getResult()};
  llvm::DenseSet<Value> weights = findWeights(graph.getBody().front());
  while (block.end.hasOneUse()) {
    auto add = dyn_cast<AddOp>(*block.end.user_begin());
    if (!add || add.getType() != conv.getType() ||
        !isAffineIn(conv.getInput(), add.getLhs() == block.end ? add.getRhs() : add.getLhs(), weights))
      break;
    block.end = add;
  }
  return block;
}

std::optional<std::string> espalier::cg::refuseBlock(GraphOp graph, StringRef filterPath, StringRef block) {
  Conv2dOp conv = findConv(graph, filterPath).first;
  if (!conv)
    return ("no convolution has the filter '" + filterPath + "' for itself").str();
  BranchSite site;
  if (std::optional<std::string> reason = findBranchSite(conv, StoragePaths(graph), site))
    return reason;
  auto *provider = graph.getContext()->getLoadedDialect<CGDialect>()->getRegisteredInterface<BlockProvider>();
  if (!provider)
    return "this tool cannot read blocks of branches";
  return provider->refuse(block, site.describe(/*preserve=*/false));
}

//===----------------------------------------------------------------------===//
// What blocks consist of
//===----------------------------------------------------------------------===//

/// The ops that `root` is made of, back to `image`.
static llvm::SetVector<Operation *> findSlice(Value image, Value root) {
  llvm::SetVector<Operation *> ops;
  auto add = [&](Value value) {
    if (Operation *op = value.getDefiningOp(); op && value != image)
      ops.insert(op);
  };
  add(root);
  for (size_t i = 0; i < ops.size(); ++i)
    llvm::for_each(ops[i]->getOperands(), add);
  return ops;
}

/// The longest path that both lie under.
static StringRef commonPrefix(StringRef lhs, StringRef rhs) {
  size_t length = 0;
  for (size_t i = 0; i <= std::min(lhs.size(), rhs.size()); ++i) {
    bool lhsEnds = i == lhs.size() || lhs[i] == '.', rhsEnds = i == rhs.size() || rhs[i] == '.';
    if (lhsEnds && rhsEnds)
      length = i;
    if (i == lhs.size() || i == rhs.size() || lhs[i] != rhs[i])
      break;
  }
  return lhs.take_front(length);
}

SmallVector<BranchSummand> espalier::cg::findBranches(const BranchBlock &block) {
  SmallVector<BranchSummand> branches;
  BranchBlock of = block;
  auto root = of.end.getDefiningOp<AddOp>();
  if (!root)
    return branches;
  // Of images, and of an image and a bias.
  Type image = of.conv.getType();
  auto isInner = [&](Operation *op) { return op->hasOneUse() && op->getResult(0).getType() == image; };
  BranchSite site;
  site.filter = of.filter;
  for (Value summand : findSummands(root, isInner)) {
    if (summand.getType() != image)
      continue;
    std::optional<StringRef> prefix;
    llvm::SetVector<Operation *> slice = findSlice(of.conv.getInput(), summand);
    for (Operation *op : slice)
      if (isa<ParameterOp, StateOp>(op))
        prefix = prefix ? commonPrefix(*prefix, pathOf(op)) : pathOf(op);
    if (!prefix || slice.contains(of.filter) || commonPrefix(*prefix, site.prefix()) != site.prefix())
      continue;
    auto norm = summand.getDefiningOp<BatchNormOp>();
    auto scale = norm ? norm.getScale().getDefiningOp<ParameterOp>() : ParameterOp();
    branches.push_back({scale ? scale.getPath().str() : "", prefix->str()});
  }
  return branches;
}

OwningOpRef<ModuleOp> espalier::cg::extractBlock(const BranchBlock &block) {
  BranchBlock of = block;
  Location loc = of.conv.getLoc();
  OpBuilder builder(of.conv.getContext());
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder, loc);
  builder.setInsertionPointToEnd(module->getBody());
  Value input = of.conv.getInput();
  auto graph = GraphOp::create(builder, loc, "block", builder.getFunctionType(input.getType(), of.end.getType()));
  llvm::SetVector<Operation *> slice = findSlice(input, of.end);
  builder.setInsertionPointToEnd(&graph.getBody().front());
  IRMapping values;
  values.map(input, graph.getArgument(0));
  for (Operation &op : *of.conv->getBlock())
    if (slice.contains(&op))
      builder.clone(op, values);
  ReturnOp::create(builder, loc, values.lookup(of.end));
  return module;
}

OwningOpRef<ModuleOp> espalier::cg::foldBlock(const BranchBlock &block) {
  BranchBlock of = block;
  OwningOpRef<ModuleOp> module = extractBlock(block);
  GraphOp graph = *module->getOps<GraphOp>().begin();
  BranchPlanner planner(graph, /*online=*/false, [](Operation *, StringRef) {});
  if (failed(planner.run()))
    return {};
  auto end = cast<ReturnOp>(graph.getBody().front().getTerminator());
  const BranchRegion *region = planner.findWidest(end.getOperand(0));
  std::optional<ConvMap> wanted = mapOf(of.conv);
  if (!region || region->source != graph.getArgument(0) || !wanted || region->map.axes != wanted->axes ||
      region->map.filterShape() != wanted->filterShape() || region->map.first != 0) {
    of.conv.emitError("cannot be folded with its branches into one convolution of its window");
    return {};
  }
  planner.getBuilder().setInsertionPoint(end);
  Value filter = planner.getAlgebra().getFilter(region->map), bias = region->map.bias;
  if (!bias)
    bias = planner.getAlgebra().constant(region->map.features, 0.0);
  buildWeights(graph, "block.weights", {filter, bias}, {"filter", "bias"});
  graph.erase();
  return module;
}
