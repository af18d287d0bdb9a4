//===- Value.cpp - What an expression evaluates to ------------------------===//

#include "Value.h"
#include "Builtins.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/Format.h"

using namespace espalier::dsl;
using llvm::StringRef;

StringRef espalier::dsl::kindName(ValueKind kind) {
  static constexpr const char *names[] = {"an erroneous value",
                                          "none",
                                          "bool",
                                          "int",
                                          "extent",
                                          "float",
                                          "string",
                                          "list",
                                          "tuple",
                                          "type",
                                          "init",
                                          "tensor",
                                          "callable",
                                          "callable"};
  return names[unsigned(kind)];
}

static void printScalar(llvm::raw_ostream &os, const Value &value) {
  switch (value.kind) {
  case ValueKind::Poison:
  case ValueKind::None:
    os << kindName(value.kind);
    break;
  case ValueKind::Bool:
    os << (value.intValue ? "true" : "false");
    break;
  case ValueKind::Int:
    os << value.intValue;
    break;
  case ValueKind::Dim:
    os << *value.dim;
    break;
  case ValueKind::Float:
    os << llvm::format("%.9g", value.real);
    break;
  case ValueKind::String:
    os << value.string();
    break;
  case ValueKind::DType:
    os << value.dtype();
    break;
  case ValueKind::Init:
    os << value.init();
    break;
  case ValueKind::Tensor: {
    auto type = llvm::cast<mlir::RankedTensorType>(value.tensor().getType());
    os << type.getElementType() << "[";
    llvm::interleaveComma(type.getShape(), os, [&](int64_t extent) {
      if (mlir::ShapedType::isDynamic(extent))
        os << "?";
      else
        os << extent;
    });
    os << "]";
    break;
  }
  case ValueKind::Decl:
    os << value.decl->name;
    break;
  case ValueKind::Builtin:
    os << value.builtin->name;
    break;
  case ValueKind::List:
  case ValueKind::Tuple:
    llvm_unreachable("sequences are printed by toString");
  }
}

std::string espalier::dsl::toString(const Value &value) {
  constexpr size_t limit = 80;
  std::string text;
  llvm::raw_string_ostream os(text);
  // Sequences nest to any depth: an explicit stack of what is left of each.
  struct Open {
    llvm::ArrayRef<Value> rest;
    bool isList;
  };
  llvm::SmallVector<Open> stack;
  Value current = value;
  while (true) {
    if (text.size() > limit)
      return text + "...";
    if (current.isSequence()) {
      os << (current.is(ValueKind::List) ? "[" : "(");
      stack.push_back({current.elements(), current.is(ValueKind::List)});
    } else if (current.is(ValueKind::String) && !stack.empty()) {
      os << '"' << current.string() << '"';
    } else {
      printScalar(os, current);
    }
    bool isFirst = current.isSequence();
    while (!stack.empty() && stack.back().rest.empty()) {
      os << (stack.back().isList ? "]" : ")");
      stack.pop_back();
      isFirst = false;
      if (text.size() > limit)
        return text + "...";
    }
    if (stack.empty())
      return text.size() > limit ? text.substr(0, limit) + "..." : text;
    if (!isFirst)
      os << ", ";
    current = stack.back().rest.front();
    stack.back().rest = stack.back().rest.drop_front();
  }
}

std::string espalier::dsl::describe(const Value &value) {
  StringRef name = kindName(value.kind);
  if (value.isPoison() || value.isNone())
    return name.str();
  std::string text = toString(value);
  if (value.is(ValueKind::String))
    text = '"' + text + '"';
  return (name + " " + text).str();
}
