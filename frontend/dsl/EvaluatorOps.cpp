//===- EvaluatorOps.cpp - Builtins and the operations they emit -----------===//

#include "Evaluator.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace espalier;
using namespace espalier::dsl;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

Value Evaluator::callBuiltin(const Node *node, const Builtin &builtin, ArrayRef<Value> args) {
  SmallVector<StringRef> params;
  for (const BuiltinParam &param : builtin.params)
    params.push_back(param.name);
  SmallVector<Value> matched(params.size(), Value::poison());
  if (!matchArguments(node, builtin.name, params, args, matched))
    return Value::poison();
  if (builtin.scalar && matched[0].isNumber()) {
    double result = builtin.scalar(matched[0].number());
    if (!std::isfinite(result))
      return error(Diag::FunctionRange, builtin.name, toString(matched[0]));
    return Value::floating(result);
  }
  const Value noIntegers = arena.sequence(ValueKind::List, {});
  for (auto [param, value] : llvm::zip_equal(builtin.params, matched)) {
    if (value.isPoison() && !param.isOptional)
      return error(Diag::MissingArgument, builtin.name, param.name);
    if (value.isPoison() || (value.isNone() && param.isOptional)) {
      value = Value::none();
      continue;
    }
    if (accepts(param.kind, value))
      continue;
    auto isDim = [](const Value &item) { return item.is(ValueKind::Dim); };
    bool isSymbolic = value.isSequence() ? llvm::any_of(value.elements(), isDim) && accepts(param.kind, noIntegers)
                                         : isDim(value) && accepts(param.kind, Value::integer(0));
    if (isSymbolic)
      return error(Diag::SymbolicValue, builtin.name, param.name, toString(value));
    if (value.isSequence() && llvm::any_of(value.elements(), [](const Value &item) { return item.isPoison(); }))
      return Value::poison();
    return error(Diag::ArgumentType, builtin.name, dsl::describe(param.kind), param.name, describe(value));
  }
  return builtin.evaluate ? builtin.evaluate(*this, matched) : emitBuiltin(builtin, matched);
}

/// The entries of `cg.reshape` for a list of extents. One that is unknown is -1; of several, those that are extents of
/// the input become its places.
static SmallVector<int64_t> extentEntries(const Value &extents, const cg::TensorShape &input) {
  SmallVector<int64_t> entries;
  for (const Value &extent : extents.elements())
    entries.push_back(extent.is(ValueKind::Int) ? extent.intValue : -1);
  if (llvm::count(entries, -1) < 2)
    return entries;
  for (auto [extent, entry] : llvm::zip_equal(extents.elements(), entries))
    for (int64_t dim = 0; extent.is(ValueKind::Dim) && entry == -1 && dim < input.rank(); ++dim)
      if (input.dims[dim] == *extent.dim && !llvm::is_contained(entries, -2 - dim))
        entry = -2 - dim;
  return entries;
}

/// Arguments as operands and attributes of the operation that the builtin stands for.
Value Evaluator::emitBuiltin(const Builtin &builtin, ArrayRef<Value> args) {
  SmallVector<Value> operands;
  SmallVector<StringRef> names;
  SmallVector<mlir::NamedAttribute> attributes;
  auto attribute = [&](StringRef name, mlir::Attribute value) {
    attributes.push_back(attrBuilder.getNamedAttr(name, value));
  };
  int64_t rank = 0;
  for (auto [param, value] : llvm::zip_equal(builtin.params, args)) {
    if (value.isNone())
      continue;
    SmallVector<int64_t> integers;
    switch (param.kind) {
    case ParamKind::Tensor:
      operands.push_back(value);
      names.push_back(param.name);
      break;
    case ParamKind::Tensors:
      if (value.size == 0)
        return error(Diag::ArgumentType, builtin.name, dsl::describe(param.kind), param.name, describe(value));
      for (const Value &item : value.elements()) {
        operands.push_back(item);
        names.push_back("input");
      }
      break;
    case ParamKind::Int:
      attribute(param.name, attrBuilder.getI64IntegerAttr(value.intValue));
      break;
    case ParamKind::Axis:
    case ParamKind::Axes:
      for (const Value &item : value.is(ValueKind::Int) ? ArrayRef(value) : value.elements()) {
        int64_t axis = item.intValue < 0 ? item.intValue + rank : item.intValue;
        if (axis < 0 || axis >= rank)
          return error(Diag::AxisRange, builtin.name, item.intValue, describe(operands.front()));
        integers.push_back(axis);
      }
      if (param.kind == ParamKind::Axis)
        attribute(param.name, attrBuilder.getI64IntegerAttr(integers.front()));
      else
        attribute(param.name, attrBuilder.getDenseI64ArrayAttr(integers));
      break;
    case ParamKind::Ints:
      for (const Value &item : value.elements())
        integers.push_back(item.intValue);
      attribute(param.name, attrBuilder.getDenseI64ArrayAttr(integers));
      break;
    case ParamKind::Extents:
      integers = extentEntries(value, shapeOf(operands.front()));
      if (llvm::count(integers, -1) > 1)
        return error(Diag::SymbolicExtents, toString(value), describe(operands.front()));
      attribute(param.name, attrBuilder.getDenseI64ArrayAttr(integers));
      break;
    case ParamKind::Float:
      attribute(param.name, attrBuilder.getF64FloatAttr(value.number()));
      break;
    case ParamKind::Flag:
      if (value.intValue)
        attribute(param.name, attrBuilder.getUnitAttr());
      break;
    case ParamKind::String:
      attribute(param.name, attrBuilder.getStringAttr(value.string()));
      break;
    case ParamKind::DType:
      attribute(param.name, mlir::TypeAttr::get(value.dtype()));
      break;
    case ParamKind::Any:
    case ParamKind::Number:
    case ParamKind::Bool:
    case ParamKind::Sequence:
    case ParamKind::Init:
      llvm_unreachable("no operation has such a parameter");
    }
    if (!operands.empty())
      rank = shapeOf(operands.front()).rank();
  }
  Value result = emitOp(builtin.operation, operands, attributes, names);
  // A symbolic extent went out as -1; what the operation put there must be the extent that was asked for.
  for (auto [param, value] : llvm::zip_equal(builtin.params, args)) {
    if (param.kind != ParamKind::Extents || !result.isTensor())
      continue;
    for (auto [asked, got] : llvm::zip_equal(value.elements(), shapeOf(result).dims))
      if (asked.is(ValueKind::Dim) && *asked.dim != got)
        return error(Diag::ReshapeExtent, toString(value), shapeOf(operands.front()).str());
  }
  return result;
}

Value Evaluator::emitOp(StringRef operation, ArrayRef<Value> operands, ArrayRef<mlir::NamedAttribute> attributes,
                        ArrayRef<StringRef> names) {
  if (!calls.back().mayEmit)
    return error(Diag::TensorInConstant);
  if (graph->numOps() >= GraphBuilder::maxOps) {
    error(Diag::OperationLimit, GraphBuilder::maxOps);
    stopped = true;
    return Value::poison();
  }
  SmallVector<mlir::Value> values;
  for (const Value &operand : operands)
    values.push_back(operand.tensor());
  std::string message;
  mlir::Value result =
      graph->create(operationLocation(currentNode), operation, values, attributes, calls.back().path, message);
  if (result)
    return Value::tensor(result);
  ErrorBuilder builder = reportIn(calls.size(), currentNode, message);
  for (auto [operand, name] : llvm::zip(operands, names))
    builder.note(operand.tensor().getLoc(), Diag::OperandShape, name, shapeOf(operand).str());
  return Value::poison();
}

Value Evaluator::emitStorage(bool isState, StringRef name, ArrayRef<Value> extents, const Value &init,
                             mlir::Type elementType) {
  const Activation &call = calls.back();
  if (!call.mayEmit)
    return error(Diag::TensorInConstant);
  if (!call.mayOwnParameters)
    return error(Diag::ParameterInFn, isState ? "state" : "parameter", name);
  if (name.empty() || !llvm::all_of(name, [](char c) { return llvm::isAlnum(c) || c == '_' || c == '-' || c == '.'; }))
    return error(Diag::ParameterName, name);
  if (graph->numOps() >= GraphBuilder::maxOps) {
    error(Diag::OperationLimit, GraphBuilder::maxOps);
    stopped = true;
    return Value::poison();
  }
  std::string path = call.path.empty() ? name.str() : (call.path + "." + name).str();
  cg::TensorShape shape{elementType, {}};
  for (const Value &extent : extents)
    shape.dims.push_back(extent.intValue);
  std::string message;
  mlir::Operation *previous = nullptr;
  mlir::Value result =
      graph->storage(operationLocation(currentNode), isState, path, shape, init.init(), call.path, previous, message);
  if (result)
    return Value::tensor(result);
  if (!previous) {
    reportIn(calls.size(), currentNode, message);
    return Value::poison();
  }
  // The text tells the types; the place tells the rest.
  Value first = Value::tensor(previous->getResult(0));
  reportIn(calls.size(), currentNode,
           llvm::formatv(format(Diag::StorageConflict).data(), path, shape.str(), toString(init), shapeOf(first).str(),
                         toString(Value::init(previous->getAttr("init"))))
               .str())
      .note(previous->getLoc(), Diag::FirstUsedHere);
  return Value::poison();
}

Value Evaluator::emitConstant(ArrayRef<Value> numbers, ArrayRef<Value> extents, mlir::Type elementType, bool isSplat) {
  if (!calls.back().mayEmit)
    return error(Diag::TensorInConstant);
  if (graph->numOps() >= GraphBuilder::maxOps) {
    error(Diag::OperationLimit, GraphBuilder::maxOps);
    stopped = true;
    return Value::poison();
  }
  cg::TensorShape shape{elementType, {}};
  for (const Value &extent : extents)
    shape.dims.push_back(extent.intValue);
  if (!isSplat && shape.elements().getConstant() != int64_t(numbers.size()))
    return error(Diag::ConstantSize, numbers.size(), shape.str());
  if (shape.elements().getConstant() == 0)
    numbers = {}; // a splat too
  SmallVector<mlir::Attribute> elements;
  for (const Value &number : numbers)
    elements.push_back(attrBuilder.getFloatAttr(elementType, number.number()));
  std::string message;
  mlir::Value result =
      charge(elements.size()) ? graph->constant(operationLocation(currentNode), shape, elements, message) : nullptr;
  if (!message.empty())
    reportIn(calls.size(), currentNode, message);
  return result ? Value::tensor(result) : Value::poison();
}
