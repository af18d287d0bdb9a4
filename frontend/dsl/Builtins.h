//===- Builtins.h - Functions that the language provides --------*- C++ -*-===//
//
// A builtin is one record in Builtins.cpp. One that names an operation of the cg dialect needs nothing else: its
// arguments become operands and attributes, and the operation's shape function checks them. Layers are not builtins:
// they are written in the language, in Prelude.esp.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_FRONTEND_DSL_BUILTINS_H
#define ESPALIER_FRONTEND_DSL_BUILTINS_H

#include "Value.h"
#include "mlir/IR/Builders.h"

namespace espalier::dsl {

class Evaluator;

/// What a builtin accepts for a parameter. For an operation it also says what the argument turns into.
enum class ParamKind : uint8_t {
  Any,
  /// int or float
  Number,
  /// int: I64Attr
  Int,
  /// list or tuple of ints: DenseI64ArrayAttr
  Ints,
  /// list or tuple of ints that may be symbolic; one symbolic one becomes -1
  Extents,
  /// int, negative from the last dimension of the first tensor: I64Attr
  Axis,
  /// list of such: DenseI64ArrayAttr
  Axes,
  /// int or float: F64Attr
  Float,
  /// bool: UnitAttr if true
  Flag,
  Bool,
  String,
  Sequence,
  /// TypeAttr
  DType,
  Init,
  /// An operand.
  Tensor,
  /// list or tuple of tensors: operands
  Tensors,
};

struct BuiltinParam {
  llvm::StringRef name;
  ParamKind kind;
  /// Left out, the argument is `none`, and the operation's attribute is absent.
  bool isOptional = false;
};

struct Builtin {
  /// One that starts with '_' is for the prelude alone.
  llvm::StringRef name;
  llvm::SmallVector<BuiltinParam, 6> params;
  /// The operation it stands for, or empty.
  llvm::StringRef operation;
  /// Computes the result of everything else. Arguments fit the parameters; those left out are `none`.
  Value (*evaluate)(Evaluator &, llvm::ArrayRef<Value>) = nullptr;
  /// For an elementwise operation that also applies to compile-time numbers.
  double (*scalar)(double) = nullptr;
  /// A name for a value, as `f32`: not called.
  bool isValue = false;
};

/// The element type that the language calls `name`; null if there is none.
mlir::Type elementType(llvm::StringRef name, mlir::Builder &builder);
std::string elementTypeName(mlir::Type type);

/// All builtins, in the order of the table.
llvm::ArrayRef<Builtin> allBuiltins();
/// Null if there is none.
const Builtin *lookupBuiltin(llvm::StringRef name);
/// `an int`, `a list of ints`, ...
llvm::StringRef describe(ParamKind kind);
/// Whether `value` can be given for a parameter of this kind.
bool accepts(ParamKind kind, const Value &value);

} // namespace espalier::dsl

#endif // ESPALIER_FRONTEND_DSL_BUILTINS_H
