//===- Differentiate.cpp - reverse-mode derivative of a graph -------------===//

#include "espalier/Transforms/StepPasses.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "espalier/Transforms/StepPasses.h.inc"
} // namespace espalier::cg

namespace {

/// Gives every op that a vector-Jacobian product creates the scope of the op it differentiates.
struct ScopeListener final : OpBuilder::Listener {
  Attribute scope;
  void notifyOperationInserted(Operation *op, OpBuilder::InsertPoint) override {
    if (scope)
      op->setAttr(scopeAttrName, scope);
  }
};

struct Differentiate final : espalier::cg::impl::DifferentiateBase<Differentiate> {
  void runOnOperation() override {
    Block &body = getOperation().getBody().front();
    Operation *terminator = body.getTerminator();
    auto isLoss = [](Value value) {
      auto type = cast<RankedTensorType>(value.getType());
      return type.getRank() == 0 && isa<FloatType>(type.getElementType());
    };
    if (terminator->getNumOperands() == 0 || !isLoss(terminator->getOperand(0)))
      return;
    if (failed(differentiate(body, terminator->getOperand(0))))
      signalPassFailure();
    cotangents.clear();
    active.clear();
  }

private:
  /// A value is active when it is floating-point and depends on a parameter.
  void findActive(Block &body) {
    for (Operation &op : body) {
      bool reaches = isa<ParameterOp>(op) ||
                     (!isa<StopGradientOp>(op) &&
                      llvm::any_of(op.getOperands(), [&](Value operand) { return active.contains(operand); }));
      if (!reaches)
        continue;
      for (Value result : op.getResults())
        if (isa<FloatType>(cast<RankedTensorType>(result.getType()).getElementType()))
          active.insert(result);
    }
  }

  LogicalResult differentiate(Block &body, Value loss) {
    findActive(body);
    SmallVector<Operation *> forward;
    for (Operation &op : body.without_terminator())
      forward.push_back(&op);

    ScopeListener listener;
    OpBuilder builder(body.getTerminator());
    builder.setListener(&listener);
    if (active.contains(loss))
      cotangents[loss] = createScalar(builder, loss.getLoc(), loss, 1.0);

    // Parameters by path, since several ops may read one; in the order of their first use.
    llvm::MapVector<StringAttr, std::pair<ParameterOp, Value>> gradients;
    for (Operation *op : llvm::reverse(forward)) {
      SmallVector<Value> incoming;
      for (Value result : op->getResults())
        incoming.push_back(active.contains(result) ? cotangents.lookup(result) : Value());
      if (llvm::none_of(incoming, [](Value value) { return static_cast<bool>(value); }))
        continue;
      listener.scope = op->getAttr(scopeAttrName);
      if (auto parameter = dyn_cast<ParameterOp>(op)) {
        auto &entry = gradients[parameter.getPathAttr()];
        entry.first = parameter;
        entry.second = sum(builder, op->getLoc(), entry.second, incoming[0]);
        continue;
      }
      if (failed(propagate(builder, op, incoming)))
        return failure();
    }
    listener.scope = {};
    for (auto &[path, entry] : llvm::reverse(gradients))
      ParameterGradientOp::create(builder, entry.first.getLoc(), path, entry.second);
    return success();
  }

  LogicalResult propagate(OpBuilder &builder, Operation *op, ValueRange incoming) {
    auto differentiable = dyn_cast<DifferentiableOpInterface>(op);
    if (!differentiable)
      return op->emitOpError("has no derivative, but the loss depends on a parameter through it; "
                             "wrap its operand in stop_gradient if none is wanted");
    SmallVector<bool> needed;
    for (Value operand : op->getOperands())
      needed.push_back(active.contains(operand));
    SmallVector<Value> outgoing(op->getNumOperands());
    if (failed(differentiable.buildVjp(builder, incoming, needed, outgoing)))
      return failure();
    for (auto [operand, cotangent, isNeeded] : llvm::zip_equal(op->getOperands(), outgoing, needed)) {
      if (!isNeeded || !cotangent)
        continue;
      Value &total = cotangents[operand];
      total = sum(builder, op->getLoc(), total, cotangent);
    }
    return success();
  }

  static Value sum(OpBuilder &builder, Location loc, Value total, Value cotangent) {
    return total ? AddOp::create(builder, loc, total, cotangent).getResult() : cotangent;
  }

  llvm::DenseMap<Value, Value> cotangents;
  llvm::DenseSet<Value> active;
};
} // namespace
