//===- MixedPrecision.cpp - bf16 where it may be, f32 where it must be ----===//

#include "espalier/Transforms/StepPasses.h"
#include "espalier/Transforms/Weights.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_MIXEDPRECISION
#include "espalier/Transforms/StepPasses.h.inc"
} // namespace espalier::cg

Value espalier::cg::castFor(OpBuilder &builder, Operation *user, Value value, Type element) {
  auto cast = CastOp::create(builder, user->getLoc(), value, element);
  if (Attribute scope = user->getAttr(scopeAttrName))
    cast->setAttr(scopeAttrName, scope);
  return cast;
}

static RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }
static bool isFloat(Value value) { return isa<FloatType>(tensorType(value).getElementType()); }

namespace {

/// Walks a graph once, in order, so that the types of operands are final when an op is reached.
class GraphMixer {
public:
  GraphMixer(GraphOp graph, FloatType narrow)
      : graph(graph), narrow(narrow), wide(Float32Type::get(graph.getContext())) {}

  LogicalResult run() {
    for (BlockArgument argument : graph.getArguments())
      if (failed(checkType(graph, argument)))
        return failure();
    for (Operation &op : llvm::make_early_inc_range(graph.getBody().front()))
      if (failed(mix(op)))
        return failure();
    return success();
  }

private:
  LogicalResult mix(Operation &op) {
    for (Value result : op.getResults())
      if (failed(checkType(&op, result)))
        return failure();
    if (!isa<ShapeOpInterface>(op)) { // storage, marks and the end of the graph have the types they had
      for (OpOperand &operand : op.getOpOperands())
        if (Type element = original.lookup(operand.get()))
          operand.set(convert(operand.get(), element, op));
      weights.insert(op.result_begin(), op.result_end());
      return success();
    }
    if (readsOnly(op, weights)) {
      weights.insert(op.result_begin(), op.result_end());
      return success();
    }

    bool normalises = op.hasTrait<NormalisesWide>();
    bool goesOnNarrow = normalises && getElementTypeOrSelf(op.getOperand(0)) == narrow;
    FloatType computed = op.hasTrait<ComputesNarrow>()               ? narrow
                         : normalises || op.hasTrait<ComputesWide>() ? wide
                                                                     : followOperands(op);
    if (!computed)
      return success();
    for (OpOperand &operand : op.getOpOperands())
      if (isFloat(operand.get()))
        operand.set(convert(operand.get(), computed, op));
    SmallVector<Type, 3> before;
    for (Value result : op.getResults())
      before.push_back(getElementTypeOrSelf(result));
    if (failed(inferElementTypesAnew(&op)))
      return failure();
    for (auto [result, element] : llvm::zip_equal(op.getResults(), before))
      if (getElementTypeOrSelf(result) != element)
        original[result] = element;
    if (goesOnNarrow) {
      Value result = op.getResult(0), rounded = convert(result, narrow, op);
      result.replaceAllUsesExcept(rounded, rounded.getDefiningOp());
      original[rounded] = before[0];
    }
    return success();
  }

  /// The type of an op that has no wish of its own; null where it has no activations that are numbers.
  FloatType followOperands(Operation &op) const {
    FloatType computed;
    for (Value operand : op.getOperands())
      if (isFloat(operand) && !weights.contains(operand))
        computed = computed == wide || getElementTypeOrSelf(operand) == wide ? wide : narrow;
    return computed;
  }

  /// `value` in another type. There is one cast of each value, beside its definition.
  Value convert(Value value, Type element, Operation &user) {
    if (getElementTypeOrSelf(value) == element)
      return value;
    // Widening loses nothing.
    if (auto cast = value.getDefiningOp<CastOp>();
        cast && element == narrow && getElementTypeOrSelf(cast.getInput()) == narrow)
      return cast.getInput();
    Value &converted = conversions[value];
    if (converted)
      return converted;
    OpBuilder builder(graph.getContext());
    builder.setInsertionPointAfterValue(value);
    converted = castFor(builder, &user, value, element);
    if (weights.contains(value))
      weights.insert(converted);
    return converted;
  }

  LogicalResult checkType(Operation *op, Value value) const {
    if (!isFloat(value) || getElementTypeOrSelf(value) == narrow || getElementTypeOrSelf(value) == wide)
      return success();
    return op->emitOpError("expects floating-point types ")
           << wide << " and " << narrow << " where precision is mixed, but got " << value.getType();
  }

  GraphOp graph;
  FloatType narrow, wide;
  llvm::DenseMap<Value, Type> original; // element types of values that have another one now
  llvm::DenseMap<Value, Value> conversions;
  llvm::DenseSet<Value> weights; // values that depend on no input of the graph
};

struct MixedPrecision final : espalier::cg::impl::MixedPrecisionBase<MixedPrecision> {
  using Base::Base;

  void runOnOperation() override {
    if (type != "bf16") {
      getOperation().emitError("expects bf16 as the narrow type, but got ") << type;
      return signalPassFailure();
    }
    for (GraphOp candidate : getOperation().getOps<GraphOp>())
      if ((graph.empty() || candidate.getSymName() == graph) &&
          failed(GraphMixer(candidate, BFloat16Type::get(&getContext())).run()))
        return signalPassFailure();
    getOperation()->setAttr(precisionAttrName, StringAttr::get(&getContext(), type));
  }
};

} // namespace
