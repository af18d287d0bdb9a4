//===- Evaluator.h - Runs declarations, emits graphs ------------*- C++ -*-===//

#ifndef ESPALIER_FRONTEND_DSL_EVALUATOR_H
#define ESPALIER_FRONTEND_DSL_EVALUATOR_H

#include "Builtins.h"
#include "Diagnostics.h"
#include "GraphBuilder.h"
#include "Value.h"
#include "mlir/IR/BuiltinOps.h"

namespace espalier::dsl {

/// Evaluates declarations of linked files. Compile-time values are computed, tensor operations are appended to the
/// graph of the entry point at hand.
///
/// One loop over an explicit stack of work: neither deep expressions nor deep calls use the host's stack. Limits:
/// maxCalls nested calls, maxSteps steps for everything evaluated, GraphBuilder::maxOps operations per graph.
class Evaluator {
public:
  static constexpr unsigned maxCalls = 1000;
  static constexpr uint64_t maxSteps = 10'000'000;
  /// Calls that a message traces back.
  static constexpr unsigned maxNotes = 8;

  Evaluator(mlir::ModuleOp module, Diagnostics &diags)
      : module(module), attrBuilder(module.getContext()), diags(diags) {}

  /// Whether every parameter that needs an argument is a tensor of known element type and rank.
  static bool isEntry(const Decl &decl);
  /// Evaluates an arch or fn whose parameters are tensors into a graph of its name. A fn that computes no tensors
  /// leaves none.
  void emitEntry(const Decl &decl);
  /// The fn with its leading parameters typed by the results of an arch that was emitted: a loss for it. The graph's
  /// name is `<arch>.<fn>`. `numbers` are for parameters that it has.
  void emitLoss(const Decl &fn, const Decl &arch, llvm::ArrayRef<std::pair<std::string, double>> numbers);
  /// Evaluates a constant, for its errors.
  void checkConstant(const Decl &decl);

  //===--------------------------------------------------------------------===//
  // For builtins and operators: everything happens at the call being evaluated.
  //===--------------------------------------------------------------------===//

  /// Reports an error and returns poison.
  template <typename... Args> Value error(Diag id, Args &&...args) {
    return report(llvm::formatv(format(id).data(), std::forward<Args>(args)...).str());
  }
  /// Appends an operation. `names` names its operands in messages.
  Value emitOp(llvm::StringRef operation, llvm::ArrayRef<Value> operands,
               llvm::ArrayRef<mlir::NamedAttribute> attributes, llvm::ArrayRef<llvm::StringRef> names);
  /// The parameter or state `name` of the layer being evaluated.
  Value emitStorage(bool isState, llvm::StringRef name, llvm::ArrayRef<Value> extents, const Value &init,
                    mlir::Type elementType);
  /// A tensor of these numbers, in row-major order; of the one number everywhere if `isSplat`.
  Value emitConstant(llvm::ArrayRef<Value> numbers, llvm::ArrayRef<Value> extents, mlir::Type elementType,
                     bool isSplat);
  Value unary(Op op, const Value &operand);
  Value binary(Op op, const Value &left, const Value &right);
  /// A number or bool as a tensor of rank 0 that can stand beside the tensor `like`; a tensor as it is. Poison, with an
  /// error, for what has no such form.
  Value toTensor(const Value &value, const Value &like);
  std::string describe(const Value &value);
  const cg::TensorShape &shapeOf(const Value &tensor) { return graph->shape(tensor.tensor()); }
  /// Charges steps for work proportional to `count`; false, with an error, beyond the limit.
  bool charge(uint64_t count);
  mlir::Builder &attrs() { return attrBuilder; }
  ValueArena &values() { return arena; }
  /// The path of the layer being evaluated.
  llvm::StringRef scope() const { return calls.back().path; }

private:
  struct Work {
    enum Kind : uint8_t { Evaluate, Invoke } kind;
    uint32_t step;
    const Node *node;
    /// Height of the value stack below the values of this item.
    size_t base;
  };

  struct LabelUse {
    const Decl *callee;
    const Node *call;
    bool isAutomatic;
  };

  /// A call in progress.
  struct Activation {
    const Decl *decl;
    /// The call in the caller's body; null for an entry point.
    const Node *call = nullptr;
    /// Where operations of the callee are called from.
    std::optional<mlir::Location> caller;
    llvm::StringRef path;
    bool mayOwnParameters = false;
    bool mayEmit = false;
    enum Stage : uint8_t { Arguments, Types, Body, Results } stage = Arguments;
    /// The parameter or result, and its extent, that are next.
    uint32_t index = 0;
    uint32_t dim = 0;
    /// Heights of the stacks when the call began.
    size_t slotBase = 0, argumentBase = 0, stackBase = 0, workBase = 0;
    /// The activation whose labels this one shares: its own, unless it was labelled "".
    size_t labelOwner = 0;
    llvm::StringMap<LabelUse> labels;
    llvm::StringMap<unsigned> nextAutomatic;
  };

  // The machine.
  void loop();
  void push(const Node *node) { work.push_back({Work::Evaluate, 0, node, stack.size()}); }
  void stepNode();
  void stepCall();
  void stepInvoke();
  void stepParameterTypes(Activation &call);
  void stepResults(Activation &call);
  void finish(Value value);
  void endCall(Value value);
  /// Pushes the next extent of `type` that is an expression; false if none is left.
  bool pushNextDim(Activation &call, const TypeExpr &type);

  // Calls.
  void enter(const Decl *decl, const Node *call, llvm::StringRef path, llvm::ArrayRef<Value> args);
  void callDecl(const Node *node, const Decl *decl, llvm::ArrayRef<Value> args, const Value *label);
  Value callBuiltin(const Node *node, const Builtin &builtin, llvm::ArrayRef<Value> args);
  Value emitBuiltin(const Builtin &builtin, llvm::ArrayRef<Value> args);
  bool matchArguments(const Node *node, llvm::StringRef callee, llvm::ArrayRef<llvm::StringRef> params,
                      llvm::ArrayRef<Value> args, llvm::MutableArrayRef<Value> matched);
  std::optional<llvm::StringRef> childPath(const Node *node, const Decl *decl, const Value *label);
  bool matchType(const TypeExpr &type, Value &value, llvm::ArrayRef<Value> dims);
  std::string describeType(const TypeExpr &type, llvm::ArrayRef<Value> dims);
  std::optional<Value> makeArgument(const Param &param, llvm::ArrayRef<Value> dims);
  void bindTargets(const Node *node, const Value &value);
  Value &slot(uint32_t index) { return slots[calls.back().slotBase + index]; }
  void emitGraph(const Decl &decl, llvm::StringRef name, llvm::ArrayRef<cg::TensorShape> leading,
                 llvm::ArrayRef<std::pair<std::string, double>> numbers);

  // Operators.
  Value tensorBinary(Op op, Value left, Value right);
  Value integerBinary(Op op, const Value &left, const Value &right);
  Value extentBinary(Op op, const Value &left, const Value &right);
  Value floatBinary(Op op, double left, double right);
  Value compareEqual(const Value &left, const Value &right, bool negate);
  Value subscript(const Value &sequence, const Value &index);

  // Messages.
  Value report(llvm::StringRef message) {
    reportIn(calls.size(), currentNode, message);
    return Value::poison();
  }
  /// Reports at `node` in the body of the `depth`-th call, or where the prelude was called from there.
  ErrorBuilder reportIn(size_t depth, const Node *node, llvm::StringRef message);
  mlir::Location sourceLocation(size_t depth, const Node *node) const {
    return calls[depth - 1].decl->locationAt(node->offset);
  }
  /// Where operations made by `node` of the running call come from.
  mlir::Location operationLocation(const Node *node) const;

  mlir::ModuleOp module;
  mlir::Builder attrBuilder;
  Diagnostics &diags;
  ValueArena arena;
  std::unique_ptr<GraphBuilder> graph;

  std::vector<Work> work;
  std::vector<Value> stack;
  std::vector<Value> slots;
  /// Arguments of the calls in progress, by parameter; poison where none was given.
  std::vector<Value> arguments;
  std::vector<Activation> calls;
  const Node *currentNode = nullptr;
  /// Extents of the leading arguments of the entry point.
  llvm::ArrayRef<cg::TensorShape> leadingShapes;
  uint64_t steps = 0;
  bool stopped = false;
  /// Finished constants; those being evaluated map to nothing.
  llvm::DenseMap<const Decl *, std::optional<Value>> constants;
  llvm::DenseMap<const Decl *, std::vector<cg::TensorShape>> archResults;
};

} // namespace espalier::dsl

#endif // ESPALIER_FRONTEND_DSL_EVALUATOR_H
