//===- BindSizes.cpp - give symbolic sizes a number -----------------------===//

#include "espalier/Transforms/StepPasses.h"

#include "llvm/ADT/StringMap.h"

#include <map>

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_BINDSIZES
#include "espalier/Transforms/StepPasses.h.inc"
} // namespace espalier::cg

/// The types that `op` infers for the results of its operands.
static LogicalResult inferTypes(InferTypeOpInterface op, SmallVectorImpl<Type> &types) {
  return op.inferReturnTypes(op.getContext(), op.getLoc(), op->getOperands(), op->getDiscardableAttrDictionary(),
                             op->getPropertiesStorage(), op->getRegions(), types);
}

LogicalResult espalier::cg::inferElementTypesAnew(Operation *op) {
  SmallVector<Type> types;
  if (failed(inferTypes(cast<InferTypeOpInterface>(op), types)))
    return failure();
  for (auto [result, type] : llvm::zip_equal(op->getResults(), types))
    result.setType(cast<RankedTensorType>(result.getType()).clone(cast<RankedTensorType>(type).getElementType()));
  return success();
}

LogicalResult espalier::cg::inferTypesAnew(GraphOp graph) {
  for (Operation &op : graph.getBody().front()) {
    auto inferable = dyn_cast<InferTypeOpInterface>(op);
    if (!inferable) {
      // Marks and updates repeat the type of what they hold.
      if (auto gradient = dyn_cast<ParameterGradientOp>(op))
        gradient.getResult().setType(gradient.getGradient().getType());
      continue;
    }
    SmallVector<Type> types;
    if (failed(inferTypes(inferable, types)))
      return failure();
    for (auto [result, type] : llvm::zip_equal(op.getResults(), types))
      result.setType(type);
  }
  SmallVector<Type> results(graph.getBody().front().getTerminator()->getOperandTypes());
  graph.setFunctionType(FunctionType::get(graph.getContext(), graph.getBody().getArgumentTypes(), results));
  return success();
}

namespace {
struct BindSizes final : espalier::cg::impl::BindSizesBase<BindSizes> {
  using Base::Base;

  void runOnOperation() override {
    llvm::StringMap<int64_t> numbers;
    for (const std::string &binding : sizes) {
      auto [name, text] = StringRef(binding).split('=');
      int64_t number;
      if (name.empty() || text.getAsInteger(10, number) || number < 1) {
        getOperation().emitError("expects a size as NAME=NUMBER with a number >= 1, but got '") << binding << "'";
        return signalPassFailure();
      }
      numbers[name] = number;
    }
    for (GraphOp graph : getOperation().getOps<GraphOp>())
      if (failed(bind(graph, numbers)))
        return signalPassFailure();
    record();
  }

  /// Notes in the module which sizes were bound, beside those that were before.
  void record() {
    NamedAttrList all(getOperation()->getAttrOfType<DictionaryAttr>(bindingsAttrName));
    for (const auto &[name, number] : bound)
      if (number)
        all.set(name, Builder(&getContext()).getI64IntegerAttr(*number));
    if (!all.empty())
      getOperation()->setAttr(bindingsAttrName, all.getDictionary(&getContext()));
    bound.clear();
  }

  LogicalResult bind(GraphOp graph, const llvm::StringMap<int64_t> &numbers) {
    auto numberOf = [&](StringRef size) -> std::optional<int64_t> {
      if (auto number = numbers.find(size); number != numbers.end())
        return number->second;
      return useDefaults ? graph.getDefaultSize(size) : std::nullopt;
    };
    bool changed = false;
    for (BlockArgument argument : graph.getArguments()) {
      auto dims = graph.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), GraphOp::getDimsAttrName());
      if (!dims)
        continue;
      auto type = cast<RankedTensorType>(argument.getType());
      SmallVector<int64_t> extents(type.getShape());
      SmallVector<Attribute> names(dims.getValue());
      for (auto [extent, name] : llvm::zip_equal(extents, names)) {
        std::optional<int64_t> number = numberOf(cast<StringAttr>(name).getValue());
        if (!number)
          continue;
        extent = *number;
        StringRef size = cast<StringAttr>(name).getValue();
        auto [entry, isNew] = bound.try_emplace(size.str(), *number);
        if (!isNew && entry->second != number)
          entry->second = std::nullopt;
        name = StringAttr::get(graph.getContext(), std::to_string(extent));
        changed = true;
      }
      argument.setType(type.clone(extents));
      graph.setArgAttr(argument.getArgNumber(), GraphOp::getDimsAttrName(), ArrayAttr::get(graph.getContext(), names));
    }
    dropDefaults(graph, numberOf);
    return changed ? inferTypesAnew(graph) : success();
  }

  /// Sizes that have a number need no default.
  static void dropDefaults(GraphOp graph, llvm::function_ref<std::optional<int64_t>(StringRef)> numberOf) {
    auto defaults = graph->getAttrOfType<DictionaryAttr>(GraphOp::getDefaultSizesAttrName());
    if (!defaults)
      return;
    NamedAttrList open;
    for (NamedAttribute entry : defaults)
      if (!numberOf(entry.getName()))
        open.append(entry);
    if (open.empty())
      graph->removeAttr(GraphOp::getDefaultSizesAttrName());
    else
      graph->setAttr(GraphOp::getDefaultSizesAttrName(), open.getDictionary(graph.getContext()));
  }

  /// Sizes bound by this run; without a number where the defaults of two graphs differ.
  std::map<std::string, std::optional<int64_t>> bound;
};
} // namespace
