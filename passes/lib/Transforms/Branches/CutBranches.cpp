//===- CutBranches.cpp - sums without some of their summands --------------===//

#include "ImageSum.h"

#include "espalier/Transforms/BranchPasses.h"
#include "espalier/Transforms/ParameterPaths.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_CUTBRANCHES
#include "espalier/Transforms/BranchPasses.h.inc"
} // namespace espalier::cg

namespace {

/// For each op, what would be dead without it: a tree in which an op's parent is the nearest op that all paths from it
/// to what the graph gives go through.
class Owners {
public:
  /// `isCut` tells parameters and states that may go from those that may not.
  Owners(Block &block, function_ref<bool(Operation *)> isCut) {
    nodes.push_back({}); // what the graph gives
    for (Operation &op : llvm::reverse(block)) {
      unsigned parent = root;
      bool isFirst = true;
      for (Operation *user : op.getUsers()) {
        parent = isFirst ? indexOf.lookup(user) : commonAncestor(parent, indexOf.lookup(user));
        isFirst = false;
      }
      indexOf[&op] = static_cast<unsigned>(nodes.size());
      addNode(parent);
      for (Value operand : op.getOperands())
        if (Operation *stored = operand.getDefiningOp(); stored && isa<ParameterOp, StateOp>(stored))
          ++(isCut(stored) ? nodes.back().cut : nodes.back().kept);
    }
    // Operands come later than their readers.
    for (size_t i = nodes.size() - 1; i > 0; --i) {
      nodes[nodes[i].parent].cut += nodes[i].cut;
      nodes[nodes[i].parent].kept += nodes[i].kept;
    }
  }

  /// Does `add` alone read the value, and do all parameters and states go that it is made of?
  bool canCut(Value value, AddOp add) const {
    Operation *op = value.getDefiningOp();
    if (!op)
      return false;
    const Node &node = nodes[indexOf.lookup(op)];
    return node.parent == indexOf.lookup(add) && node.cut > 0 && node.kept == 0;
  }

private:
  static constexpr unsigned root = 0;

  struct Node {
    unsigned parent = root, jump = root, depth = 0; // `jump` is an ancestor far up, so that paths to it are short
    int64_t cut = 0, kept = 0;                      // reads of parameters and states
  };

  void addNode(unsigned parent) {
    const Node &above = nodes[parent], &far = nodes[above.jump];
    unsigned jump = above.depth - far.depth == far.depth - nodes[far.jump].depth ? far.jump : parent;
    nodes.push_back({parent, jump, above.depth + 1});
  }

  /// In logarithmic time.
  unsigned commonAncestor(unsigned lhs, unsigned rhs) const {
    if (nodes[lhs].depth < nodes[rhs].depth)
      std::swap(lhs, rhs);
    while (nodes[lhs].depth > nodes[rhs].depth)
      lhs = nodes[nodes[lhs].jump].depth >= nodes[rhs].depth ? nodes[lhs].jump : nodes[lhs].parent;
    while (lhs != rhs) {
      bool isFar = nodes[lhs].jump != nodes[rhs].jump;
      lhs = isFar ? nodes[lhs].jump : nodes[lhs].parent;
      rhs = isFar ? nodes[rhs].jump : nodes[rhs].parent;
    }
    return lhs;
  }

  std::vector<Node> nodes;
  llvm::DenseMap<Operation *, unsigned> indexOf;
};

struct CutBranches final : espalier::cg::impl::CutBranchesBase<CutBranches> {
  using Base::Base;

  void runOnOperation() override {
    Block &body = getOperation().getBody().front();
    Owners owners(body, [&](Operation *stored) {
      return llvm::any_of(paths, [&](StringRef above) { return isUnderPath(pathOf(stored), above); });
    });
    llvm::DenseSet<Operation *> erased;
    llvm::StringSet<> found;
    // From the last sum on: what goes with an outer one is not looked at.
    auto sums = llvm::to_vector(body.getOps<AddOp>());
    for (AddOp add : llvm::reverse(sums)) {
      if (erased.contains(add) || !isImageSum(add))
        continue;
      bool cutsLeft = owners.canCut(add.getLhs(), add), cutsRight = owners.canCut(add.getRhs(), add);
      if (cutsLeft && cutsRight) {
        add.emitOpError("expects a summand that stays, but the parameters of both lie under the paths to cut");
        return signalPassFailure();
      }
      if (cutsLeft || cutsRight)
        cut(add, cutsLeft ? add.getRhs() : add.getLhs(), erased, found);
    }
    for (const std::string &path : paths)
      if (!found.contains(path)) {
        getOperation().emitError("expects a sum of two images with a summand all of whose parameters lie under '")
            << path << "', but there is none";
        return signalPassFailure();
      }
  }

private:
  /// Replaces `add` by `kept`, and erases what is dead then. `found` gets the paths that the summand lies under.
  void cut(AddOp add, Value kept, llvm::DenseSet<Operation *> &erased, llvm::StringSet<> &found) {
    ++numCut;
    std::string branch;
    Location loc = add.getLoc();
    add.replaceAllUsesWith(kept);
    SmallVector<Operation *> dead{add};
    erased.insert(add);
    while (!dead.empty()) {
      Operation *op = dead.pop_back_val();
      if (isa<ParameterOp, StateOp>(op))
        for (const std::string &path : paths)
          if (isUnderPath(pathOf(op), path)) {
            found.insert(path);
            branch = path;
          }
      SmallVector<Value> operands(op->getOperands());
      op->erase();
      for (Value operand : operands)
        if (Operation *source = operand.getDefiningOp();
            source && !erased.contains(source) && isOpTriviallyDead(source)) {
          erased.insert(source);
          dead.push_back(source);
        }
    }
    remark::passed(loc, remark::RemarkOpts::name("cut").category(getArgumentName()))
        << remark::metric("Branch", branch);
  }
};
} // namespace
