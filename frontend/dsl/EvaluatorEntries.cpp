//===- EvaluatorEntries.cpp - Graphs of entry points ----------------------===//

#include "Evaluator.h"

using namespace espalier;
using namespace espalier::dsl;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

bool Evaluator::isEntry(const Decl &decl) {
  bool hasTensor = false;
  for (const Param &param : decl.params) {
    if (param.defaultValue)
      continue;
    if (param.type.kind != TypeKind::Tensor || param.type.element.empty() || !param.type.hasDims)
      return false;
    hasTensor = true;
  }
  return hasTensor;
}

/// The graph's argument for a parameter of the entry point.
std::optional<Value> Evaluator::makeArgument(const Param &param, ArrayRef<Value> dims) {
  mlir::Location loc = calls.back().decl->locationAt(param.offset);
  size_t index = calls.back().index;
  if (index < leadingShapes.size())
    return Value::tensor(graph->addArgument(loc, param.name, leadingShapes[index]));
  if (param.type.element.empty() || !param.type.hasDims) {
    diags.error(loc, Diag::EntryParameter, calls.back().decl->name, param.name);
    return std::nullopt;
  }
  cg::TensorShape shape{elementType(param.type.element, attrBuilder), {}};
  size_t nextExpr = 0;
  for (const DimPattern *pattern : param.type.dims) {
    Value extent = pattern->expr                         ? dims[nextExpr++]
                   : pattern->slot == DimPattern::noSlot ? Value::none()
                   : slot(pattern->slot).isNone()        ? arena.extent(cg::DimExpr::symbol(pattern->name))
                                                         : slot(pattern->slot);
    bool isName = extent.is(ValueKind::Dim) && !pattern->expr;
    if (!isName && !(extent.is(ValueKind::Int) && extent.intValue >= 0)) {
      diags.error(calls.back().decl->locationAt(pattern->offset), Diag::EntryExtent, param.name, describe(extent));
      return std::nullopt;
    }
    if (pattern->defaultSize > 0 && extent.is(ValueKind::Dim))
      graph->setDefaultSize(pattern->name, pattern->defaultSize);
    else if (pattern->defaultSize > 0)
      diags.error(calls.back().decl->locationAt(pattern->offset), Diag::SizeDefaultName);
    shape.dims.push_back(extentOf(extent));
  }
  if (shape.bytes().isOverflow()) {
    diags.error(loc, Diag::EntryExtent, param.name, shape.str());
    return std::nullopt;
  }
  return Value::tensor(graph->addArgument(loc, param.name, std::move(shape)));
}

void Evaluator::emitGraph(const Decl &decl, StringRef name, ArrayRef<cg::TensorShape> leading,
                          ArrayRef<std::pair<std::string, double>> numbers) {
  if (stopped)
    return;
  unsigned errorsBefore = diags.numErrors();
  graph = std::make_unique<GraphBuilder>(module, decl.location(), name, decl.kind == DeclKind::Fn);
  leadingShapes = leading;
  SmallVector<Value> args(decl.params.size(), Value::poison());
  for (const auto &[parameter, number] : numbers)
    for (auto [param, arg] : llvm::zip_equal(decl.params, args))
      if (param.name == parameter)
        arg = Value::floating(number);
  enter(&decl, nullptr, "", args);
  loop();
  Value result = stack.back();
  stack.clear();
  slots.clear();
  arguments.clear();
  calls.clear();

  SmallVector<mlir::Value> results;
  bool returnsTensors = !result.isPoison();
  for (const Value &part : result.is(ValueKind::Tuple) ? result.elements() : ArrayRef(result)) {
    returnsTensors &= part.isTensor();
    if (part.isTensor())
      results.push_back(part.tensor());
  }
  returnsTensors &= !results.empty();
  if (!returnsTensors && !result.isPoison() && decl.kind == DeclKind::Arch)
    diags.error(decl.location(), Diag::ArchResult, decl.name, describe(result));
  if (!returnsTensors || diags.numErrors() != errorsBefore) {
    graph->abandon();
    graph.reset();
    return;
  }
  if (decl.kind == DeclKind::Arch)
    for (mlir::Value value : results)
      archResults[&decl].push_back(graph->shape(value));
  graph->finish(results);
  graph.reset();
}

void Evaluator::emitEntry(const Decl &decl) { emitGraph(decl, decl.name, {}, {}); }

void Evaluator::emitLoss(const Decl &fn, const Decl &arch, ArrayRef<std::pair<std::string, double>> numbers) {
  auto it = archResults.find(&arch);
  if (it != archResults.end())
    emitGraph(fn, (arch.name + "." + fn.name).str(), it->second, numbers);
}

void Evaluator::checkConstant(const Decl &decl) {
  if (stopped || !constants.try_emplace(&decl).second)
    return;
  enter(&decl, nullptr, "", {});
  loop();
  stack.clear();
  calls.clear();
  slots.clear();
}
