//===- ImageSum.h - sums of images, as a whole ------------------*- C++ -*-===//

#ifndef ESPALIER_LIB_TRANSFORMS_BRANCHES_IMAGESUM_H
#define ESPALIER_LIB_TRANSFORMS_BRANCHES_IMAGESUM_H

#include "espalier/Dialect/CG/IR/CGOps.h"

namespace espalier::cg {

/// An addition of two images of one type, so that nothing is broadcast.
bool isImageSum(mlir::Operation *op);

/// An addition of images whose only reader is another one.
bool isInnerImageSum(mlir::Operation *op);

/// The additions of images that are inside no other sum.
llvm::SmallVector<AddOp> findImageSums(mlir::Block &block);

/// What is added up in `root` and in the additions below it that `isInner` accepts, from left to right.
llvm::SmallVector<mlir::Value> findSummands(AddOp root, llvm::function_ref<bool(mlir::Operation *)> isInner);

} // namespace espalier::cg

#endif // ESPALIER_LIB_TRANSFORMS_BRANCHES_IMAGESUM_H
