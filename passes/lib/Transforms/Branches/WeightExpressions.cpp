//===- WeightExpressions.cpp - what is computed from parameters -----------===//

#include "WeightExpressions.h"

#include "espalier/Transforms/BranchPasses.h"
#include "espalier/Transforms/StepPasses.h"
#include "espalier/Transforms/Weights.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace espalier::cg;

llvm::DenseSet<Value> espalier::cg::findWeights(Block &block) {
  llvm::DenseSet<Value> weights;
  for (Operation &op : block)
    if (isa<ParameterOp, StateOp>(op) || (isa<ShapeOpInterface>(op) && readsOnly(op, weights)))
      weights.insert(op.result_begin(), op.result_end());
  return weights;
}

void espalier::cg::eraseDeadOps(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op))
      op.erase();
}

WeightExpressions espalier::cg::findWeightExpressions(GraphOp graph) {
  WeightExpressions expressions;
  llvm::DenseSet<Value> weights = findWeights(graph.getBody().front()), stored; // of them, what is no literal
  for (Operation &op : graph.getBody().front()) {
    if (op.getNumResults() > 0 && weights.contains(op.getResult(0))) {
      if (isa<ParameterOp, StateOp>(op) ||
          llvm::any_of(op.getOperands(), [&](Value operand) { return stored.contains(operand); }))
        stored.insert(op.result_begin(), op.result_end());
      continue;
    }
    for (Value operand : op.getOperands()) {
      Value computed = operand;
      while (auto reshape = computed.getDefiningOp<ReshapeOp>())
        computed = reshape.getInput();
      if (!stored.contains(computed))
        continue;
      if (auto parameter = computed.getDefiningOp<ParameterOp>())
        expressions.keptPaths.insert(parameter.getPath());
      else if (auto state = computed.getDefiningOp<StateOp>())
        expressions.keptPaths.insert(state.getPath());
      else if (isa<FloatType>(cast<RankedTensorType>(computed.getType()).getElementType()))
        expressions.values.insert(computed);
    }
  }
  return expressions;
}

using MainParameters = llvm::DenseMap<Value, ParameterOp>;

/// Of each value that is computed from parameters: the largest filter that went into it, or without one its largest
/// parameter; the first of equals.
static MainParameters findMains(GraphOp graph) {
  MainParameters mains;
  auto rank = [](ParameterOp parameter) {
    RankedTensorType type = parameter.getType();
    return std::pair(type.getRank() == 4, type.getNumElements());
  };
  for (Operation &op : graph.getBody().front()) {
    ParameterOp main = dyn_cast<ParameterOp>(op);
    for (Value operand : op.getOperands())
      if (ParameterOp other = mains.lookup(operand))
        if (!main || rank(other) > rank(main) || (rank(other) == rank(main) && other->isBeforeInBlock(main)))
          main = other;
    if (main)
      for (Value result : op.getResults())
        mains[result] = main;
  }
  return mains;
}

/// The convolution to whose result `value` is added, as its bias.
static Conv2dOp findBiasedConv(Value value) {
  SmallVector<Value> pending{value};
  while (!pending.empty()) {
    Value current = pending.pop_back_val();
    for (Operation *user : current.getUsers()) {
      if (isa<ReshapeOp>(user))
        pending.push_back(user->getResult(0));
      else if (isa<AddOp>(user))
        for (Value operand : user->getOperands())
          if (auto conv = operand.getDefiningOp<Conv2dOp>())
            return conv;
    }
  }
  return {};
}

/// A filter keeps the path of the largest filter that went into it, and a bias stands beside its filter.
static SmallVector<std::string> choosePaths(ArrayRef<Value> expressions, llvm::StringSet<> taken,
                                            const MainParameters &mains) {
  SmallVector<std::string> paths(expressions.size());
  llvm::DenseMap<Value, StringRef> pathOf;
  llvm::StringMap<unsigned> numClaims;
  auto claim = [&](size_t index, const std::string &wanted) {
    std::string path = wanted;
    for (unsigned &number = numClaims[wanted]; !taken.insert(path).second; ++number)
      path = wanted + ".folded" + (number == 0 ? "" : std::to_string(number + 1));
    paths[index] = path;
    pathOf[expressions[index]] = paths[index];
  };
  for (auto [index, value] : llvm::enumerate(expressions))
    if (cast<RankedTensorType>(value.getType()).getRank() == 4) {
      ParameterOp main = mains.lookup(value);
      claim(index, main ? main.getPath().str() : "weight");
    }
  for (auto [index, value] : llvm::enumerate(expressions)) {
    if (!paths[index].empty())
      continue;
    if (Conv2dOp conv = findBiasedConv(value)) {
      StringRef filter = pathOf.lookup(conv.getFilter());
      if (auto parameter = conv.getFilter().getDefiningOp<ParameterOp>())
        filter = parameter.getPath();
      if (!filter.empty()) {
        auto [prefix, last] = filter.rsplit('.');
        claim(index, last.empty() ? "bias" : (prefix + ".bias").str());
        continue;
      }
    }
    ParameterOp main = mains.lookup(value);
    claim(index, main ? main.getPath().str() : "value");
  }
  return paths;
}

void espalier::cg::buildWeights(GraphOp graph, StringRef name, ArrayRef<Value> expressions,
                                ArrayRef<std::string> paths) {
  OpBuilder builder(graph->getBlock(), std::next(graph->getIterator()));
  auto type = builder.getFunctionType({}, TypeRange(ValueRange(expressions)));
  auto weights = GraphOp::create(builder, graph.getLoc(), name, type);
  weights->setAttr(weightsOfAttrName, graph.getSymNameAttr());
  llvm::SetVector<Operation *> needed;
  for (Value value : expressions)
    needed.insert(value.getDefiningOp());
  for (size_t i = 0; i < needed.size(); ++i)
    for (Value operand : needed[i]->getOperands())
      needed.insert(operand.getDefiningOp());
  builder.setInsertionPointToEnd(&weights.getBody().front());
  IRMapping mapping;
  for (Operation &op : graph.getBody().front())
    if (needed.contains(&op))
      builder.clone(op, mapping);
  SmallVector<Value> results;
  for (auto [index, value] : llvm::enumerate(expressions)) {
    results.push_back(mapping.lookup(value));
    weights.setResultAttr(index, GraphOp::getNameAttrName(), builder.getStringAttr(paths[index]));
  }
  ReturnOp::create(builder, graph.getLoc(), results);
}

static ParameterOp replace(Value value, StringRef path, ParameterOp main) {
  OpBuilder builder(value.getDefiningOp());
  auto type = cast<RankedTensorType>(value.getType());
  InitAttrInterface init = main && main.getType().getRank() == type.getRank() ? main.getInitAttr() : nullptr;
  auto parameter = ParameterOp::create(builder, value.getLoc(), type, builder.getStringAttr(path), init);
  if (main)
    if (Attribute scope = main->getAttr(scopeAttrName))
      parameter->setAttr(scopeAttrName, scope);
  value.replaceAllUsesWith(parameter);
  return parameter;
}

LogicalResult espalier::cg::materialize(GraphOp graph, const WeightExpressions &expressions, StringRef suffix,
                                        function_ref<void(Value, ParameterOp)> made) {
  if (expressions.values.empty() || graph->hasAttr(weightsOfAttrName))
    return success();
  std::string name = (graph.getSymName() + suffix).str();
  if (Operation *other = SymbolTable::lookupSymbolIn(graph->getParentOp(), name)) {
    InFlightDiagnostic diag = graph.emitOpError("cannot have its weights computed: the name '") << name << "' is taken";
    diag.attachNote(other->getLoc()) << "by this";
    return diag;
  }
  ArrayRef<Value> values = expressions.values.getArrayRef();
  MainParameters mains = findMains(graph);
  SmallVector<std::string> paths = choosePaths(values, expressions.keptPaths, mains);
  buildWeights(graph, name, values, paths);
  for (auto [value, path] : llvm::zip_equal(values, paths)) {
    ParameterOp parameter = replace(value, path, mains.lookup(value));
    if (made)
      made(value, parameter);
  }
  eraseDeadOps(graph.getBody().front());
  return success();
}
