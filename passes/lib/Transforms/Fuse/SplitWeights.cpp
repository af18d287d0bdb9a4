//===- SplitWeights.cpp - what depends on weights alone -------------------===//

#include "espalier/Transforms/FusePasses.h"
#include "espalier/Transforms/StepPasses.h"
#include "espalier/Transforms/Weights.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_SPLITWEIGHTS
#include "espalier/Transforms/FusePasses.h.inc"
} // namespace espalier::cg

llvm::DenseSet<Value> espalier::cg::findWeightValues(GraphOp graph) {
  llvm::DenseSet<Value> weights;
  for (unsigned i = 0; i < graph.getNumResults(); ++i)
    if (graph.getResultAttr(i, tiedAttrName))
      return weights;
  for (BlockArgument argument : graph.getArguments()) {
    auto role = graph.getArgAttrOfType<StringAttr>(argument.getArgNumber(), roleAttrName);
    if (role && (role == "parameter" || role == "state" || role == "packed"))
      weights.insert(argument);
  }
  for (Operation &op : graph.getBody().front().without_terminator())
    if (readsOnly(op, weights))
      weights.insert(op.result_begin(), op.result_end());
  return weights;
}

namespace {
struct SplitWeights final : espalier::cg::impl::SplitWeightsBase<SplitWeights> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<GraphOp> graphs(getOperation().getOps<GraphOp>());
    for (GraphOp graph : graphs) {
      std::string name = graphs.size() == 1 ? prefix : prefix + "_" + graph.getSymName().str();
      if (failed(split(graph, name)))
        return signalPassFailure();
    }
  }

private:
  LogicalResult split(GraphOp graph, StringRef name) {
    // Literals and reshapes cost nothing: they go where they are used.
    auto isFree = [](Operation *op) { return isa<ConstantOp, ReshapeOp>(op); };
    llvm::DenseSet<Value> weights = findWeightValues(graph);
    auto dependsOnArgument = findArgumentDependence(graph);
    llvm::SetVector<Value> packed;
    Block &body = graph.getBody().front();
    for (Operation &op : body)
      for (Value operand : op.getOperands()) {
        bool isRest = op.hasTrait<OpTrait::IsTerminator>() ||
                      llvm::none_of(op.getResults(), [&](Value result) { return weights.contains(result); });
        if (!isRest || !weights.contains(operand))
          continue;
        Value computed = operand;
        while (computed.getDefiningOp() && isa<ReshapeOp>(computed.getDefiningOp()))
          computed = computed.getDefiningOp()->getOperand(0);
        Operation *def = computed.getDefiningOp();
        if (def && !isFree(def) && dependsOnArgument.contains(computed))
          packed.insert(computed);
      }
    if (packed.empty())
      return success();
    if (Operation *other = SymbolTable::lookupSymbolIn(getOperation(), name)) {
      InFlightDiagnostic diag = graph.emitOpError("cannot be split: the name '") << name << "' is taken";
      diag.attachNote(other->getLoc()) << "by this";
      return diag;
    }
    buildPrepare(graph, name, packed.getArrayRef(), weights);
    replacePacked(graph, packed.getArrayRef());
    return success();
  }

  static llvm::DenseSet<Value> findArgumentDependence(GraphOp graph) {
    llvm::DenseSet<Value> dependent(graph.getArguments().begin(), graph.getArguments().end());
    for (Operation &op : graph.getBody().front().without_terminator())
      if (llvm::any_of(op.getOperands(), [&](Value operand) { return dependent.contains(operand); }))
        dependent.insert(op.result_begin(), op.result_end());
    return dependent;
  }

  static std::string packedName(unsigned index) { return "packed" + std::to_string(index); }

  DictionaryAttr describe(StringRef role, StringRef name) {
    Builder builder(&getContext());
    return builder.getDictionaryAttr({builder.getNamedAttr(roleAttrName, builder.getStringAttr(role)),
                                      builder.getNamedAttr(GraphOp::getNameAttrName(), builder.getStringAttr(name))});
  }

  /// A graph from the weights that the packed values need to these values.
  void buildPrepare(GraphOp graph, StringRef name, ArrayRef<Value> packed, const llvm::DenseSet<Value> &weights) {
    // What the packed values need, found backwards.
    llvm::DenseSet<Operation *> needed;
    llvm::SetVector<Value> arguments;
    SmallVector<Value> pending(packed);
    while (!pending.empty()) {
      Value value = pending.pop_back_val();
      Operation *op = value.getDefiningOp();
      if (!op)
        arguments.insert(value);
      else if (needed.insert(op).second)
        llvm::append_range(pending, op->getOperands());
    }
    SmallVector<BlockArgument> sorted;
    for (Value argument : arguments)
      sorted.push_back(cast<BlockArgument>(argument));
    llvm::sort(sorted, [](BlockArgument a, BlockArgument b) { return a.getArgNumber() < b.getArgNumber(); });

    OpBuilder builder(graph);
    SmallVector<Type> types;
    SmallVector<DictionaryAttr> argAttrs, resultAttrs;
    for (BlockArgument argument : sorted) {
      types.push_back(argument.getType());
      argAttrs.push_back(graph.getArgAttrDict(argument.getArgNumber()));
    }
    for (unsigned i = 0; i < packed.size(); ++i)
      resultAttrs.push_back(describe("output", packedName(i)));
    auto type = builder.getFunctionType(types, TypeRange(ValueRange(packed)));
    auto prepare = GraphOp::create(builder, graph.getLoc(), name, type, ArrayRef<NamedAttribute>(), argAttrs);
    prepare.setAllResultAttrs(resultAttrs);
    builder.setInsertionPointToStart(&prepare.getBody().front());
    IRMapping mapping;
    for (auto [argument, copy] : llvm::zip_equal(sorted, prepare.getArguments()))
      mapping.map(argument, copy);
    for (Operation &op : graph.getBody().front())
      if (needed.contains(&op))
        builder.clone(op, mapping);
    SmallVector<Value> results;
    for (Value value : packed)
      results.push_back(mapping.lookup(value));
    ReturnOp::create(builder, graph.getLoc(), results);
  }

  /// Makes the packed values arguments, and drops what nothing needs then.
  void replacePacked(GraphOp graph, ArrayRef<Value> packed) {
    Block &body = graph.getBody().front();
    SmallVector<DictionaryAttr> argAttrs;
    graph.getAllArgAttrs(argAttrs);
    for (auto [index, value] : llvm::enumerate(packed)) {
      Value(value).replaceAllUsesWith(body.addArgument(value.getType(), value.getLoc()));
      argAttrs.push_back(describe("packed", packedName(index)));
    }
    for (Operation *op = body.getTerminator()->getPrevNode(); op;) {
      Operation *previous = op->getPrevNode();
      if (isPure(op) && op->use_empty())
        op->erase();
      op = previous;
    }
    // Weights that the graph no longer reads.
    llvm::BitVector dead(body.getNumArguments());
    SmallVector<DictionaryAttr> keptAttrs;
    for (BlockArgument argument : body.getArguments()) {
      auto role = argAttrs[argument.getArgNumber()] ? argAttrs[argument.getArgNumber()].getAs<StringAttr>(roleAttrName)
                                                    : StringAttr();
      if (argument.use_empty() && role && (role == "parameter" || role == "state"))
        dead.set(argument.getArgNumber());
      else
        keptAttrs.push_back(argAttrs[argument.getArgNumber()]);
    }
    body.eraseArguments(dead);
    graph.setFunctionType(FunctionType::get(&getContext(), body.getArgumentTypes(), graph.getResultTypes()));
    graph.setAllArgAttrs(keptAttrs);
  }
};
} // namespace
