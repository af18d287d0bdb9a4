//===- FoldedNetwork.cpp - branches folded, with their weights ------------===//

#include "FoldedNetwork.h"

#include "../common/Compile.h"
#include "GraphWeights.h"

#include "espalier/Transforms/BranchPasses.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace espalier;
using namespace espalier::tools;

/// The module of `graph` without other graphs that have weights, folded, with parameters for the expressions.
static mlir::OwningOpRef<mlir::ModuleOp> fold(cg::GraphOp graph) {
  mlir::OwningOpRef<mlir::ModuleOp> module = graph->getParentOfType<mlir::ModuleOp>().clone();
  for (cg::GraphOp other : llvm::make_early_inc_range(module->getOps<cg::GraphOp>()))
    if (other.getSymName() != graph.getSymName() &&
        llvm::any_of(other.getBody().front(), [](mlir::Operation &op) { return !storagePath(&op).empty(); }))
      other.erase();
  mlir::PassManager manager(graph.getContext());
  manager.addPass(cg::createFoldBranches());
  manager.addPass(cg::createMaterializeWeights());
  manager.addPass(mlir::createCSEPass());
  return failed(manager.run(*module)) ? nullptr : std::move(module);
}

/// Paths of the parameters and states below each result of the graph of weights.
static std::map<std::string, std::vector<std::string>> findSources(cg::GraphOp weights) {
  // Sorted; values that were made of the same ones share them.
  using Paths = std::shared_ptr<const std::vector<std::string>>;
  llvm::DenseMap<mlir::Value, Paths> below;
  auto unite = [](const Paths &lhs, const Paths &rhs) -> Paths {
    std::vector<std::string> both;
    std::set_union(lhs->begin(), lhs->end(), rhs->begin(), rhs->end(), std::back_inserter(both));
    if (both.size() == lhs->size())
      return lhs;
    return both.size() == rhs->size() ? rhs : std::make_shared<const std::vector<std::string>>(std::move(both));
  };
  for (mlir::Operation &op : weights.getBody().front().without_terminator()) {
    std::vector<std::string> own;
    if (std::string path = storagePath(&op); !path.empty())
      own.push_back(path);
    auto paths = std::make_shared<const std::vector<std::string>>(std::move(own));
    for (mlir::Value operand : op.getOperands())
      paths = unite(below[operand], paths);
    for (mlir::Value result : op.getResults())
      below[result] = paths;
  }
  std::map<std::string, std::vector<std::string>> sources;
  for (auto [index, result] : llvm::enumerate(weights.getBody().front().getTerminator()->getOperands()))
    sources[weights.getResultAttrOfType<mlir::StringAttr>(index, cg::GraphOp::getNameAttrName()).str()] =
        *below[result];
  return sources;
}

rt::Expected<FoldedNetwork> espalier::tools::foldNetwork(cg::GraphOp graph, const rt::TensorMap &weights) {
  FoldedNetwork result;
  result.module = fold(graph);
  if (!result.module)
    return reported();

  auto folded = result.module->lookupSymbol<cg::GraphOp>(graph.getSymName());
  if (cg::GraphOp function = findWeightsGraph(folded)) {
    rt::Expected<rt::TensorMap> computed = computeWeights(function, weights);
    if (!computed)
      return computed.takeStatus();
    result.weights = std::move(*computed);
    result.sources = findSources(function);
    function.erase();
  }

  for (mlir::Operation &op : folded.getBody().front()) {
    std::string path = storagePath(&op);
    if (path.empty() || result.weights.count(path))
      continue;
    auto type = llvm::cast<mlir::RankedTensorType>(op.getResult(0).getType());
    rt::Expected<rt::HostTensor> kept = convertWeight(weights, path, type);
    if (!kept)
      return kept.takeStatus();
    result.weights.emplace(path, std::move(*kept));
  }
  return result;
}
