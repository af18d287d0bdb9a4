//===- KernelBuilder.cpp - loops, indices and memory accesses -------------===//

#include "espalier/Conversion/CGToPlan/Lowering.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace espalier::cg;

#include "espalier/Conversion/CGToPlan/Lowering.cpp.inc"

Type espalier::cg::getScalarType(Type element) {
  return isa<FloatType>(element) && element.getIntOrFloatBitWidth() < 32 ? Float32Type::get(element.getContext())
                                                                         : element;
}

SmallVector<int64_t, 4> espalier::cg::getStrides(ArrayRef<int64_t> shape, ArrayRef<int64_t> order) {
  SmallVector<int64_t, 4> strides(shape.size(), 1);
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    int64_t dim = order.empty() ? static_cast<int64_t>(i) : order[i];
    strides[dim] = stride;
    stride *= shape[dim];
  }
  return strides;
}

SmallVector<int64_t, 4> espalier::cg::broadcastStrides(ArrayRef<int64_t> strides, ArrayRef<int64_t> from,
                                                       ArrayRef<int64_t> shape) {
  SmallVector<int64_t, 4> result(shape.size(), 0);
  size_t lead = shape.size() - from.size();
  for (size_t i = 0; i < from.size(); ++i)
    result[lead + i] = from[i] == 1 ? 0 : strides[i];
  return result;
}

static Value linearIndex(KernelBuilder &b, const StridedAccess &access, ValueRange position) {
  Value linear = b.index(access.offset);
  for (auto [index, stride] : llvm::zip_equal(position, access.strides))
    if (stride != 0)
      linear = b.add(linear, b.mul(index, stride));
  return linear;
}

Value KernelBuilder::loadOperand(unsigned operand, ValueRange position) {
  if (TypedAttr splat = operands[operand].splat)
    return number(splat);
  return load(operands[operand].access, position);
}

Value KernelBuilder::load(const StridedAccess &access, ValueRange position) {
  return widen(create<memref::LoadOp>(access.memory, linearIndex(*this, access, position)));
}

void KernelBuilder::store(Value value, const StridedAccess &access, ValueRange position) {
  Type element = cast<MemRefType>(access.memory.getType()).getElementType();
  create<memref::StoreOp>(narrow(value, element), access.memory, linearIndex(*this, access, position));
}

Value KernelBuilder::inRange(Value value, Value low, Value high) {
  return both(compare(arith::CmpIPredicate::sge, value, low), compare(arith::CmpIPredicate::slt, value, high));
}

Value KernelBuilder::isLarger(Value value, Value best) {
  if (!isa<FloatType>(value.getType()))
    return compare(value.getType().isInteger(1) ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::sgt, value, best);
  Value larger = create<arith::CmpFOp>(arith::CmpFPredicate::OGT, value, best);
  Value isNaN = create<arith::CmpFOp>(arith::CmpFPredicate::UNO, value, value);
  Value wasNumber = create<arith::CmpFOp>(arith::CmpFPredicate::ORD, best, best);
  return create<arith::OrIOp>(larger, create<arith::AndIOp>(isNaN, wasNumber));
}

Value KernelBuilder::number(Type type, double value) {
  if (isa<FloatType>(type))
    return create<arith::ConstantOp>(getFloatAttr(getScalarType(type), value));
  return create<arith::ConstantOp>(getIntegerAttr(type, static_cast<int64_t>(value)));
}

Value KernelBuilder::number(TypedAttr value) {
  auto narrow = dyn_cast<FloatAttr>(value);
  if (narrow && getScalarType(narrow.getType()) != narrow.getType())
    return number(narrow.getType(), narrow.getValueAsDouble());
  return create<arith::ConstantOp>(value);
}

Value KernelBuilder::widen(Value value) {
  Type type = getScalarType(value.getType());
  return type == value.getType() ? value : create<arith::ExtFOp>(type, value).getResult();
}

Value KernelBuilder::narrow(Value value, Type to) {
  return value.getType() == to ? value : create<arith::TruncFOp>(to, value).getResult();
}

void KernelBuilder::forLoop(Value low, Value high, function_ref<void(Value)> body) {
  auto loop = create<scf::ForOp>(low, high, index(1));
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

SmallVector<Value> KernelBuilder::forLoop(Value low, Value high, ValueRange initial,
                                          function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  if (initial.empty()) {
    forLoop(low, high, [&](Value index) { body(index, {}); });
    return {};
  }
  auto loop = create<scf::ForOp>(low, high, index(1), initial);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  create<scf::YieldOp>(body(loop.getInductionVar(), loop.getRegionIterArgs()));
  return llvm::to_vector_of<Value>(loop.getResults());
}

void KernelBuilder::forEach(ArrayRef<int64_t> shape, ArrayRef<int64_t> order, function_ref<void(ValueRange)> body) {
  OpBuilder::InsertionGuard guard(*this);
  SmallVector<Value> position(shape.size());
  for (int64_t dim : order) {
    auto loop = create<scf::ForOp>(index(0), index(shape[dim]), index(1));
    setInsertionPointToStart(loop.getBody());
    position[dim] = loop.getInductionVar();
  }
  body(position);
}
