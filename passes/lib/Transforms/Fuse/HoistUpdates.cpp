//===- HoistUpdates.cpp - updates as soon as their gradients are there ----===//

#include "espalier/Transforms/FusePasses.h"

#include "espalier/Conversion/CGToPlan/Lowering.h"
#include "espalier/Transforms/StepPasses.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_HOISTUPDATES
#include "espalier/Transforms/FusePasses.h.inc"
} // namespace espalier::cg

static bool isScalar(Value value) { return cast<RankedTensorType>(value.getType()).getNumElements() == 1; }

namespace {
struct HoistUpdates final : espalier::cg::impl::HoistUpdatesBase<HoistUpdates> {
  using Base::Base;

  void runOnOperation() override {
    Block &body = getOperation().getBody().front();
    hoistHypers(body);
    int64_t index = 0;
    for (Operation &op : body)
      position[&op] = index++;
    collectUpdates(body);
    llvm::MapVector<Operation *, SmallVector<Operation *>> updates; // by one of their ops
    for (Operation &op : body)
      if (members.contains(&op))
        updates[classes.getLeaderValue(&op)].push_back(&op);
    for (auto &[leader, ops] : updates)
      hoist(ops);
  }

private:
  /// Scalars that follow from arguments, such as a learning rate times a weight decay, come first: updates share them.
  static void hoistHypers(Block &body) {
    Operation *last = nullptr;
    llvm::SmallPtrSet<Operation *, 16> hypers;
    for (Operation &op : llvm::make_early_inc_range(body.without_terminator())) {
      bool isHyper =
          isa<ConstantOp>(op) || (isa<PointwiseLoweringOpInterface>(op) && isScalar(op.getResult(0)) &&
                                  llvm::all_of(op.getOperands(), [&](Value operand) {
                                    return !operand.getDefiningOp() || hypers.contains(operand.getDefiningOp());
                                  }));
      if (!isHyper)
        continue;
      hypers.insert(&op);
      if (last)
        op.moveAfter(last);
      else
        op.moveBefore(&body, body.begin());
      last = &op;
    }
  }

  /// Finds the elementwise ops behind each new value of an argument. Values with ops in common are one update.
  void collectUpdates(Block &body) {
    GraphOp graph = getOperation();
    for (OpOperand &returned : body.getTerminator()->getOpOperands()) {
      auto tied = graph.getResultAttrOfType<IntegerAttr>(returned.getOperandNumber(), tiedAttrName);
      Operation *root = returned.get().getDefiningOp();
      if (!tied || !root || !isMember(root))
        continue;
      tiedArguments[root].push_back(graph.getArgument(static_cast<unsigned>(tied.getInt())));
      SmallVector<Operation *> worklist{root};
      while (!worklist.empty()) {
        Operation *op = worklist.pop_back_val();
        classes.unionSets(root, op);
        if (!members.insert(op).second)
          continue;
        for (Value operand : op->getOperands())
          if (Operation *def = operand.getDefiningOp(); def && isMember(def))
            worklist.push_back(def);
      }
    }
  }
  static bool isMember(Operation *op) { return isa<PointwiseLoweringOpInterface>(op) && !isScalar(op->getResult(0)); }

  /// Moves an update to where its operands are there and nothing reads its arguments any more, so that these are
  /// updated in place.
  void hoist(ArrayRef<Operation *> ops) {
    Operation *anchor = nullptr;
    auto comesAfter = [&](Operation *op) {
      if (!anchor || position.lookup(anchor) < position.lookup(op))
        anchor = op;
    };
    llvm::SmallPtrSet<Operation *, 16> inside(ops.begin(), ops.end());
    for (Operation *op : ops) {
      for (Value operand : op->getOperands())
        if (Operation *def = operand.getDefiningOp(); def && !inside.contains(def))
          comesAfter(def);
      for (Value argument : tiedArguments.lookup(op))
        for (Operation *user : argument.getUsers())
          if (!inside.contains(user))
            comesAfter(user);
    }
    // What waits for another update, or for the end, stays.
    if (!anchor || members.contains(anchor) || position.lookup(anchor) > position.lookup(ops.front()))
      return;
    for (Operation *op : ops) {
      op->moveAfter(anchor);
      anchor = op;
    }
  }

  llvm::DenseMap<Operation *, int64_t> position;
  llvm::EquivalenceClasses<Operation *> classes;
  llvm::DenseSet<Operation *> members;                              // of updates
  llvm::DenseMap<Operation *, SmallVector<Value, 1>> tiedArguments; // by the op that computes their new value
};
} // namespace
