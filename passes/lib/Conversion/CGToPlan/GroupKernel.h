//===- GroupKernel.h - one group as one kernel function ---------*- C++ -*-===//

#ifndef ESPALIER_LIB_CONVERSION_CGTOPLAN_GROUPKERNEL_H
#define ESPALIER_LIB_CONVERSION_CGTOPLAN_GROUPKERNEL_H

#include "TileNest.h"

#include "espalier/Conversion/CGToPlan/Layout.h"
#include "espalier/Conversion/CGToPlan/Lowering.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace espalier::cg {

/// The memory of a tensor of this type and layout.
mlir::MemRefType getMemoryType(mlir::RankedTensorType type, llvm::ArrayRef<int64_t> layout);

/// How the loops of a group are made.
enum class KernelStyle {
  Loops, ///< every op as scalar code
  Tiles  ///< a contraction as register tiles, and elementwise ops on its result
};

/// The group as generated code. `GroupKernel::analyze` decides how, `emit` writes it.
class GroupKernel {
public:
  /// The place of a tensor without elements.
  static constexpr unsigned noPlace = ~0u;

  /// Fails, having emitted an error, where the body is no kernel: an op has no lowering, or ops do not share their
  /// loops.
  static mlir::FailureOr<GroupKernel> analyze(GroupOp group, llvm::ArrayRef<Layout> inputLayouts,
                                              KernelStyle style = KernelStyle::Loops);

  /// Extent of the dimension that is split among threads; 0 where there is nothing to compute.
  int64_t getParallelExtent();

  /// May `result` lie in the memory of `input`? Only if every element is read before its place is written, and nowhere
  /// else.
  bool canOverwrite(unsigned input, unsigned result);

  /// Emits a kernel. `inputPlaces` and `resultPlaces` give the argument that each operand and result of the group lives
  /// in; arguments are numbered from 0 without gaps. What has no elements has no place.
  mlir::func::FuncOp emit(mlir::OpBuilder &builder, llvm::StringRef name, llvm::ArrayRef<unsigned> inputPlaces,
                          llvm::ArrayRef<unsigned> resultPlaces);

private:
  friend class GroupEmitter;

  /// A tensor in memory: an argument of the group, a view of one, or a literal.
  struct Source {
    int64_t input = -1; // the group's operand, or -1 for a literal
    ConstantOp literal;
    StridedAccess access; // without memory
    bool isView = false;
  };
  /// A loop over one dimension of the iteration space, or over several that lie next to each other in memory.
  struct Loop {
    int64_t extent;
    int64_t dim; // the innermost of them
    bool reduced;
  };

  mlir::LogicalResult analyzeBody();
  mlir::LogicalResult analyzeOp(mlir::Operation &op);
  mlir::LogicalResult analyzeSpace();
  mlir::LogicalResult analyzeTiles();
  /// Does everything else on the result of `kernelOp` happen in its loops?
  bool hasEpilogue() const { return !computed.empty(); }
  void buildLoops();
  bool isPost(mlir::Value value) const;
  /// Strides of a tensor in the dimensions of the iteration space.
  llvm::SmallVector<int64_t, 4> mapStrides(const StridedAccess &access, llvm::ArrayRef<int64_t> shape, bool post) const;
  /// The kept loop along which memory is contiguous, when sums along it are kept in a row of accumulators.
  bool hasAccumulatorRow() const;
  int64_t countLoops(bool reduced) const;

  GroupOp group;
  llvm::SmallVector<Layout> inputLayouts;
  llvm::DenseMap<mlir::Value, Source> sources;
  llvm::SmallVector<mlir::Operation *> computed; // ops that compute scalars, in order
  llvm::DenseSet<mlir::Operation *> postOps;     // those that depend on a reduction
  llvm::SmallVector<ReductionLoweringOpInterface> reductions;
  KernelStyle style = KernelStyle::Loops;
  mlir::Operation *kernelOp = nullptr; // a kernel of its own, or the contraction of the tiles
  std::optional<TileNest> tiles;
  llvm::SmallVector<int64_t> space; // extents of the iteration space
  llvm::SmallVector<int64_t> kept;  // its dimensions that are not reduced
  llvm::SmallVector<int64_t> postSpace;
  llvm::SmallVector<int64_t> order; // of its dimensions, outermost first
  bool needsPosition = false;
  llvm::SmallVector<Loop> loops;
};

} // namespace espalier::cg

#endif // ESPALIER_LIB_CONVERSION_CGTOPLAN_GROUPKERNEL_H
