//===- BranchPlanner.h - which sub-graphs become one convolution -*- C++ -*-===//

#ifndef ESPALIER_LIB_TRANSFORMS_BRANCHES_BRANCHPLANNER_H
#define ESPALIER_LIB_TRANSFORMS_BRANCHES_BRANCHPLANNER_H

#include "espalier/Transforms/BranchInterfaces.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/DenseSet.h"

namespace espalier::cg {

/// What a region costs: multiply-accumulates at several sizes of the images, stored numbers, ops that read images.
struct BranchCost {
  static constexpr unsigned numSizes = 3;
  std::array<double, numSizes> macs = {};
  int64_t weights = 0;
  int64_t ops = 0;

  BranchCost &operator+=(const BranchCost &other) {
    for (unsigned i = 0; i < numSizes; ++i)
      macs[i] += other.macs[i];
    weights += other.weights;
    ops += other.ops;
    return *this;
  }
};

/// A region from one value on: what it computes, and what it costs as it stands.
struct BranchRegion {
  mlir::Value source;
  ConvMap map;
  BranchCost cost;
  /// Uses of the source inside.
  int64_t sourceUses = 0;
};

/// How a value is computed: as parts, each one convolution, and other values, all added up. An op that stays as it is
/// has no parts.
struct BranchPlan {
  llvm::SmallVector<BranchRegion, 1> parts;
  llvm::SmallVector<mlir::Value> rest;
};

/// Decides for each value of a function whether a region that ends in it becomes one convolution. Every value has at
/// most two regions: the *widest*, back to a value that something outside reads too or that nothing affine gives, and
/// the *cheapest*, the longest that is worth folding. Linear in the number of ops.
class BranchPlanner {
public:
  /// Called where something hinders: the op, and why.
  using Hindrance = llvm::function_ref<void(mlir::Operation *, llvm::StringRef)>;

  BranchPlanner(mlir::FunctionOpInterface function, bool online, Hindrance hinder);

  /// Builds all maps, with their ops beside the ops they come from. Fails, having emitted an error, where shapes do not
  /// fit.
  llvm::LogicalResult run();

  /// The plan for the result of `op`; null where it stays as it is.
  const BranchPlan *getPlan(mlir::Operation *op) const {
    auto it = plans.find(op->getResult(0));
    return it == plans.end() ? nullptr : &it->second;
  }
  /// The widest region that ends in `value`; null where it is not affine in an image.
  const BranchRegion *findWidest(mlir::Value value) const {
    auto it = states.find(value);
    return it == states.end() ? nullptr : &it->second.widest;
  }
  ConvAlgebra &getAlgebra() { return algebra; }
  mlir::OpBuilder &getBuilder() { return builder; }

private:
  struct State {
    BranchRegion widest, cheapest;
  };

  void addStored(mlir::Value value);
  void visit(mlir::Operation &op);
  void visitChain(mlir::Operation &op, mlir::Value image);
  void visitJoin(mlir::Operation &op);
  void visitSum(mlir::Operation &root);
  void settle(mlir::Value value, BranchRegion widest, BranchRegion cheapest);
  void widenPastSource(BranchRegion &region);
  bool isImage(mlir::Value value) const;
  bool isWeight(mlir::Value value) const { return weights.contains(value); }
  bool isInnerSum(mlir::Operation *op) const;
  int64_t countUses(mlir::Value value) const;
  BranchRegion identityOf(mlir::Value value) const;
  BranchRegion branchOf(mlir::Value value) const;
  BranchCost costOf(mlir::Operation &op);
  int64_t countStored(mlir::Value weight);
  std::optional<std::string> whyNotWorth(const BranchRegion &region, mlir::Value result);
  bool isWorth(const BranchRegion &region, mlir::Value result) { return !whyNotWorth(region, result); }
  llvm::FailureOr<ConvMap> mapResult(mlir::Operation &op, llvm::ArrayRef<const ConvMap *> operands);
  double evaluate(const DimExpr &expression, unsigned size) const;

  mlir::FunctionOpInterface function;
  mlir::OpBuilder builder;
  ConvAlgebra algebra;
  Hindrance hinder;
  ShapeContext shapes;
  llvm::DenseSet<mlir::Value> weights;                 // values that depend on parameters, states and literals alone
  llvm::DenseMap<mlir::Value, int64_t> stored;         // elements of parameters and states below a weight
  llvm::DenseMap<mlir::Value, int64_t> uses;           // as the function came
  llvm::DenseMap<mlir::StringAttr, int64_t> opsOfPath; // parameters and states with one path are one
  llvm::DenseMap<mlir::Value, State> states;
  llvm::DenseMap<mlir::Value, BranchPlan> plans;
};

} // namespace espalier::cg

#endif // ESPALIER_LIB_TRANSFORMS_BRANCHES_BRANCHPLANNER_H
