//===- RowBuilder.h - what candidates add rows with -------------*- C++ -*-===//

#ifndef ESPALIER_LIB_CONVERSION_CGTOPLAN_ROWBUILDER_H
#define ESPALIER_LIB_CONVERSION_CGTOPLAN_ROWBUILDER_H

#include "GroupKernel.h"

namespace espalier::cg {

/// The program that is being built, as a candidate sees it.
class RowBuilder {
public:
  virtual ~RowBuilder() = default;

  /// Where rows go.
  virtual mlir::OpBuilder &getBuilder() = 0;
  /// The place of a value of the fused graph, seen as `type`.
  virtual mlir::Value getPlace(mlir::Value value, mlir::MemRefType type) = 0;
  /// Does this value change only when the caller says so? Then a library may pack it once.
  virtual bool isConstant(mlir::Value value) = 0;
  /// Adds the dispatch of a kernel; nothing where the kernel has nothing to compute.
  virtual mlir::LogicalResult dispatch(GroupOp group, GroupKernel &kernel) = 0;
};

/// Adds the row of a call of oneDNN.
mlir::LogicalResult emitLibraryRow(GroupOp group, RowBuilder &rows);
/// Why oneDNN's calls want the images and the filter of the group in another order; nothing where they are right.
std::optional<std::string> whyNotLibraryLayout(GroupOp group);

} // namespace espalier::cg

#endif // ESPALIER_LIB_CONVERSION_CGTOPLAN_ROWBUILDER_H
