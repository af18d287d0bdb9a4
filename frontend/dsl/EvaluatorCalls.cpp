//===- EvaluatorCalls.cpp - Calls, labels and the types of arguments ------===//

#include "Evaluator.h"
#include "llvm/ADT/StringExtras.h"

using namespace espalier;
using namespace espalier::dsl;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

/// The callee, its arguments and the label of the call on top of the work stack have been evaluated.
void Evaluator::stepCall() {
  const Node *node = work.back().node;
  SmallVector<Value> values(ArrayRef<Value>(stack).drop_front(work.back().base));
  if (llvm::any_of(values, [](const Value &value) { return value.isPoison(); }))
    return finish(Value::poison());
  Value callee = values.front();
  ArrayRef<Value> args = ArrayRef(values).drop_front();
  const Value *label = node->hasLabel ? &args.back() : nullptr;
  if (label)
    args = args.drop_back();
  if (!callee.isCallable())
    return finish(error(Diag::NotCallable, describe(callee)));
  if (callee.is(ValueKind::Decl))
    return callDecl(node, callee.decl, args, label);
  if (label)
    return finish(error(Diag::LabelOnPure, callee.builtin->name));
  finish(callBuiltin(node, *callee.builtin, args));
}

bool Evaluator::matchArguments(const Node *node, StringRef callee, ArrayRef<StringRef> params, ArrayRef<Value> args,
                               llvm::MutableArrayRef<Value> matched) {
  bool ok = true;
  auto complain = [&](const Node *at, Diag id, auto &&...formatArgs) {
    reportIn(calls.size(), at, llvm::formatv(format(id).data(), formatArgs...).str());
    ok = false;
  };
  for (auto [i, arg] : llvm::enumerate(args)) {
    const Node *at = node->children[i + 1];
    StringRef name = node->argNames[i];
    size_t index = i;
    if (!name.empty()) {
      index = llvm::find(params, name) - params.begin();
      if (index == params.size()) {
        complain(at, Diag::UnknownArgument, callee, name, didYouMean(name, params));
        continue;
      }
    } else if (index >= params.size()) {
      complain(at, Diag::TooManyArguments, callee, params.size(), args.size());
      break;
    }
    if (!matched[index].isPoison()) {
      complain(at, Diag::RepeatedArgument, params[index]);
      continue;
    }
    matched[index] = arg;
  }
  return ok;
}

std::optional<StringRef> Evaluator::childPath(const Node *node, const Decl *decl, const Value *label) {
  StringRef path = calls.back().path;
  size_t owner = calls.back().labelOwner;
  auto &labels = calls[owner].labels;
  std::string name;
  if (label) {
    name = label->string().str();
    if (name.empty())
      return path;
    bool wellFormed = true;
    SmallVector<StringRef> segments;
    StringRef(name).split(segments, '.');
    for (StringRef segment : segments)
      wellFormed &=
          !segment.empty() && llvm::all_of(segment, [](char c) { return llvm::isAlnum(c) || c == '_' || c == '-'; });
    if (!wellFormed) {
      error(Diag::LabelText, name);
      return std::nullopt;
    }
    auto [it, isNew] = labels.try_emplace(name, LabelUse{decl, node, false});
    const LabelUse &first = it->second;
    if (!isNew && (first.isAutomatic || first.callee != decl)) {
      std::string message =
          first.isAutomatic
              ? llvm::formatv(format(Diag::LabelTaken).data(), name).str()
              : llvm::formatv(format(Diag::LabelReused).data(), name, first.callee->name, decl->name).str();
      reportIn(calls.size(), node, message).note(sourceLocation(owner + 1, first.call), Diag::FirstUsedHere);
      return std::nullopt;
    }
  } else {
    unsigned &next = calls[owner].nextAutomatic[decl->name];
    do
      name = (decl->name + "_" + llvm::Twine(next++)).str();
    while (!labels.try_emplace(name, LabelUse{decl, node, true}).second);
  }
  return arena.copy(path.empty() ? name : (path + "." + name).str());
}

void Evaluator::callDecl(const Node *node, const Decl *decl, ArrayRef<Value> args, const Value *label) {
  if (calls.size() == maxCalls)
    return finish(error(Diag::CallTooDeep, maxCalls, decl->name));
  StringRef path = calls.back().path;
  if (decl->kind == DeclKind::Fn) {
    if (label)
      return finish(error(Diag::LabelOnPure, decl->name));
  } else {
    std::optional<StringRef> child = childPath(node, decl, label);
    if (!child)
      return finish(Value::poison());
    path = *child;
  }
  SmallVector<StringRef> params;
  for (const Param &param : decl->params)
    params.push_back(param.name);
  SmallVector<Value> matched(params.size(), Value::poison());
  if (!matchArguments(node, decl->name, params, args, matched))
    return finish(Value::poison());
  for (auto [param, value] : llvm::zip_equal(decl->params, matched))
    if (value.isPoison() && !param.defaultValue)
      return finish(error(Diag::MissingArgument, decl->name, param.name));
  // The call's place on the stacks becomes the callee's.
  stack.resize(work.back().base);
  work.pop_back();
  bool sharesLabels = label && label->size == 0;
  size_t owner = calls.back().labelOwner;
  enter(decl, node, path, matched);
  if (sharesLabels)
    calls.back().labelOwner = owner;
}

/// Begins a call. `args` are by parameter, poison where the default is used.
void Evaluator::enter(const Decl *decl, const Node *call, StringRef path, ArrayRef<Value> args) {
  Activation next;
  next.decl = decl;
  next.call = call;
  next.path = path;
  if (call) {
    next.caller = operationLocation(call);
    next.mayOwnParameters = decl->kind != DeclKind::Fn && calls.back().mayOwnParameters;
    next.mayEmit = decl->kind != DeclKind::Constant && calls.back().mayEmit;
  } else {
    next.mayOwnParameters = decl->kind == DeclKind::Arch;
    next.mayEmit = decl->kind != DeclKind::Constant;
  }
  next.slotBase = slots.size();
  next.argumentBase = arguments.size();
  next.stackBase = stack.size();
  next.workBase = work.size();
  next.labelOwner = calls.size();
  slots.resize(slots.size() + decl->slots.size());
  arguments.insert(arguments.end(), args.begin(), args.end());
  calls.push_back(std::move(next));
  work.push_back({Work::Invoke, 0, call, stack.size()});
}

void Evaluator::stepInvoke() {
  Activation &call = calls.back();
  switch (call.stage) {
  case Activation::Arguments: {
    if (call.index == call.decl->params.size()) {
      call.stage = Activation::Body;
      return push(call.decl->body);
    }
    const Param &param = call.decl->params[call.index];
    call.stage = Activation::Types;
    call.dim = 0;
    Value given = arguments[call.argumentBase + call.index];
    if (given.isPoison() && param.defaultValue)
      return push(param.defaultValue);
    stack.push_back(given);
    return;
  }
  case Activation::Types:
    return stepParameterTypes(call);
  case Activation::Body:
    call.stage = Activation::Results;
    call.index = call.dim = 0;
    return;
  case Activation::Results:
    return stepResults(call);
  }
}

bool Evaluator::pushNextDim(Activation &call, const TypeExpr &type) {
  while (call.dim < type.dims.size()) {
    const Node *expr = type.dims[call.dim++]->expr;
    if (!expr)
      continue;
    push(expr);
    return true;
  }
  return false;
}

/// The value of the current parameter, then those of the extents of its type, are on the stack.
void Evaluator::stepParameterTypes(Activation &call) {
  const Param &param = call.decl->params[call.index];
  if (pushNextDim(call, param.type))
    return;
  Value value = stack[call.stackBase];
  SmallVector<Value> dims(ArrayRef<Value>(stack).drop_front(call.stackBase + 1));
  bool isEntryArgument = !call.call && !param.defaultValue;
  if ((value.isPoison() && !isEntryArgument) || llvm::any_of(dims, [](const Value &dim) { return dim.isPoison(); }))
    return endCall(Value::poison());
  currentNode = call.call ? call.call : call.decl->body;
  if (isEntryArgument) {
    std::optional<Value> argument = makeArgument(param, dims);
    if (!argument)
      return endCall(Value::poison());
    value = *argument;
  }
  if (!matchType(param.type, value, dims)) {
    std::string message = llvm::formatv(format(Diag::ArgumentType).data(), call.decl->name,
                                        describeType(param.type, dims), param.name, describe(value));
    const Node *at = call.call ? call.call : call.decl->body;
    // An entry point's own arguments only fail as a loss of some arch.
    ErrorBuilder builder =
        call.call ? reportIn(calls.size() - 1, at, message) : diags.emit(call.decl->locationAt(param.offset), message);
    builder.note(call.decl->locationAt(param.offset), Diag::DeclaredHere, param.name);
    if (value.isTensor() && call.call)
      builder.note(value.tensor().getLoc(), Diag::MadeHere, describe(value));
    return endCall(Value::poison());
  }
  slot(param.slot) = value;
  stack.resize(call.stackBase);
  ++call.index;
  call.stage = Activation::Arguments;
}

/// The value of the body, then those of the extents of the result types so far, are on the stack.
void Evaluator::stepResults(Activation &call) {
  ArrayRef<TypeExpr> types = call.decl->results;
  Value result = stack[call.stackBase];
  if (result.isPoison() || types.empty())
    return endCall(result);
  if (call.index == types.size())
    return endCall(result);
  const TypeExpr &type = types[call.index];
  if (pushNextDim(call, type))
    return;
  SmallVector<Value> dims(ArrayRef<Value>(stack).drop_front(call.stackBase + 1));
  if (llvm::any_of(dims, [](const Value &dim) { return dim.isPoison(); }))
    return endCall(Value::poison());
  bool isTuple = result.isSequence() && result.size == types.size();
  Value part = call.decl->returnsTuple && isTuple ? result.items[call.index] : result;
  if ((call.decl->returnsTuple && !isTuple) || !matchType(type, part, dims)) {
    std::string expected = call.decl->returnsTuple && !isTuple ? llvm::formatv("{0} results", types.size()).str()
                                                               : describeType(type, dims);
    ErrorBuilder builder =
        diags.emit(call.decl->locationAt(type.offset),
                   llvm::formatv(format(Diag::ResultType).data(), call.decl->name, expected, describe(part)).str());
    if (part.isTensor())
      builder.note(part.tensor().getLoc(), Diag::MadeHere, describe(part));
    return endCall(Value::poison());
  }
  if (!call.decl->returnsTuple)
    stack[call.stackBase] = part;
  stack.resize(call.stackBase + 1);
  call.dim = 0;
  ++call.index;
}

/// Whether `value` has the declared type; binds the names among its extents. An int becomes a float where one is
/// declared.
bool Evaluator::matchType(const TypeExpr &type, Value &value, ArrayRef<Value> dims) {
  switch (type.kind) {
  case TypeKind::Any:
    return true;
  case TypeKind::Int:
    return value.isInteger();
  case TypeKind::Float:
    if (value.is(ValueKind::Int))
      value = Value::floating(double(value.intValue));
    return value.is(ValueKind::Float);
  case TypeKind::Bool:
    return value.is(ValueKind::Bool);
  case TypeKind::String:
    return value.is(ValueKind::String);
  case TypeKind::List:
    return value.is(ValueKind::List);
  case TypeKind::Tuple:
    return value.is(ValueKind::Tuple);
  case TypeKind::DType:
    return value.is(ValueKind::DType);
  case TypeKind::Init:
    return value.is(ValueKind::Init);
  case TypeKind::Callable:
    return value.isCallable();
  case TypeKind::Tensor:
    break;
  }
  if (!value.isTensor())
    return false;
  const cg::TensorShape &shape = shapeOf(value);
  if (!type.element.empty() && elementTypeName(shape.elementType) != type.element)
    return false;
  if (!type.hasDims)
    return true;
  if (type.dims.size() != shape.dims.size())
    return false;
  size_t nextExpr = 0;
  for (auto [pattern, dim] : llvm::zip_equal(type.dims, shape.dims)) {
    if (pattern->expr) {
      const Value &expected = dims[nextExpr++];
      if (!expected.isInteger() || extentOf(expected) != dim)
        return false;
    }
    if (pattern->slot == DimPattern::noSlot)
      continue;
    Value &bound = slot(pattern->slot);
    if (bound.isNone())
      bound = arena.extent(dim);
    else if (!bound.isInteger() || extentOf(bound) != dim)
      return false;
  }
  return true;
}

/// The declared type with what is known of its extents.
std::string Evaluator::describeType(const TypeExpr &type, ArrayRef<Value> dims) {
  static constexpr const char *names[] = {"a value", "an int",  "a float", "a bool",  "a string",
                                          "a list",  "a tuple", "a type",  "an init", "a callable"};
  if (type.kind != TypeKind::Tensor)
    return names[unsigned(type.kind)];
  std::string text = type.element.empty() ? "tensor" : type.element.str();
  if (!type.hasDims)
    return "a tensor" + (type.element.empty() ? "" : " of " + text);
  text += "[";
  size_t nextExpr = 0;
  for (auto [i, pattern] : llvm::enumerate(type.dims)) {
    text += i > 0 ? ", " : "";
    if (pattern->expr) {
      text += toString(dims[nextExpr++]);
      continue;
    }
    text += pattern->slot == DimPattern::noSlot ? "_" : pattern->name.str();
    if (pattern->slot != DimPattern::noSlot && slot(pattern->slot).is(ValueKind::Int))
      text += "=" + toString(slot(pattern->slot));
  }
  return text + "]";
}
