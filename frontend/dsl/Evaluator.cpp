//===- Evaluator.cpp - Runs declarations, emits graphs --------------------===//

#include "Evaluator.h"
#include "llvm/ADT/StringExtras.h"

using namespace espalier;
using namespace espalier::dsl;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Messages and limits
//===----------------------------------------------------------------------===//

ErrorBuilder Evaluator::reportIn(size_t depth, const Node *node, StringRef message) {
  if (stopped)
    return {};
  std::optional<mlir::Location> inPrelude;
  StringRef layer;
  while (depth > 1 && calls[depth - 1].decl->source->isPrelude) {
    inPrelude = sourceLocation(depth, node);
    layer = calls[depth - 1].decl->name;
    node = calls[depth - 1].call;
    --depth;
  }
  ErrorBuilder builder = diags.emit(sourceLocation(depth, node), message);
  if (inPrelude)
    builder.note(*inPrelude, Diag::InPrelude, layer);
  for (unsigned notes = 0; depth > 1 && notes < maxNotes; --depth, ++notes)
    builder.note(sourceLocation(depth - 1, calls[depth - 1].call), Diag::CalledHere, calls[depth - 1].decl->name);
  if (diags.exhausted())
    stopped = true;
  return builder;
}

mlir::Location Evaluator::operationLocation(const Node *node) const {
  const Activation &call = calls.back();
  mlir::Location own = sourceLocation(calls.size(), node);
  if (!call.caller)
    return own;
  if (call.decl->source->isPrelude)
    return *call.caller;
  return mlir::CallSiteLoc::get(own, *call.caller);
}

bool Evaluator::charge(uint64_t count) {
  steps += std::min(count, maxSteps + 1);
  if (steps <= maxSteps)
    return true;
  error(Diag::StepLimit, maxSteps);
  stopped = true;
  return false;
}

std::string Evaluator::describe(const Value &value) {
  if (value.isTensor() && graph)
    return "tensor " + shapeOf(value).str();
  return dsl::describe(value);
}

//===----------------------------------------------------------------------===//
// The machine
//===----------------------------------------------------------------------===//

void Evaluator::loop() {
  while (!work.empty() && !stopped) {
    if (work.back().kind == Work::Invoke) {
      stepInvoke();
      continue;
    }
    currentNode = work.back().node;
    if (work.back().step == 0 && !charge(1))
      break;
    stepNode();
  }
  if (stopped) {
    work.clear();
    stack.assign(1, Value::poison());
  }
}

/// Ends the node on top of the work stack with a value.
void Evaluator::finish(Value value) {
  stack.resize(work.back().base);
  work.pop_back();
  stack.push_back(value);
}

/// Ends the running call with a value, wherever in it the machine is.
void Evaluator::endCall(Value value) {
  Activation &call = calls.back();
  if (call.decl->kind == DeclKind::Constant)
    constants[call.decl] = value;
  work.resize(call.workBase, Work{Work::Evaluate, 0, nullptr, 0});
  stack.resize(call.stackBase);
  slots.resize(call.slotBase);
  arguments.resize(call.argumentBase);
  calls.pop_back();
  stack.push_back(value);
}

void Evaluator::stepNode() {
  Work &item = work.back();
  const Node *node = item.node;
  ArrayRef<Node *> children = node->children;
  // The values that this item has pushed so far.
  auto values = [&] { return ArrayRef(stack).drop_front(item.base); };

  switch (node->kind) {
  case NodeKind::Error:
    return finish(Value::poison());
  case NodeKind::Int:
    return finish(Value::integer(node->intValue));
  case NodeKind::Float:
    return finish(Value::floating(node->floatValue));
  case NodeKind::Bool:
    return finish(Value::boolean(node->intValue));
  case NodeKind::None:
    return finish(Value::none());
  case NodeKind::String: {
    Value value;
    value.kind = ValueKind::String;
    value.chars = node->text.data();
    value.size = node->text.size();
    return finish(value);
  }
  case NodeKind::Local:
    return finish(slot(node->slot));

  case NodeKind::Global: {
    if (node->isBuiltin)
      return finish(node->builtin->isValue ? node->builtin->evaluate(*this, {}) : Value::callable(node->builtin));
    if (node->decl->kind != DeclKind::Constant)
      return finish(Value::callable(node->decl));
    auto [it, isNew] = constants.try_emplace(node->decl);
    if (!isNew)
      return finish(it->second ? *it->second : error(Diag::ConstantCycle, node->decl->name));
    const Decl *constant = node->decl;
    work.pop_back();
    return enter(constant, node, "", {});
  }

  case NodeKind::List:
  case NodeKind::Tuple:
    if (item.step < children.size())
      return push(children[item.step++]);
    return finish(arena.sequence(node->kind == NodeKind::List ? ValueKind::List : ValueKind::Tuple, values()));

  case NodeKind::Unary:
    if (item.step < 1)
      return push(children[item.step++]);
    return finish(unary(node->op, values()[0]));

  case NodeKind::Binary:
    if (item.step < 2)
      return push(children[item.step++]);
    return finish(binary(node->op, values()[0], values()[1]));

  case NodeKind::Index:
    if (item.step < 2)
      return push(children[item.step++]);
    return finish(subscript(values()[0], values()[1]));

  case NodeKind::Logical: {
    if (item.step > 0) {
      Value last = values().back();
      if (last.isPoison())
        return finish(last);
      if (!last.is(ValueKind::Bool))
        return finish(error(Diag::OperandType, spelling(node->op), describe(last)));
      if (item.step == 2 || bool(last.intValue) == (node->op == Op::Or))
        return finish(last);
    }
    return push(children[item.step++]);
  }

  case NodeKind::Interpolation: {
    if (item.step < children.size())
      return push(children[item.step++]);
    std::string text;
    for (const Value &piece : values()) {
      if (piece.isPoison())
        return finish(piece);
      text += piece.is(ValueKind::String) ? piece.string().str() : toString(piece);
    }
    if (!charge(text.size() / 8))
      return;
    return finish(arena.string(text));
  }

  case NodeKind::If: {
    if (item.step == ~0u) // The chosen block has been evaluated.
      return finish(values().back());
    uint32_t branch = item.step;
    if (branch > 0) {
      Value condition = values().back();
      if (!condition.is(ValueKind::Bool)) {
        currentNode = children[branch - 2];
        if (!condition.isPoison())
          error(Diag::ConditionType, describe(condition));
        // Neither branch is known to be meant: the rest of the body would only repeat the error.
        return endCall(Value::poison());
      }
      stack.resize(item.base);
      if (condition.intValue) {
        item.step = ~0u;
        return push(children[branch - 1]);
      }
    }
    if (branch == children.size())
      return finish(Value::none());
    if (branch + 1 == children.size()) {
      item.step = ~0u;
      return push(children[branch]);
    }
    item.step += 2;
    return push(children[branch]);
  }

  case NodeKind::Block: {
    if (item.step > 0 && item.step < children.size()) {
      const Value &value = values().back();
      if (!value.isNone() && !value.isPoison()) {
        currentNode = children[item.step - 1];
        error(Diag::UnusedValue, describe(value));
      }
      stack.resize(item.base);
    }
    if (item.step < children.size())
      return push(children[item.step++]);
    return finish(children.empty() ? Value::none() : values().back());
  }

  case NodeKind::Assign:
    if (item.step++ == 0)
      return push(children[0]);
    bindTargets(node, values()[0]);
    return finish(Value::none());

  case NodeKind::For: {
    if (item.step == 0) {
      ++item.step;
      return push(children[0]);
    }
    Value iterable = values()[0];
    if (!iterable.isSequence()) {
      currentNode = children[0];
      if (!iterable.isPoison())
        error(Diag::IterableType, describe(iterable));
      return endCall(Value::poison());
    }
    if (item.step > 1) {
      const Value &value = values().back();
      if (!value.isNone() && !value.isPoison()) {
        currentNode = children[1]->children.back();
        error(Diag::UnusedValue, describe(value));
      }
    }
    stack.resize(item.base + 1);
    uint32_t index = item.step - 1;
    if (index == iterable.size)
      return finish(Value::none());
    ++item.step;
    bindTargets(node, iterable.items[index]);
    return push(children[1]);
  }

  case NodeKind::Call:
    if (item.step < children.size())
      return push(children[item.step++]);
    return stepCall();
  }
}

void Evaluator::bindTargets(const Node *node, const Value &value) {
  if (!node->destructures) {
    slot(node->targets.front().slot) = value;
    return;
  }
  size_t count = node->targets.size();
  bool fits = value.isSequence() && value.size == count;
  if (!fits && !value.isPoison())
    error(Diag::DestructureType, count, describe(value));
  for (auto [i, target] : llvm::enumerate(node->targets))
    slot(target.slot) = fits ? value.items[i] : Value::poison();
}
