//===- Fuse.cpp - groups that run as one kernel ---------------------------===//

#include "espalier/Transforms/FusePasses.h"

#include "Grouping.h"

#include "espalier/Conversion/CGToPlan/Candidate.h"
#include "espalier/Conversion/CGToPlan/Contraction.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_FUSE
#include "espalier/Transforms/FusePasses.h.inc"
} // namespace espalier::cg

namespace {
struct Fuse final : espalier::cg::impl::FuseBase<Fuse> {
  using Base::Base;

  void runOnOperation() override {
    GraphOp graph = getOperation();
    Block &body = graph.getBody().front();
    if (failed(checkGraph(body)))
      return signalPassFailure();
    eraseDeadOps(body);
    Grouping grouping(body, maxOps);
    grouping.run();

    SmallVector<Operation *> old;
    for (Operation &op : body.without_terminator())
      old.push_back(&op);
    OpBuilder builder(body.getTerminator());
    IRMapping mapping;
    for (const Grouping::Node &node : grouping.getOrder()) {
      if (node.group)
        buildGroup(builder, grouping, *node.group, mapping);
      else
        builder.clone(*node.reshape, mapping);
    }
    for (OpOperand &operand : body.getTerminator()->getOpOperands())
      operand.set(mapping.lookupOrDefault(operand.get()));
    for (Operation *op : llvm::reverse(old))
      op->erase();
  }

private:
  static void eraseDeadOps(Block &body) {
    for (Operation *op = body.getTerminator()->getPrevNode(); op;) {
      Operation *previous = op->getPrevNode();
      if (op->use_empty() && isPure(op))
        op->erase();
      op = previous;
    }
  }

  static LogicalResult checkGraph(Block &body) {
    for (Operation &op : body.without_terminator()) {
      if (isa<GroupOp>(op))
        return op.emitOpError("is there already: the graph has been fused");
      if (op.getNumResults() != 1)
        return op.emitOpError("expects to be decomposed before fusion: it has ") << op.getNumResults() << " results";
      if (!cast<RankedTensorType>(op.getResult(0).getType()).hasStaticShape())
        return op.emitOpError("expects a static shape, but got ") << op.getResult(0).getType();
    }
    return success();
  }

  void buildGroup(OpBuilder &builder, const Grouping &grouping, const FusionGroup &group, IRMapping &mapping) {
    llvm::SetVector<Value> inputs, outputs;
    SmallVector<Location> locations;
    for (Operation *op : group.ops) {
      locations.push_back(op->getLoc());
      for (Value operand : op->getOperands())
        if (Operation *def = operand.getDefiningOp(); !def || (!group.contains(def) && !isa<ConstantOp>(def)))
          inputs.insert(operand);
      if (grouping.isOutput(group, op))
        outputs.insert(op->getResult(0));
    }
    SmallVector<StringRef> candidates;
    if (group.kind == FusionGroup::Kind::Contraction) {
      for (const Candidate *candidate : getCPUCandidates())
        if (!candidate->whyNotOps(group.ops))
          candidates.push_back(candidate->getName());
    } else {
      candidates.push_back(loopsCandidateName);
    }
    SmallVector<Value> operands;
    for (Value input : inputs)
      operands.push_back(mapping.lookupOrDefault(input));
    auto result = GroupOp::create(builder, builder.getFusedLoc(locations), TypeRange(ValueRange(outputs.getArrayRef())),
                                  operands, candidates);
    if (Attribute scope = findScope(group))
      result->setAttr("cg.scope", scope);

    OpBuilder::InsertionGuard guard(builder);
    Block *block = builder.createBlock(&result.getBody());
    IRMapping inside;
    for (Value input : inputs)
      inside.map(input, block->addArgument(input.getType(), input.getLoc()));
    for (Operation *op : group.ops) {
      for (Value operand : op->getOperands())
        if (auto constant = operand.getDefiningOp<ConstantOp>(); constant && !inside.contains(operand))
          builder.clone(*constant, inside);
      if (inside.contains(op->getResult(0)))
        continue; // a literal that is a member itself
      builder.clone(*op, inside)->removeAttr("cg.scope");
    }
    SmallVector<Value> yielded;
    for (auto [output, outside] : llvm::zip_equal(outputs, result.getResults())) {
      yielded.push_back(inside.lookup(output));
      mapping.map(output, outside);
    }
    YieldOp::create(builder, result.getLoc(), yielded);
  }

  /// The scope that reports name: of the contraction, or else of the last op that has one.
  static Attribute findScope(const FusionGroup &group) {
    if (group.kind == FusionGroup::Kind::Contraction)
      for (Operation *op : group.ops)
        if (isContraction(op))
          return op->getAttr("cg.scope");
    for (Operation *op : llvm::reverse(group.ops))
      if (Attribute scope = op->getAttr("cg.scope"))
        return scope;
    return nullptr;
  }
};
} // namespace
