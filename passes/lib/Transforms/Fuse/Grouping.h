//===- Grouping.h - which ops share a kernel --------------------*- C++ -*-===//

#ifndef ESPALIER_LIB_TRANSFORMS_FUSE_GROUPING_H
#define ESPALIER_LIB_TRANSFORMS_FUSE_GROUPING_H

#include "espalier/Dialect/CG/IR/CGOps.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallPtrSet.h"

#include <map>

namespace espalier::cg {

/// Ops that become one `cg.group`.
struct FusionGroup {
  enum class Kind {
    Map,         ///< every op fills one iteration space, or is a view
    Reduction,   ///< reductions of one space, what feeds them, and what follows on their results
    Contraction, ///< a convolution or matrix product, and what follows it
    Kernel       ///< an op that fuses with nothing
  };
  Kind kind = Kind::Map;
  llvm::SmallVector<mlir::Operation *> ops;
  llvm::SmallPtrSet<mlir::Operation *, 8> members;
  llvm::SmallPtrSet<mlir::Operation *, 4> post; ///< members on the results of the reductions
  llvm::ArrayRef<int64_t> space;                ///< shape of the iteration space
  llvm::ArrayRef<int64_t> reducedDims, postSpace;
  bool hasIndexed = false;

  bool contains(mlir::Operation *op) const { return members.contains(op); }
  bool isLoops() const { return kind == Kind::Map || kind == Kind::Reduction; }
  void add(mlir::Operation *op) {
    if (members.insert(op).second)
      ops.push_back(op);
  }
};

/// Distributes the ops of a graph over groups. An op that is cheap to compute again may be in several. Groups do not
/// depend on each other in circles.
///
/// First backwards: an op joins the group of its users when there is only one, which can close no circle. Then
/// forwards, with a level for each group above those of all groups it reads: groups of one level cannot reach each
/// other, and a group may join one that it reads if everything else that it reads is below that one.
class Grouping {
public:
  Grouping(mlir::Block &body, int64_t maxOps) : body(body), maxOps(maxOps) {}

  void run();

  /// A group, or a reshape, which costs nothing and belongs to none.
  struct Node {
    FusionGroup *group = nullptr;
    ReshapeOp reshape;
  };
  /// All nodes such that each comes after those it reads, close to the order of the ops.
  llvm::ArrayRef<Node> getOrder() const { return order; }

  /// Must the group write the result of its member to memory?
  bool isOutput(const FusionGroup &group, mlir::Operation *op) const;

private:
  struct Consumers {
    llvm::SmallSetVector<unsigned, 4> groups;
    bool external = false; // a reshape or the return reads it, or an op that is not fused
  };

  void claimContractions();
  void groupBackwards();
  void place(mlir::Operation *op);
  Consumers findConsumers(mlir::Operation *op) const;
  bool fits(mlir::Operation *op, FusionGroup &group) const;
  bool isWorthRepeating(mlir::Operation *op, size_t numConsumers) const;
  void join(mlir::Operation *op, unsigned group);
  unsigned createGroup(mlir::Operation *op);

  struct Graph; // of nodes
  void mergeForwards();
  bool canMergeInto(const FusionGroup &producer, const FusionGroup &consumer) const;
  void merge(unsigned into, unsigned from);
  void sortNodes();

  mlir::Block &body;
  int64_t maxOps;
  std::vector<std::unique_ptr<FusionGroup>> groups; // null once merged
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<unsigned, 2>> groupsOf;
  llvm::DenseMap<mlir::Operation *, int64_t> position;
  llvm::DenseSet<mlir::Operation *> liveReshapes;
  std::vector<Node> order;
};

} // namespace espalier::cg

#endif // ESPALIER_LIB_TRANSFORMS_FUSE_GROUPING_H
