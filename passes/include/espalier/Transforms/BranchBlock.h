//===- BranchBlock.h - a convolution with its branches ----------*- C++ -*-===//
//
// For edits of a network while it is trained: what stands for one convolution, and the one convolution that it is
// worth.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_TRANSFORMS_BRANCHBLOCK_H
#define ESPALIER_TRANSFORMS_BRANCHBLOCK_H

#include "espalier/Dialect/CG/IR/CGOps.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <optional>
#include <string>

namespace espalier::cg {

/// A convolution and what is added to it, as `cg-expand-branches` leaves it in a graph.
struct BranchBlock {
  Conv2dOp conv; ///< the main one
  ParameterOp filter;
  BatchNormOp norm; ///< of the main convolution; may be null
  /// The sum of everything. All of it is affine in the input of `conv`, if norms use their running statistics.
  mlir::Value end;
};

/// The block of the convolution whose filter is the parameter `filterPath`. It ends where the result of the convolution
/// or its norm has several readers, or one that is no addition of an affine function of the convolution's input alone.
/// Fails, having emitted an error, where no convolution or more than one has this filter, or its norm is not one of
/// two parameters and two states.
mlir::FailureOr<BranchBlock> findBranchBlock(GraphOp graph, llvm::StringRef filterPath);

/// Why a convolution of `graph` does not become the block of this name, see `cg-expand-branches`; nothing where it can.
/// Emits no diagnostics, so that one may try.
std::optional<std::string> refuseBlock(GraphOp graph, llvm::StringRef filterPath, llvm::StringRef block);

/// A branch beside the main convolution.
struct BranchSummand {
  /// Of the scale of the norm at its end; empty where it ends otherwise.
  std::string scalePath;
  /// The longest path that all its parameters and states lie under.
  std::string prefix;
};

/// The branches whose parameters and states all lie beside the block's filter, from left to right: for the filter
/// "layer1.conv1.weight" those under "layer1.conv1". A branch that is a sum itself counts as its summands.
llvm::SmallVector<BranchSummand> findBranches(const BranchBlock &block);

/// A module with one graph `@block`, from the input of the block's convolution to its end.
mlir::OwningOpRef<mlir::ModuleOp> extractBlock(const BranchBlock &block);

/// A module with one graph `@block.weights`, which takes nothing and gives the filter, of the type that the block's
/// filter has, and the bias, [outputs], of the one convolution that computes what the block does in inference mode. It
/// reads parameters and states of the block by their paths. Null, having emitted an error, where one convolution with
/// the window of `block.conv` does not compute that.
mlir::OwningOpRef<mlir::ModuleOp> foldBlock(const BranchBlock &block);

} // namespace espalier::cg

#endif // ESPALIER_TRANSFORMS_BRANCHBLOCK_H
