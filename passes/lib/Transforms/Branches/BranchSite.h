//===- BranchSite.h - convolutions that blocks can replace ------*- C++ -*-===//

#ifndef ESPALIER_LIB_TRANSFORMS_BRANCHES_BRANCHSITE_H
#define ESPALIER_LIB_TRANSFORMS_BRANCHES_BRANCHSITE_H

#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Transforms/BlockProvider.h"
#include "espalier/Transforms/ParameterPaths.h"

#include "llvm/ADT/StringMap.h"

#include <optional>
#include <string>

namespace espalier::cg {

/// What the parameters and states of a graph are called, and how often each parameter is used.
struct StoragePaths {
  llvm::StringMap<unsigned> uses;

  explicit StoragePaths(GraphOp graph);
};

/// A convolution, and what follows it that belongs to it.
struct BranchSite {
  Conv2dOp conv;
  ParameterOp filter;
  /// Of the bias between convolution and norm; may be null.
  AddOp biased;
  mlir::Value bias;
  /// May be null.
  BatchNormOp norm;

  /// What paths beside that of the filter begin with, without a dot; empty for "weight".
  llvm::StringRef prefix() { return convolutionPath(filter.getPath()); }
  /// The site as a block provider wants it.
  BlockSite describe(bool preserve);
};

/// Finds what belongs to a convolution that a block can replace; else gives the reason. The filter is set where it is a
/// parameter.
std::optional<std::string> findBranchSite(Conv2dOp conv, const StoragePaths &paths, BranchSite &site);

/// Finds the bias and the norm of `site.conv`, the only readers of what is before them; else gives the reason why the
/// norm is none to work with.
std::optional<std::string> findBranchNorm(BranchSite &site);

} // namespace espalier::cg

#endif // ESPALIER_LIB_TRANSFORMS_BRANCHES_BRANCHSITE_H
