//===- Precision.h - what ops do where precision is mixed -------*- C++ -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_PRECISION_H
#define ESPALIER_DIALECT_CG_IR_PRECISION_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"

namespace espalier::cg {

/// \name Traits of ops, see CGInterfaces.td.
/// @{
template <typename ConcreteOp> class ComputesNarrow : public mlir::OpTrait::TraitBase<ConcreteOp, ComputesNarrow> {};
template <typename ConcreteOp> class ComputesWide : public mlir::OpTrait::TraitBase<ConcreteOp, ComputesWide> {};
template <typename ConcreteOp> class NormalisesWide : public mlir::OpTrait::TraitBase<ConcreteOp, NormalisesWide> {};
/// @}

/// Whether sums of products of elements of type `operand` may be stored as `result`: in the same type, or in f32.
inline bool mayAccumulateIn(mlir::Type result, mlir::Type operand) {
  return result == operand || (result.isF32() && (operand.isF16() || operand.isBF16()));
}

} // namespace espalier::cg

#endif // ESPALIER_DIALECT_CG_IR_PRECISION_H
