//===- ReferenceStep.cpp - gradients by the reference evaluator -----------===//

#include "ReferenceStep.h"

#include "espalier/Analysis/ReferenceEvaluator.h"

#include <gtest/gtest.h>

using namespace espalier;
using namespace espalier::integration;
using namespace mlir;

ReferenceStep::ReferenceStep(LoadedNet &net, const golden::Golden &golden) : classes(net.classes) {
  TrainingOptions options = net.trainingOptions(golden);
  options.returnGradients = true;
  PassManager manager(&net.context);
  buildTrainingStepPipeline(manager, options);
  EXPECT_TRUE(succeeded(manager.run(*net.module)));
  graph = *net.module->getOps<cg::GraphOp>().begin();
}

Gradients ReferenceStep::evaluate(const Start &start, size_t index) {
  std::string suffix = std::to_string(index);
  std::vector<cg::ReferenceTensor> arguments;
  for (unsigned i = 0; i < graph.getNumArguments(); ++i) {
    cg::ReferenceTensor tensor(cast<RankedTensorType>(graph.getArgumentTypes()[i]));
    StringRef role = graph.getArgAttrOfType<StringAttr>(i, cg::roleAttrName).getValue();
    size_t count = tensor.data.size();
    if (role == "parameter") {
      tensor.data = start(graph.getArgAttrOfType<StringAttr>(i, cg::pathAttrName).str(), tensor.shape().vec());
    } else if (role == "input" && tensor.rank() == 4) {
      tensor.data = golden::uniform("images" + suffix, count);
    } else if (role == "input") {
      std::vector<int64_t> labels = golden::labels("labels" + suffix, count, classes);
      tensor.data.assign(labels.begin(), labels.end());
    }
    arguments.push_back(std::move(tensor));
  }
  auto noStorage = [](Operation *op) -> FailureOr<cg::ReferenceTensor> {
    return op->emitError("is not expected here");
  };
  FailureOr<cg::ReferenceRun> run = cg::evaluateReference(graph, arguments, noStorage);
  Gradients gradients;
  if (failed(run)) {
    ADD_FAILURE() << "the reference evaluator fails";
    return gradients;
  }
  gradients.loss = run->results[0].data[0];
  for (unsigned i = 0; i < graph.getNumResults(); ++i)
    if (graph.getResultAttrOfType<StringAttr>(i, cg::roleAttrName).getValue() == "gradient")
      gradients.byPath[graph.getResultAttrOfType<StringAttr>(i, cg::pathAttrName).str()] =
          std::move(run->results[i].data);
  return gradients;
}
