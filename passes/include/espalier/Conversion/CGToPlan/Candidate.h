//===- Candidate.h - ways to run a group ------------------------*- C++ -*-===//

#ifndef ESPALIER_CONVERSION_CGTOPLAN_CANDIDATE_H
#define ESPALIER_CONVERSION_CGTOPLAN_CANDIDATE_H

#include "espalier/Dialect/CG/IR/CGOps.h"

namespace espalier::cg {

class RowBuilder;

/// A way to run a group: a library call, or code that is generated. A target brings a list of them.
class Candidate {
public:
  virtual ~Candidate() = default;

  /// The name in `cg.group`'s `candidates`, in measured tables and in reports.
  virtual llvm::StringRef getName() const = 0;

  /// Why no layout lets it run a group of these ops, constants aside; nothing where one does.
  virtual std::optional<std::string> whyNotOps(llvm::ArrayRef<mlir::Operation *> ops) const = 0;

  /// Why it cannot run this group, whose layouts are assigned; nothing where it can.
  virtual std::optional<std::string> whyNot(GroupOp group) const;

  /// The extension of the instruction set, as LLVM spells it, that a processor must have to run this contraction; empty
  /// where none is needed.
  virtual llvm::StringRef getRequiredExtension(mlir::Operation *contraction) const { return {}; }

  /// The order of dimensions, outermost first, in which it wants operand 1 of the group's contraction in memory; empty
  /// for the order of the type. `cg-pack-operands` brings it there, once for weights.
  virtual llvm::SmallVector<int64_t> getPackedOrder(mlir::Operation *contraction) const { return {}; }

  /// May it write `result` into the memory of `input`, because it reads every element before it writes its place?
  virtual bool canOverwrite(GroupOp group, unsigned input, unsigned result) const { return false; }

  /// Adds the row, or rows, that run the group. Fails, having emitted an error, where it cannot.
  virtual mlir::LogicalResult emitRows(GroupOp group, RowBuilder &rows) const = 0;
};

/// What a CPU has, the one that is preferred without measurements first: `onednn`, `tile`, `loops`.
llvm::ArrayRef<const Candidate *> getCPUCandidates();

/// A CPU's candidate of this name, or null.
const Candidate *findCPUCandidate(llvm::StringRef name);

/// Generated loops run every group without a contraction.
inline constexpr llvm::StringLiteral loopsCandidateName = "loops";

} // namespace espalier::cg

#endif // ESPALIER_CONVERSION_CGTOPLAN_CANDIDATE_H
