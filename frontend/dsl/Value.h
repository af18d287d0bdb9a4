//===- Value.h - What an expression evaluates to ----------------*- C++ -*-===//

#ifndef ESPALIER_FRONTEND_DSL_VALUE_H
#define ESPALIER_FRONTEND_DSL_VALUE_H

#include "AST.h"
#include "espalier/Dialect/CG/IR/DimExpr.h"
#include "mlir/IR/Attributes.h"
#include "mlir/IR/Types.h"
#include "mlir/IR/Value.h"
#include <deque>
#include <string>

namespace espalier::dsl {

struct Builtin;

enum class ValueKind : uint8_t {
  /// Of an expression with an error: everything computed from it is poison too, without another message.
  Poison,
  None,
  Bool,
  Int,
  /// An extent that is symbolic; a constant one is an Int.
  Dim,
  Float,
  String,
  List,
  Tuple,
  DType,
  Init,
  Tensor,
  /// A block, arch or fn.
  Decl,
  Builtin,
};

/// A value: small, trivially copyable; what it points at lives as long as the evaluator.
struct Value {
  ValueKind kind = ValueKind::None;
  /// Length of a string, list or tuple.
  uint32_t size = 0;
  union {
    int64_t intValue = 0;
    double real;
    const char *chars;
    const Value *items;
    const cg::DimExpr *dim;
    const Decl *decl;
    const Builtin *builtin;
    /// An mlir Type, Attribute or Value.
    const void *pointer;
  };

  static Value poison() { return of(ValueKind::Poison); }
  static Value none() { return of(ValueKind::None); }
  static Value boolean(bool value) { return integral(ValueKind::Bool, value); }
  static Value integer(int64_t value) { return integral(ValueKind::Int, value); }
  static Value floating(double value) {
    Value result = of(ValueKind::Float);
    result.real = value;
    return result;
  }
  static Value tensor(mlir::Value value) { return ofPointer(ValueKind::Tensor, value.getAsOpaquePointer()); }
  static Value dtype(mlir::Type type) { return ofPointer(ValueKind::DType, type.getAsOpaquePointer()); }
  static Value init(mlir::Attribute attr) { return ofPointer(ValueKind::Init, attr.getAsOpaquePointer()); }
  static Value callable(const Decl *decl) {
    Value result = of(ValueKind::Decl);
    result.decl = decl;
    return result;
  }
  static Value callable(const Builtin *builtin) {
    Value result = of(ValueKind::Builtin);
    result.builtin = builtin;
    return result;
  }

  bool is(ValueKind which) const { return kind == which; }
  bool isPoison() const { return kind == ValueKind::Poison; }
  bool isNone() const { return kind == ValueKind::None; }
  bool isTensor() const { return kind == ValueKind::Tensor; }
  bool isSequence() const { return kind == ValueKind::List || kind == ValueKind::Tuple; }
  bool isInteger() const { return kind == ValueKind::Int || kind == ValueKind::Dim; }
  bool isNumber() const { return kind == ValueKind::Int || kind == ValueKind::Float; }
  bool isCallable() const { return kind == ValueKind::Decl || kind == ValueKind::Builtin; }

  llvm::StringRef string() const { return {chars, size}; }
  llvm::ArrayRef<Value> elements() const { return {items, size}; }
  double number() const { return kind == ValueKind::Int ? double(intValue) : real; }
  mlir::Value tensor() const { return mlir::Value::getFromOpaquePointer(pointer); }
  mlir::Type dtype() const { return mlir::Type::getFromOpaquePointer(pointer); }
  mlir::Attribute init() const { return mlir::Attribute::getFromOpaquePointer(pointer); }

private:
  static Value of(ValueKind kind) {
    Value result;
    result.kind = kind;
    return result;
  }
  static Value integral(ValueKind kind, int64_t value) {
    Value result = of(kind);
    result.intValue = value;
    return result;
  }
  static Value ofPointer(ValueKind kind, const void *address) {
    Value result = of(kind);
    result.pointer = address;
    return result;
  }
};

/// Owns what values point at.
class ValueArena {
public:
  Value string(llvm::StringRef text) {
    Value result;
    result.kind = ValueKind::String;
    result.size = text.size();
    result.chars = text.copy(allocator).data();
    return result;
  }
  Value sequence(ValueKind kind, llvm::ArrayRef<Value> items) {
    Value result;
    result.kind = kind;
    result.size = items.size();
    result.items = items.copy(allocator).data();
    return result;
  }
  /// An Int if `dim` is constant.
  Value extent(cg::DimExpr dim) {
    if (std::optional<int64_t> constant = dim.getConstant())
      return Value::integer(*constant);
    dims.push_back(std::move(dim));
    Value result;
    result.kind = ValueKind::Dim;
    result.dim = &dims.back();
    return result;
  }
  llvm::StringRef copy(llvm::StringRef text) { return text.copy(allocator); }

private:
  llvm::BumpPtrAllocator allocator;
  std::deque<cg::DimExpr> dims;
};

/// The value of an Int or Dim.
inline cg::DimExpr extentOf(const Value &value) {
  return value.is(ValueKind::Int) ? cg::DimExpr(value.intValue) : *value.dim;
}

/// The kind as messages name it: `int`, `list`, ...
llvm::StringRef kindName(ValueKind kind);

/// The value as the language writes it, cut off after about 80 characters.
std::string toString(const Value &value);

/// `int 3`, `list [1, 2]`, `tensor f32[?, 3]`: for messages.
std::string describe(const Value &value);

} // namespace espalier::dsl

#endif // ESPALIER_FRONTEND_DSL_VALUE_H
