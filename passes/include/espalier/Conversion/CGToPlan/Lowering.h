//===- Lowering.h - how an op becomes loops ---------------------*- C++ -*-===//
//
// What an op must say so that kernels can be generated for it. To lower a new op, implement one of the interfaces of
// Lowering.td as an external model and register it in `registerLoweringModels`.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_CONVERSION_CGTOPLAN_LOWERING_H
#define ESPALIER_CONVERSION_CGTOPLAN_LOWERING_H

#include "espalier/Dialect/CG/IR/CGOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace espalier::cg {

/// The type that kernels compute in for elements of this type: f32 for bf16 and f16, which only memory holds.
mlir::Type getScalarType(mlir::Type element);

/// Where the elements of a tensor are: element (i, j, ...) is `memory[offset + i * strides[0] + j * strides[1] + ...]`.
struct StridedAccess {
  mlir::Value memory; // a memref of rank 1
  int64_t offset = 0;
  llvm::SmallVector<int64_t, 4> strides;
};

/// The strides of a tensor of this shape whose dimensions lie in memory in this order, outermost first; an empty order
/// is that of the shape.
llvm::SmallVector<int64_t, 4> getStrides(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> order);

/// The strides of a tensor broadcast to `shape`: 0 where it repeats.
llvm::SmallVector<int64_t, 4> broadcastStrides(llvm::ArrayRef<int64_t> strides, llvm::ArrayRef<int64_t> from,
                                               llvm::ArrayRef<int64_t> shape);

/// Emits the loops, index arithmetic and memory accesses of one op. Scalars are of the types that kernels compute in.
class KernelBuilder : public mlir::ImplicitLocOpBuilder {
public:
  KernelBuilder(mlir::Location loc, mlir::OpBuilder &builder) : ImplicitLocOpBuilder(loc, builder) {}

  /// The parallel iterations to emit.
  mlir::Value begin, end;
  /// An operand of the op: one number everywhere, or a place in memory.
  struct Operand {
    mlir::TypedAttr splat;
    StridedAccess access;
  };
  llvm::SmallVector<Operand, 4> operands;
  /// The result, when the op is a kernel of its own, and the order of its dimensions in memory.
  StridedAccess result;
  llvm::SmallVector<int64_t, 4> resultOrder;

  mlir::Value loadOperand(unsigned operand, mlir::ValueRange position);
  mlir::Value loadResult(mlir::ValueRange position) { return load(result, position); }
  void storeResult(mlir::Value value, mlir::ValueRange position) { store(value, result, position); }
  mlir::Value load(const StridedAccess &access, mlir::ValueRange position);
  void store(mlir::Value value, const StridedAccess &access, mlir::ValueRange position);

  // Arithmetic on indices, folded where constant.
  mlir::Value index(int64_t value) { return create<mlir::arith::ConstantIndexOp>(value); }
  mlir::Value add(mlir::Value lhs, mlir::Value rhs) { return createOrFold<mlir::arith::AddIOp>(lhs, rhs); }
  mlir::Value add(mlir::Value lhs, int64_t rhs) { return add(lhs, index(rhs)); }
  mlir::Value sub(mlir::Value lhs, mlir::Value rhs) { return createOrFold<mlir::arith::SubIOp>(lhs, rhs); }
  mlir::Value mul(mlir::Value lhs, int64_t rhs) { return createOrFold<mlir::arith::MulIOp>(lhs, index(rhs)); }
  /// Quotient and remainder of an index >= 0 by a constant > 0.
  mlir::Value div(mlir::Value lhs, int64_t rhs) { return createOrFold<mlir::arith::DivUIOp>(lhs, index(rhs)); }
  mlir::Value rem(mlir::Value lhs, int64_t rhs) { return createOrFold<mlir::arith::RemUIOp>(lhs, index(rhs)); }
  mlir::Value min(mlir::Value lhs, mlir::Value rhs) { return createOrFold<mlir::arith::MinSIOp>(lhs, rhs); }
  mlir::Value max(mlir::Value lhs, mlir::Value rhs) { return createOrFold<mlir::arith::MaxSIOp>(lhs, rhs); }
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value lhs, mlir::Value rhs) {
    return createOrFold<mlir::arith::CmpIOp>(predicate, lhs, rhs);
  }
  mlir::Value both(mlir::Value lhs, mlir::Value rhs) { return createOrFold<mlir::arith::AndIOp>(lhs, rhs); }
  /// Is `low <= value < high`?
  mlir::Value inRange(mlir::Value value, mlir::Value low, mlir::Value high);
  mlir::Value select(mlir::Value condition, mlir::Value lhs, mlir::Value rhs) {
    return createOrFold<mlir::arith::SelectOp>(condition, lhs, rhs);
  }

  /// Is the scalar `value` to be preferred to the maximum so far? NaN wins over every number.
  mlir::Value isLarger(mlir::Value value, mlir::Value best);
  /// A scalar for elements of a float or integer type.
  mlir::Value number(mlir::Type type, double value);
  mlir::Value number(mlir::TypedAttr value);
  /// Extends a float that memory holds to the type that kernels compute in; `narrow` rounds one to the nearest of type
  /// `to`.
  mlir::Value widen(mlir::Value value);
  mlir::Value narrow(mlir::Value value, mlir::Type to);

  /// `for (i = low; i < high; ++i) body(i)`
  void forLoop(mlir::Value low, mlir::Value high, llvm::function_ref<void(mlir::Value)> body);
  void forLoop(int64_t extent, llvm::function_ref<void(mlir::Value)> body) { forLoop(index(0), index(extent), body); }
  /// The same with values carried from one iteration to the next; returns the last ones.
  llvm::SmallVector<mlir::Value>
  forLoop(mlir::Value low, mlir::Value high, mlir::ValueRange initial,
          llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, mlir::ValueRange)> body);
  /// Nested loops over a box; `order` lists its dimensions from the outermost loop inwards. `position` has one index
  /// for each dimension.
  void forEach(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> order,
               llvm::function_ref<void(mlir::ValueRange position)> body);
};

/// Registers how every op of the dialect is lowered.
void registerLoweringModels(mlir::DialectRegistry &registry);

/// Does this op have one of the interfaces of Lowering.td?
bool hasLoweringModel(mlir::RegisteredOperationName op);

} // namespace espalier::cg

#include "espalier/Conversion/CGToPlan/Lowering.h.inc"

#endif // ESPALIER_CONVERSION_CGTOPLAN_LOWERING_H
