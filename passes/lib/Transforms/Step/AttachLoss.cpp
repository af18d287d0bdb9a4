//===- AttachLoss.cpp - join a network, a loss and metrics ----------------===//

#include "espalier/Transforms/StepPasses.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_ATTACHLOSS
#include "espalier/Transforms/StepPasses.h.inc"
} // namespace espalier::cg

namespace {
struct AttachLoss final : espalier::cg::impl::AttachLossBase<AttachLoss> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(attach()))
      signalPassFailure();
  }

private:
  FailureOr<GraphOp> find(SymbolTable &symbols, StringRef name) {
    if (auto graph = symbols.lookup<GraphOp>(name))
      return graph;
    InFlightDiagnostic diag = getOperation().emitError("expects a graph @") << name << ", but the module has none";
    for (GraphOp graph : getOperation().getOps<GraphOp>())
      diag.attachNote(graph.getLoc()) << "there is @" << graph.getSymName();
    return diag;
  }

  LogicalResult attach() {
    SymbolTable symbols(getOperation());
    FailureOr<GraphOp> net = find(symbols, network);
    if (failed(net))
      return failure();
    if (symbols.lookup(result))
      return getOperation().emitError("expects no symbol @") << result << " in the module yet";

    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    auto step = GraphOp::create(builder, net->getLoc(), StringRef(result), builder.getFunctionType({}, {}));
    if (Attribute defaults = (*net)->getAttr(GraphOp::getDefaultSizesAttrName()))
      step->setAttr(GraphOp::getDefaultSizesAttrName(), defaults);
    Block &body = step.getBody().front();
    builder.setInsertionPointToEnd(&body);

    IRMapping map;
    for (BlockArgument argument : net->getArguments())
      map.map(argument, addInput(step, *net, argument));
    FailureOr<SmallVector<Value>> prediction = inlineBody(builder, *net, map);
    if (failed(prediction))
      return failure();

    SmallVector<Value> results;
    SmallVector<DictionaryAttr> resultAttrs;
    SmallVector<std::string> callees{loss};
    llvm::append_range(callees, metrics);
    for (const std::string &name : callees) {
      FailureOr<GraphOp> callee = find(symbols, name);
      if (failed(callee))
        return failure();
      FailureOr<Value> value = call(builder, step, *net, *callee, (*prediction)[0]);
      if (failed(value))
        return failure();
      results.push_back(*value);
      resultAttrs.push_back(builder.getDictionaryAttr(
          builder.getNamedAttr(GraphOp::getNameAttrName(), builder.getStringAttr(resultName(name)))));
    }
    ReturnOp::create(builder, net->getLoc(), results);
    step.setFunctionType(builder.getFunctionType(body.getArgumentTypes(), TypeRange(ValueRange(results))));
    step.setAllResultAttrs(resultAttrs);
    return inferTypesAnew(step);
  }

  /// "loss", or the last part of a metric's name: "accuracy" of "resnet20.accuracy".
  StringRef resultName(StringRef callee) const {
    return callee == loss ? StringRef("loss") : callee.rsplit('.').second.empty() ? callee : callee.rsplit('.').second;
  }

  /// A new input of `step`, like `argument` of `from`.
  static BlockArgument addInput(GraphOp step, GraphOp from, BlockArgument argument) {
    NamedAttrList attributes(from.getArgAttrDict(argument.getArgNumber()));
    attributes.set(GraphOp::getNameAttrName(),
                   StringAttr::get(step.getContext(), from.getArgumentName(argument.getArgNumber())));
    unsigned index = step.getNumArguments();
    if (failed(step.insertArgument(index, argument.getType(), attributes.getDictionary(step.getContext()),
                                   argument.getLoc())))
      llvm_unreachable("an argument can be appended to a graph");
    return step.getArgument(index);
  }

  static FailureOr<SmallVector<Value>> inlineBody(OpBuilder &builder, GraphOp graph, IRMapping &map) {
    for (Operation &op : graph.getBody().front().without_terminator())
      builder.clone(op, map);
    SmallVector<Value> results;
    for (Value operand : graph.getBody().front().getTerminator()->getOperands())
      results.push_back(map.lookup(operand));
    if (results.empty())
      return graph.emitError("expects a graph with a result");
    return results;
  }

  /// Inlines a loss or metric on the prediction; its other arguments are inputs, found by name or added.
  FailureOr<Value> call(OpBuilder &builder, GraphOp step, GraphOp net, GraphOp callee, Value prediction) {
    if (callee.getNumArguments() == 0)
      return callee.emitError("expects the prediction as first argument of a loss or metric, but it takes none");
    auto expected = cast<RankedTensorType>(callee.getArgumentTypes()[0]);
    auto actual = cast<RankedTensorType>(prediction.getType());
    if (expected.getElementType() != actual.getElementType() || failed(verifyCompatibleShape(expected, actual))) {
      InFlightDiagnostic diag = callee.emitError("expects a prediction of type ")
                                << expected << ", but the network gives " << actual;
      diag.attachNote(net.getLoc()) << "network @" << net.getSymName();
      return diag;
    }
    IRMapping map;
    map.map(callee.getArgument(0), prediction);
    for (BlockArgument argument : callee.getArguments().drop_front()) {
      std::string name = callee.getArgumentName(argument.getArgNumber());
      Value input;
      for (BlockArgument own : step.getArguments())
        if (step.getArgumentName(own.getArgNumber()) == name)
          input = own;
      if (input && input.getType() != argument.getType())
        return callee.emitError("expects argument '")
               << name << "' of type " << argument.getType() << ", but another graph gives it type " << input.getType();
      map.map(argument, input ? input : addInput(step, callee, argument));
    }
    FailureOr<SmallVector<Value>> results = inlineBody(builder, callee, map);
    if (failed(results))
      return failure();
    if (cast<RankedTensorType>((*results)[0].getType()).getRank() != 0)
      return callee.emitError("expects a loss or metric of rank 0, but got ") << (*results)[0].getType();
    return (*results)[0];
  }
};
} // namespace
