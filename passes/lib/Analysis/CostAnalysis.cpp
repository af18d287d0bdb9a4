//===- CostAnalysis.cpp - what a graph costs ------------------------------===//

#include "espalier/Analysis/CostAnalysis.h"
#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Dialect/CG/IR/ShapeInference.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace espalier;
using cg::DimExpr;
using cg::ShapeContext;
using cg::TensorShape;

llvm::ArrayRef<CostFigures::Field> CostFigures::getFields() {
  static constexpr Field fields[] = {{"macs", &CostFigures::macs},
                                     {"flops", &CostFigures::flops},
                                     {"params", &CostFigures::params},
                                     {"param_bytes", &CostFigures::paramBytes},
                                     {"state_bytes", &CostFigures::stateBytes},
                                     {"bytes_read", &CostFigures::bytesRead},
                                     {"bytes_written", &CostFigures::bytesWritten},
                                     {"peak_activation_bytes", &CostFigures::peakActivationBytes}};
  return fields;
}

/// Terms that a figure may have. A network has a handful of sizes; without a bound, a graph with as many sizes as ops
/// would take quadratic time and memory.
static constexpr size_t maxTerms = 256;

namespace {

/// The largest of many expressions, of which only those that no other provably exceeds are kept.
class Maximum {
public:
  /// Fails when too many expressions are left that cannot be compared.
  LogicalResult add(const DimExpr &candidate) {
    for (const DimExpr &other : kept)
      if ((other - candidate).isProvablyNonNegative())
        return success();
    llvm::erase_if(kept, [&](const DimExpr &other) { return (candidate - other).isProvablyNonNegative(); });
    kept.push_back(candidate);
    return success(kept.size() <= limit);
  }
  LogicalResult add(const Maximum &other) {
    return success(llvm::all_of(other.kept, [&](const DimExpr &candidate) { return succeeded(add(candidate)); }));
  }
  DimExpr get() const { return DimExpr::max(kept); }

  static constexpr size_t limit = 64;

private:
  SmallVector<DimExpr> kept;
};

/// The scopes while rows are added: a tree whose nodes know their parents.
class ScopeTree {
public:
  ScopeTree() { nodes.emplace_back(); }

  LogicalResult add(StringRef scope, const CostFigures &figures) {
    Node &node = nodes[find(scope)];
    addUp(node.own, figures);
    return node.peak.add(figures.peakActivationBytes);
  }

  /// The tree in preorder, each node with the figures of all below it.
  FailureOr<std::vector<CostScope>> take() {
    for (Node &node : nodes) {
      node.own.peakActivationBytes = node.peak.get();
      node.figures = node.own;
    }
    // Children are made after their parents.
    for (size_t i = nodes.size() - 1; i > 0; --i) {
      addUp(nodes[nodes[i].parent].figures, nodes[i].figures);
      if (failed(nodes[nodes[i].parent].peak.add(nodes[i].peak)))
        return failure();
    }
    std::vector<CostScope> scopes;
    SmallVector<std::pair<unsigned, unsigned>> stack{{0, 0}};
    while (!stack.empty()) {
      auto [index, depth] = stack.pop_back_val();
      Node &node = nodes[index];
      node.figures.peakActivationBytes = node.peak.get();
      scopes.push_back({node.name, depth, std::move(node.figures), std::move(node.own)});
      for (unsigned child : llvm::reverse(node.children))
        stack.emplace_back(child, depth + 1);
    }
    return scopes;
  }

private:
  struct Node {
    StringRef name;
    unsigned parent = 0;
    SmallVector<unsigned, 2> children;
    CostFigures own, figures;
    Maximum peak;
  };

  static void addUp(CostFigures &sum, const CostFigures &figures) {
    for (const CostFigures::Field &field : CostFigures::getFields())
      if (field.member != &CostFigures::peakActivationBytes)
        sum.*field.member += figures.*field.member;
  }

  unsigned find(StringRef scope) {
    unsigned node = 0;
    while (!scope.empty()) {
      auto [name, rest] = scope.split('.');
      auto [it, inserted] = index.try_emplace({node, name}, nodes.size());
      if (inserted) {
        nodes[node].children.push_back(nodes.size());
        nodes.emplace_back();
        nodes.back().name = name;
        nodes.back().parent = node;
      }
      node = it->second;
      scope = rest;
    }
    return node;
  }

  std::vector<Node> nodes;
  llvm::DenseMap<std::pair<unsigned, StringRef>, unsigned> index;
};

/// Walks a function once, in order.
class CostBuilder {
public:
  CostBuilder(FunctionOpInterface function, ShapeContext shapes)
      : function(function), shapes(std::move(shapes)), stored(function->getName().getStringRef(), function.getLoc()) {}

  FailureOr<CostReport> run() {
    Block &body = function.getFunctionBody().front();
    findLastUses(body);
    for (BlockArgument argument : body.getArguments()) {
      stored.set(argument, shapes[argument]);
      live += stored[argument].bytes();
    }
    report.rows.reserve(body.getOperations().size());
    for (Operation &op : body)
      if (failed(price(op)))
        return failure();
    FailureOr<std::vector<CostScope>> scopes = tree.take();
    if (failed(scopes))
      return tooManyPeaks(function);
    report.scopes = std::move(*scopes);
    report.graph = function.getName().str();
    return std::move(report);
  }

private:
  void findLastUses(Block &body) {
    for (BlockArgument argument : body.getArguments())
      lastUse[argument] = &body.front();
    for (Operation &op : body) {
      for (Value operand : op.getOperands())
        if (auto it = lastUse.find(memoryOf(operand)); it != lastUse.end())
          it->second = &op;
      for (Value result : op.getResults())
        if (Type element = findStoredElement(result))
          storedElements[result] = element;
      if (isa<cg::ParameterOp, cg::StateOp>(op)) // in memory all the time
        continue;
      // Marks vanish before kernels are made, and so does dropout in inference.
      if (isa<cg::ParameterGradientOp, cg::DropoutOp>(op) || isPartOfNeighbour(op)) {
        sameMemory[op.getResult(0)] = memoryOf(op.getOperand(0));
        continue;
      }
      for (Value result : op.getResults())
        lastUse[result] = &op;
    }
  }

  /// The element type that `value` has in memory.
  Type storedElement(Value value) const {
    Type element = storedElements.lookup(value);
    return element ? element : getElementTypeOrSelf(value);
  }

  /// The narrower of two floating-point types; null where one is none.
  static Type narrower(Type lhs, Type rhs) {
    if (!isa<FloatType>(lhs) || !isa<FloatType>(rhs))
      return {};
    return lhs.getIntOrFloatBitWidth() <= rhs.getIntOrFloatBitWidth() ? lhs : rhs;
  }

  /// Between an op and a cast of its result, the narrower of both types is stored. Null where that is the type of
  /// `value`.
  Type findStoredElement(Value value) const {
    Operation *op = value.getDefiningOp();
    auto isResult = [](Operation *user) { return user->hasTrait<OpTrait::IsTerminator>(); };
    if (isa<cg::CastOp>(op)) // the caller gets what the type says
      return llvm::any_of(op->getUsers(), isResult)
                 ? Type()
                 : narrower(storedElement(op->getOperand(0)), getElementTypeOrSelf(value));
    if (isa<cg::ParameterOp, cg::StateOp, cg::HyperOp>(op) || !value.hasOneUse())
      return {};
    auto user = dyn_cast<cg::CastOp>(*value.user_begin());
    return user ? narrower(getElementTypeOrSelf(value), user.getType()) : Type();
  }

  /// A cast between floating-point types that no memory lies between: compiled programs make it in the kernel before or
  /// after it.
  bool isPartOfNeighbour(Operation &op) const {
    if (!isa<cg::CastOp>(op))
      return false;
    Type from = storedElement(op.getOperand(0));
    return isa<FloatType>(from) && from == storedElement(op.getResult(0));
  }

  /// The value whose memory this one shares.
  Value memoryOf(Value value) const {
    Value shared = sameMemory.lookup(value);
    return shared ? shared : value;
  }

  LogicalResult price(Operation &op) {
    if (failed(inferShapes(op)))
      return failure();
    CostFigures figures;
    if (isPartOfNeighbour(op)) {
      // free
    } else if (auto priced = dyn_cast<cg::CostOpInterface>(op)) {
      cg::OpCost cost = priced.getCost(stored);
      figures.macs = std::move(cost.macs);
      figures.flops = std::move(cost.flops);
      figures.bytesRead = std::move(cost.bytesRead);
      figures.bytesWritten = std::move(cost.bytesWritten);
    } else if (!op.hasTrait<OpTrait::IsTerminator>()) {
      return op.emitOpError("cannot be priced: it does not implement CostOpInterface");
    }
    StringRef path = countStorage(op, figures);
    advanceLiveness(op, figures);
    if (failed(checkRange(op, figures)))
      return failure();
    auto scopeAttr = op.getAttrOfType<StringAttr>("cg.scope");
    // Without a scope, storage belongs to the module that its path names.
    StringRef scope = scopeAttr ? scopeAttr.getValue() : path.contains('.') ? path.rsplit('.').first : StringRef();
    if (failed(tree.add(scope, figures)))
      return tooManyPeaks(&op);
    report.rows.push_back({path.empty() ? scope : path, op.getName().getStringRef(), op.getLoc(), std::move(figures)});
    return success();
  }

  /// Names the shapes of the results, and those in memory.
  LogicalResult inferShapes(Operation &op) {
    if (failed(cg::inferShapes(op, shapes)))
      return failure();
    for (Value result : op.getResults()) {
      TensorShape inMemory = shapes[result];
      if (isa<cg::ShapeOpInterface>(op))
        inMemory.elementType = storedElement(result);
      stored.set(result, std::move(inMemory));
    }
    return success();
  }

  /// Counts a parameter or state where its path first appears; returns the path.
  StringRef countStorage(Operation &op, CostFigures &figures) {
    if (auto parameter = dyn_cast<cg::ParameterOp>(op)) {
      if (parameters.insert(parameter.getPath()).second) {
        figures.params = shapes[parameter.getResult()].elements();
        figures.paramBytes = shapes[parameter.getResult()].bytes();
      }
      return parameter.getPath();
    }
    if (auto state = dyn_cast<cg::StateOp>(op)) {
      std::string key = (state.getPath() + "#" + state.getSlot().value_or("")).str();
      if (states.insert(key).second)
        figures.stateBytes = shapes[state.getResult()].bytes();
      return state.getPath();
    }
    return {};
  }

  void advanceLiveness(Operation &op, CostFigures &figures) {
    for (Value result : op.getResults())
      if (lastUse.contains(result))
        live += stored[result].bytes();
    figures.peakActivationBytes = live;
    auto release = [&](Value value) {
      auto it = lastUse.find(memoryOf(value));
      if (it == lastUse.end() || it->second != &op)
        return;
      live = live - stored[it->first].bytes();
      lastUse.erase(it); // an operand may be there twice
    };
    llvm::for_each(op.getOperands(), release);
    llvm::for_each(op.getResults(), release);
    if (&op == &op.getBlock()->front())
      llvm::for_each(op.getBlock()->getArguments(), release);
  }

  LogicalResult checkRange(Operation &op, const CostFigures &figures) {
    for (const CostFigures::Field &field : CostFigures::getFields()) {
      total.*field.member += figures.*field.member;
      if ((figures.*field.member).isOverflow())
        return op.emitOpError("expects '") << field.name << "' below 2^63, but got more";
      if (field.member != &CostFigures::peakActivationBytes && (total.*field.member).isOverflow())
        return op.emitOpError("expects '") << field.name << "' of the graph below 2^63, but gets more here";
      if (std::max((figures.*field.member).getNumTerms(), (total.*field.member).getNumTerms()) > maxTerms)
        return op.emitOpError("expects '") << field.name << "' of the graph to have at most " << maxTerms
                                           << " terms, but gets more here; bind more sizes to numbers";
    }
    return success();
  }

  LogicalResult tooManyPeaks(Operation *op) {
    return op->emitOpError("expects a peak of at most ")
           << Maximum::limit << " expressions that cannot be compared, but got more; bind more sizes to numbers";
  }

  FunctionOpInterface function;
  ShapeContext shapes; // as the types say
  ShapeContext stored; // as in memory
  CostReport report;
  ScopeTree tree;
  CostFigures total;
  DimExpr live;
  llvm::DenseMap<Value, Operation *> lastUse; // of values that take memory
  llvm::DenseMap<Value, Value> sameMemory;
  llvm::DenseMap<Value, Type> storedElements; // where they differ from the types
  llvm::StringSet<> parameters, states;
};

} // namespace

FailureOr<CostReport> espalier::computeCost(FunctionOpInterface function) {
  if (!llvm::hasSingleElement(function.getFunctionBody()))
    return function.emitOpError("expects a body of one block, but got ")
           << function.getFunctionBody().getBlocks().size();
  auto graph = dyn_cast<cg::GraphOp>(function.getOperation());
  ShapeContext shapes =
      graph ? graph.getShapeContext() : ShapeContext(function->getName().getStringRef(), function.getLoc());
  return CostBuilder(function, std::move(shapes)).run();
}

CostAnalysis::CostAnalysis(Operation *function) {
  if (FailureOr<CostReport> result = computeCost(cast<FunctionOpInterface>(function)); succeeded(result))
    report = std::move(*result);
}
