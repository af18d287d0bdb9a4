//===- TrainedGraph.cpp - training by the reference evaluator -------------===//

#include "TrainedGraph.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <gtest/gtest.h>

using namespace espalier;
using namespace espalier::test;
using namespace mlir;

static std::string nameOf(StringRef path, std::optional<StringRef> slot) {
  return slot ? (path + "#" + *slot).str() : path.str();
}

TrainedGraph::TrainedGraph(MLIRContext &context, const std::string &text, const std::string &passes)
    : module(parseSourceString<ModuleOp>(text, &context)) {
  if (!module) {
    ADD_FAILURE() << "does not parse:\n" << text;
    return;
  }
  PassManager manager(&context);
  if (failed(parsePassPipeline("cg.graph(" + passes + ")", manager)) || failed(manager.run(*module))) {
    ADD_FAILURE() << passes << " fails on:\n" << text;
    return;
  }
  graph = *module->getOps<cg::GraphOp>().begin();
  for (auto state : graph.getBody().front().getOps<cg::StateOp>()) {
    auto type = cast<RankedTensorType>(state.getResult().getType());
    cg::InitDistribution init = state.getInitAttr().resolve(type.getShape());
    std::vector<double> &values = storage[nameOf(state.getPath(), state.getSlot())];
    if (init.kind == cg::InitDistribution::Kind::Fill)
      values.assign(static_cast<size_t>(type.getNumElements()), init.a);
    else
      values.assign(init.values.begin(), init.values.end());
  }
}

double TrainedGraph::step(const std::vector<std::vector<double>> &inputs, double learningRate) {
  if (!graph)
    return 0.0;
  std::vector<cg::ReferenceTensor> arguments;
  for (auto [type, values] : llvm::zip_equal(graph.getArgumentTypes(), inputs)) {
    arguments.emplace_back(cast<RankedTensorType>(type));
    arguments.back().data = values;
  }
  ++numSteps;
  auto read = [&](Operation *op) -> FailureOr<cg::ReferenceTensor> {
    cg::ReferenceTensor tensor(cast<RankedTensorType>(op->getResult(0).getType()));
    if (auto hyper = dyn_cast<cg::HyperOp>(op)) {
      tensor.data = {hyper.getName() == "step" ? numSteps : learningRate};
      return tensor;
    }
    auto state = dyn_cast<cg::StateOp>(op);
    tensor.data = storage[state ? nameOf(state.getPath(), state.getSlot()) : cast<cg::ParameterOp>(op).getPath().str()];
    return tensor;
  };
  FailureOr<cg::ReferenceRun> run = cg::evaluateReference(graph, arguments, read);
  if (failed(run)) {
    ADD_FAILURE() << "the reference evaluator fails";
    return 0.0;
  }
  for (cg::ReferenceRun::Write &write : run->writes) {
    if (auto update = dyn_cast<cg::ParameterUpdateOp>(write.op))
      storage[update.getPath().str()] = std::move(write.value.data);
    else if (auto update = dyn_cast<cg::UpdateOp>(write.op))
      storage[nameOf(update.getPath(), update.getSlot())] = std::move(write.value.data);
  }
  return run->results[0].data[0];
}
