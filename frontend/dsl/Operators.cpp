//===- Operators.cpp - Operators on values --------------------------------===//

#include "Evaluator.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace espalier;
using namespace espalier::dsl;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

Value Evaluator::unary(Op op, const Value &operand) {
  if (operand.isPoison())
    return operand;
  if (op == Op::Not && operand.is(ValueKind::Bool))
    return Value::boolean(!operand.intValue);
  if (op == Op::Neg) {
    if (operand.is(ValueKind::Int))
      return integerBinary(Op::Sub, Value::integer(0), operand);
    if (operand.is(ValueKind::Dim))
      return extentBinary(Op::Sub, Value::integer(0), operand);
    if (operand.is(ValueKind::Float))
      return Value::floating(-operand.real);
    if (operand.isTensor())
      return emitOp("cg.neg", operand, {}, {"operand"});
  }
  return error(Diag::OperandType, spelling(op), describe(operand));
}

Value Evaluator::binary(Op op, const Value &left, const Value &right) {
  if (left.isPoison() || right.isPoison())
    return Value::poison();
  if (left.isTensor() || right.isTensor())
    return tensorBinary(op, left, right);
  if (op == Op::Eq || op == Op::Ne)
    return compareEqual(left, right, op == Op::Ne);
  if (left.is(ValueKind::Int) && right.is(ValueKind::Int))
    return integerBinary(op, left, right);
  if (left.isInteger() && right.isInteger())
    return extentBinary(op, left, right);
  if (left.isNumber() && right.isNumber())
    return floatBinary(op, left.number(), right.number());
  if (left.is(ValueKind::String) && right.is(ValueKind::String) && op == Op::Add) {
    if (!charge((uint64_t(left.size) + right.size) / 8))
      return Value::poison();
    return arena.string((left.string() + right.string()).str());
  }
  if (left.isSequence() && right.kind == left.kind && op == Op::Add) {
    if (!charge(uint64_t(left.size) + right.size))
      return Value::poison();
    SmallVector<Value> items(left.elements());
    llvm::append_range(items, right.elements());
    return arena.sequence(left.kind, items);
  }
  if (left.isSequence() && right.is(ValueKind::Int) && right.intValue >= 0 && op == Op::Mul) {
    if (!charge(llvm::SaturatingMultiply<uint64_t>(left.size, right.intValue)))
      return Value::poison();
    SmallVector<Value> items;
    for (int64_t i = 0; left.size > 0 && i < right.intValue; ++i)
      llvm::append_range(items, left.elements());
    return arena.sequence(left.kind, items);
  }
  return error(Diag::OperandTypes, spelling(op), describe(left), describe(right));
}

Value Evaluator::toTensor(const Value &value, const Value &like) {
  if (value.isTensor() || value.isPoison())
    return value;
  if (!calls.back().mayEmit)
    return error(Diag::TensorInConstant);
  mlir::Type type = shapeOf(like).elementType;
  bool isBool = type.isInteger(1);
  bool fits = llvm::isa<mlir::FloatType>(type) ? value.isNumber()
              : isBool ? value.is(ValueKind::Bool)
                       : value.is(ValueKind::Int) && llvm::isIntN(type.getIntOrFloatBitWidth(), value.intValue);
  if (!fits)
    return error(Diag::ScalarBesideTensor, describe(value), describe(like));
  double number = isBool ? double(value.intValue) : value.number();
  // Integers travel apart: a double does not hold all of them.
  return Value::tensor(
      llvm::isa<mlir::FloatType>(type)
          ? graph->scalar(operationLocation(currentNode), attrBuilder.getFloatAttr(type, number))
          : graph->scalar(operationLocation(currentNode), attrBuilder.getIntegerAttr(type, value.intValue)));
}

namespace {
/// What an operator on tensors becomes.
struct TensorOperator {
  Op op;
  StringRef operation;
  std::optional<cg::ComparePredicate> predicate = std::nullopt;
};
} // namespace

static const TensorOperator *findTensorOperator(Op op) {
  static constexpr TensorOperator table[] = {
      {Op::Add, "cg.add"},
      {Op::Sub, "cg.sub"},
      {Op::Mul, "cg.mul"},
      {Op::Div, "cg.div"},
      {Op::Pow, "cg.power"},
      {Op::MatMul, "cg.matmul"},
      {Op::Eq, "cg.compare", cg::ComparePredicate::eq},
      {Op::Ne, "cg.compare", cg::ComparePredicate::ne},
      {Op::Lt, "cg.compare", cg::ComparePredicate::lt},
      {Op::Le, "cg.compare", cg::ComparePredicate::le},
      {Op::Gt, "cg.compare", cg::ComparePredicate::gt},
      {Op::Ge, "cg.compare", cg::ComparePredicate::ge},
  };
  const TensorOperator *found = llvm::find_if(table, [op](const TensorOperator &entry) { return entry.op == op; });
  return found == std::end(table) ? nullptr : found;
}

Value Evaluator::tensorBinary(Op op, Value left, Value right) {
  const TensorOperator *entry = findTensorOperator(op);
  // A number may stand beside a tensor, but is no matrix.
  auto canStand = [&](const Value &value) {
    return value.isTensor() || (op != Op::MatMul && (value.isNumber() || value.is(ValueKind::Bool)));
  };
  if (!entry || !canStand(left) || !canStand(right))
    return error(Diag::OperandTypes, spelling(op), describe(left), describe(right));
  Value like = left.isTensor() ? left : right;
  left = toTensor(left, like);
  right = toTensor(right, like);
  if (left.isPoison() || right.isPoison())
    return Value::poison();
  SmallVector<mlir::NamedAttribute, 1> attributes;
  if (entry->predicate)
    attributes.push_back(attrBuilder.getNamedAttr(
        "predicate", cg::ComparePredicateAttr::get(attrBuilder.getContext(), *entry->predicate)));
  return emitOp(entry->operation, {left, right}, attributes, {"left operand", "right operand"});
}

/// `left op right` for the four orderings; nothing for another operator.
template <typename T> static std::optional<bool> compareOrder(Op op, T left, T right) {
  switch (op) {
  case Op::Lt:
    return left < right;
  case Op::Le:
    return left <= right;
  case Op::Gt:
    return left > right;
  case Op::Ge:
    return left >= right;
  default:
    return std::nullopt;
  }
}

/// Quotient rounded towards minus infinity, as the language's `//`.
static std::optional<int64_t> floorDivide(int64_t left, int64_t right) {
  if (left == std::numeric_limits<int64_t>::min() && right == -1)
    return std::nullopt;
  return llvm::divideFloorSigned(left, right);
}

static std::optional<int64_t> power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  // Beyond 63 squarings only 0, 1 and -1 do not overflow, and these do not grow.
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) && llvm::MulOverflow(result, base, result))
      return std::nullopt;
    if (exponent > 1 && llvm::MulOverflow(base, base, base))
      return std::nullopt;
  }
  return result;
}

Value Evaluator::integerBinary(Op op, const Value &leftValue, const Value &rightValue) {
  int64_t left = leftValue.intValue, right = rightValue.intValue;
  if (std::optional<bool> holds = compareOrder(op, left, right))
    return Value::boolean(*holds);
  std::optional<int64_t> result = 0;
  switch (op) {
  case Op::Add:
    if (llvm::AddOverflow(left, right, *result))
      result.reset();
    break;
  case Op::Sub:
    if (llvm::SubOverflow(left, right, *result))
      result.reset();
    break;
  case Op::Mul:
    if (llvm::MulOverflow(left, right, *result))
      result.reset();
    break;
  case Op::FloorDiv:
  case Op::Mod:
    if (right == 0)
      return error(Diag::DivisionByZero, spelling(op), left);
    result = floorDivide(left, right);
    if (result && op == Op::Mod)
      *result = left - *result * right;
    break;
  case Op::Pow:
    if (right < 0)
      return error(Diag::IntegerPower, right);
    result = power(left, right);
    break;
  case Op::Div:
    return floatBinary(op, double(left), double(right));
  default:
    return error(Diag::OperandTypes, spelling(op), describe(leftValue), describe(rightValue));
  }
  if (!result)
    return error(Diag::IntegerOverflow, spelling(op), left, right);
  return Value::integer(*result);
}

/// Integers of which at least one is symbolic.
Value Evaluator::extentBinary(Op op, const Value &leftValue, const Value &rightValue) {
  cg::DimExpr left = extentOf(leftValue), right = extentOf(rightValue), result;
  switch (op) {
  case Op::Add:
    result = left + right;
    break;
  case Op::Sub:
    result = left - right;
    break;
  case Op::Mul:
    result = left * right;
    break;
  case Op::FloorDiv:
  case Op::Mod:
    if (!rightValue.is(ValueKind::Int) || rightValue.intValue < 1)
      return error(Diag::ExtentDivisor, spelling(op), toString(leftValue), toString(rightValue));
    result = cg::DimExpr::floorDiv(left, rightValue.intValue);
    if (op == Op::Mod)
      result = left - result * right;
    break;
  case Op::Lt:
  case Op::Le:
  case Op::Gt:
  case Op::Ge:
    if (std::optional<int64_t> difference = (left - right).getConstant())
      return Value::boolean(*compareOrder<int64_t>(op, *difference, 0));
    return error(Diag::ExtentCompare, toString(leftValue), toString(rightValue));
  default:
    return error(Diag::OperandTypes, spelling(op), describe(leftValue), describe(rightValue));
  }
  if (result.isOverflow())
    return error(Diag::IntegerOverflow, spelling(op), toString(leftValue), toString(rightValue));
  return arena.extent(std::move(result));
}

Value Evaluator::floatBinary(Op op, double left, double right) {
  if (std::optional<bool> holds = compareOrder(op, left, right))
    return Value::boolean(*holds);
  double result;
  switch (op) {
  case Op::Add:
    result = left + right;
    break;
  case Op::Sub:
    result = left - right;
    break;
  case Op::Mul:
    result = left * right;
    break;
  case Op::Div:
  case Op::FloorDiv:
  case Op::Mod:
    if (right == 0)
      return error(Diag::DivisionByZero, spelling(op), toString(Value::floating(left)));
    result = op == Op::Div        ? left / right
             : op == Op::FloorDiv ? std::floor(left / right)
                                  : left - std::floor(left / right) * right;
    break;
  case Op::Pow:
    result = std::pow(left, right);
    break;
  default:
    return error(Diag::OperandTypes, spelling(op), describe(Value::floating(left)), describe(Value::floating(right)));
  }
  if (!std::isfinite(result))
    return error(Diag::FloatOverflow, spelling(op), toString(Value::floating(left)), toString(Value::floating(right)));
  return Value::floating(result);
}

Value Evaluator::compareEqual(const Value &leftValue, const Value &rightValue, bool negate) {
  // Sequences nest to any depth, and may share parts: pairs still to compare, each charged.
  SmallVector<std::pair<Value, Value>> pairs{{leftValue, rightValue}};
  bool equal = true;
  while (equal && !pairs.empty()) {
    auto [left, right] = pairs.pop_back_val();
    if (!charge(1))
      return Value::poison();
    if (left.isPoison() || right.isPoison())
      return Value::poison();
    if (left.isTensor() || right.isTensor())
      return error(Diag::OperandTypes, negate ? "!=" : "==", describe(leftValue), describe(rightValue));
    if (left.isSequence()) {
      equal = right.kind == left.kind && right.size == left.size;
      if (equal)
        for (auto [a, b] : llvm::zip_equal(left.elements(), right.elements()))
          pairs.push_back({a, b});
    } else if (left.isInteger() && right.isInteger()) {
      std::optional<int64_t> difference = (extentOf(left) - extentOf(right)).getConstant();
      if (!difference)
        return error(Diag::ExtentCompare, toString(left), toString(right));
      equal = *difference == 0;
    } else if (left.isNumber() && right.isNumber()) {
      equal = left.number() == right.number();
    } else if (left.kind != right.kind) {
      equal = false;
    } else if (left.is(ValueKind::String)) {
      equal = left.string() == right.string();
    } else {
      // Bools, and what is identified by an address; `none` has neither.
      equal = left.isNone() || left.intValue == right.intValue;
    }
  }
  return Value::boolean(equal != negate);
}

Value Evaluator::subscript(const Value &sequence, const Value &index) {
  if (sequence.isPoison() || index.isPoison())
    return Value::poison();
  if (!sequence.isSequence())
    return error(Diag::OperandType, "[]", describe(sequence));
  if (!index.is(ValueKind::Int))
    return error(Diag::IndexType, describe(index));
  int64_t at = index.intValue;
  if (at < 0)
    at += sequence.size;
  if (at < 0 || at >= sequence.size)
    return error(Diag::IndexRange, index.intValue, kindName(sequence.kind), sequence.size);
  return sequence.items[at];
}
