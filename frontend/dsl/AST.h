//===- AST.h - Syntax tree of the architecture language ---------*- C++ -*-===//
//
// Nodes live in an arena, are trivially destructible, and name their children by pointer, so that neither building
// nor dropping a tree recurses: expressions of any depth are legal.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_FRONTEND_DSL_AST_H
#define ESPALIER_FRONTEND_DSL_AST_H

#include "Source.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Allocator.h"
#include <memory>

namespace espalier::dsl {

struct Decl;
struct Builtin;

enum class NodeKind : uint8_t {
  /// A name that did not resolve; reported once, evaluates to poison.
  Error,
  Int,
  Float,
  Bool,
  None,
  String,
  /// An interpolated string: children are its pieces, evaluated and joined.
  Interpolation,
  /// A parameter or assigned name of the enclosing declaration: `slot`.
  Local,
  /// A top-level declaration or builtin: `decl` or `builtin` once linked.
  Global,
  List,
  Tuple,
  Unary,
  Binary,
  /// Short-circuit `and`, `or`: `op` says which.
  Logical,
  /// children: callee, arguments, then the label if `hasLabel`. `argNames` parallels the arguments.
  Call,
  Index,
  /// children: condition, block, condition, block, ..., and the `else` block if their number is odd.
  If,
  /// children: statements; the value is that of a last expression.
  Block,
  /// children: value; `targets`.
  Assign,
  /// children: iterable, body; `targets`.
  For,
};

enum class Op : uint8_t {
  None,
  Neg,
  Not,
  Add,
  Sub,
  Mul,
  Div,
  FloorDiv,
  Mod,
  Pow,
  MatMul,
  Eq,
  Ne,
  Lt,
  Le,
  Gt,
  Ge,
  And,
  Or,
};

/// The source spelling of `op`.
llvm::StringRef spelling(Op op);

/// A name that a statement binds.
struct Target {
  uint32_t slot;
  uint32_t offset;
};

struct Node {
  NodeKind kind = NodeKind::Error;
  Op op = Op::None;
  bool hasLabel = false;
  /// Targets stand in parentheses: the value must be a list or tuple of their number.
  bool destructures = false;
  /// A comparison that no parentheses close: it cannot be compared again.
  bool isOpenComparison = false;
  uint32_t offset = 0;
  union {
    int64_t intValue = 0;
    double floatValue;
    uint32_t slot;
    const Decl *decl;
    const Builtin *builtin;
  };
  /// Whether a linked Global names a declaration or a builtin.
  bool isBuiltin = false;
  llvm::StringRef text;
  llvm::ArrayRef<Node *> children;
  llvm::ArrayRef<llvm::StringRef> argNames;
  llvm::ArrayRef<Target> targets;
};

/// One extent in a tensor type: a name to bind, an expression to equal, or `_`.
struct DimPattern {
  /// The slot of a name bound here or earlier; noSlot for an expression or `_`.
  uint32_t slot;
  /// What the extent must equal. Null for a name and for `_`. A name that turns out to be a top-level constant keeps
  /// both.
  Node *expr;
  llvm::StringRef name;
  uint32_t offset;
  /// `name = 224`: the number of the size where nobody asks for another one; 0 if there is none.
  int64_t defaultSize = 0;
  static constexpr uint32_t noSlot = ~0u;
};

enum class TypeKind : uint8_t { Any, Int, Float, Bool, String, List, Tuple, DType, Init, Callable, Tensor };

/// `int`, `tensor`, `f32[N, 3, H, W]`, ...
struct TypeExpr {
  TypeKind kind = TypeKind::Any;
  /// Element type of a tensor type, empty for `tensor`.
  llvm::StringRef element;
  bool hasDims = false;
  llvm::ArrayRef<DimPattern *> dims;
  uint32_t offset = 0;
};

struct Param {
  llvm::StringRef name;
  uint32_t offset;
  uint32_t slot;
  TypeExpr type;
  /// Null if an argument is required.
  Node *defaultValue;
};

enum class DeclKind : uint8_t { Block, Arch, Fn, Constant };

/// A top-level declaration.
struct Decl {
  DeclKind kind = DeclKind::Block;
  llvm::StringRef name;
  uint32_t offset = 0;
  const Source *source = nullptr;
  llvm::ArrayRef<Param> params;
  /// Empty if not declared; several for a tuple.
  llvm::ArrayRef<TypeExpr> results;
  bool returnsTuple = false;
  Node *body = nullptr;
  /// The name behind each slot.
  llvm::ArrayRef<llvm::StringRef> slots;

  mlir::Location locationAt(uint32_t at) const { return source->locationAt(at); }
  mlir::Location location() const { return locationAt(offset); }
};

/// `block`, `arch`, `fn` or `constant`.
llvm::StringRef describe(DeclKind kind);

struct Import {
  llvm::StringRef path;
  uint32_t offset;
};

/// A name that the file does not bind locally.
struct GlobalUse {
  Node *node;
  /// Whose body or signature it stands in.
  const Decl *user;
  /// Set for a dimension name: a constant of that name is used, otherwise the dimension binds the name.
  DimPattern *dim;
};

/// A parsed file.
struct File {
  explicit File(const Source &source) : source(source) {}
  const Source &source;
  std::vector<Import> imports;
  std::vector<Decl *> decls;
  std::vector<GlobalUse> uses;
  /// Declarations visible in the file: its own and those of the files it imports.
  llvm::StringMap<Decl *> scope;
};

} // namespace espalier::dsl

#endif // ESPALIER_FRONTEND_DSL_AST_H
