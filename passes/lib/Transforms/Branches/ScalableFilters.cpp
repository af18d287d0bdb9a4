//===- ScalableFilters.cpp - filters whose gradients can be scaled --------===//

#include "espalier/Transforms/BranchPasses.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace espalier::cg;

/// What the results of the graph depend on: a vector-Jacobian product may hold convolutions of its own.
static llvm::DenseSet<Operation *> findForward(Block &body) {
  llvm::DenseSet<Operation *> forward;
  SmallVector<Value> pending(body.getTerminator()->getOperands());
  while (!pending.empty())
    if (Operation *op = pending.pop_back_val().getDefiningOp(); op && forward.insert(op).second)
      llvm::append_range(pending, op->getOperands());
  return forward;
}

/// The parameter that the filter of a convolution is, in its own type or another.
static ParameterOp findParameter(Value filter) {
  while (auto cast = filter.getDefiningOp<CastOp>())
    filter = cast.getInput();
  return filter.getDefiningOp<ParameterOp>();
}

SmallVector<ScalableFilter>
espalier::cg::findScalableFilters(GraphOp graph, function_ref<void(Conv2dOp, const std::string &)> refuse) {
  Block &body = graph.getBody().front();
  llvm::DenseSet<Operation *> forward = findForward(body);
  llvm::MapVector<StringAttr, ScalableFilter> filters;
  for (auto conv : body.getOps<Conv2dOp>()) {
    if (!forward.contains(conv))
      continue;
    ParameterOp parameter = findParameter(conv.getFilter());
    if (!parameter) {
      refuse(conv, "its filter is computed: only a parameter has a gradient to scale");
      continue;
    }
    ScalableFilter filter{parameter, {conv}};
    int64_t rows = filter.getRows(), columns = filter.getColumns();
    if (rows == 1 || columns == 1 || rows % 2 == 0 || columns % 2 == 0) {
      refuse(conv, llvm::formatv("its window of {0}x{1} is not of odd extents of at least 3", rows, columns));
      continue;
    }
    auto [it, inserted] = filters.try_emplace(parameter.getPathAttr(), filter);
    if (!inserted)
      it->second.convolutions.push_back(conv);
  }
  return llvm::map_to_vector(filters, [](auto &entry) { return entry.second; });
}
