//===- BlockProvider.h - where blocks of branches come from -----*- C++ -*-===//
//
// `cg-expand-branches` knows nothing of the language that blocks are written in: a tool that can read it attaches a
// provider to the cg dialect, by an extension of its DialectRegistry.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_TRANSFORMS_BLOCKPROVIDER_H
#define ESPALIER_TRANSFORMS_BLOCKPROVIDER_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectInterface.h"
#include "mlir/IR/OwningOpRef.h"

#include <array>
#include <optional>
#include <string>

namespace espalier::cg {

/// A convolution that a block is to stand for.
struct BlockSite {
  /// [batch, channels, rows, columns]; the channels are known.
  mlir::RankedTensorType input;
  /// Of the result.
  int64_t channels = 0;
  /// Rows, then columns. Pads are the same on opposite sides.
  std::array<int64_t, 2> kernel{}, strides{}, pads{}, dilations{};
  int64_t groups = 1;
  /// Whether all branches but the main one begin at zero.
  bool preserve = false;
};

/// Makes blocks by name.
class BlockProvider : public mlir::DialectInterface::Base<BlockProvider> {
public:
  explicit BlockProvider(mlir::Dialect *dialect) : Base(dialect) {}

  /// A module whose only graph takes an image of the type `site.input` and gives what the block makes of it. Null,
  /// having emitted an error, where there is no such block or it does not fit; `loc` is the convolution.
  virtual mlir::OwningOpRef<mlir::ModuleOp> instantiate(llvm::StringRef block, const BlockSite &site,
                                                        mlir::Location loc) const = 0;

  /// The first error that `instantiate` would emit, without emitting any; nothing where it would succeed.
  virtual std::optional<std::string> refuse(llvm::StringRef block, const BlockSite &site) const = 0;
};

} // namespace espalier::cg

#endif // ESPALIER_TRANSFORMS_BLOCKPROVIDER_H
