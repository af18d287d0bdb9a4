//===- ProgramBuilder.h - one graph as one dispatch table -------*- C++ -*-===//

#ifndef ESPALIER_LIB_CONVERSION_CGTOPLAN_PROGRAMBUILDER_H
#define ESPALIER_LIB_CONVERSION_CGTOPLAN_PROGRAMBUILDER_H

#include "GroupKernel.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/StringMap.h"

namespace espalier::cg {

/// The kernels of a module: groups that are equal but for their values share one.
class KernelTable {
public:
  explicit KernelTable(mlir::ModuleOp module) : symbols(module) {}

  /// The kernel of a group whose operands and results live in these places (see GroupKernel::emit); made when it is
  /// new, before the graph that holds the group.
  mlir::FlatSymbolRefAttr get(GroupOp group, GroupKernel &kernel, llvm::ArrayRef<Layout> inputLayouts,
                              llvm::ArrayRef<unsigned> inputPlaces, llvm::ArrayRef<unsigned> resultPlaces);

private:
  mlir::SymbolTable symbols;
  llvm::StringMap<mlir::FlatSymbolRefAttr> kernels; // by description
  llvm::StringMap<unsigned> nextSuffix;             // of names with one stem
};

/// Makes the `plan.program` of a fused graph, which stays. Fails, having emitted an error, where the graph holds
/// anything but groups of static shape, reshapes and a return; and, if asked to, where a convolution or product in f32
/// or f64 would become loops.
mlir::LogicalResult buildProgram(GraphOp graph, KernelTable &kernels, bool forbidScalarContractions);

} // namespace espalier::cg

#endif // ESPALIER_LIB_CONVERSION_CGTOPLAN_PROGRAMBUILDER_H
