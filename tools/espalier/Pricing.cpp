//===- Pricing.cpp - costs of what a verb compiles ------------------------===//

#include "Pricing.h"

#include "espalier/Transforms/StepPasses.h"

#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace espalier;

FailureOr<CostReport> espalier::tools::priceForward(cg::GraphOp graph, const SizeBindings &sizes, Precision precision) {
  PassManager manager(graph.getContext());
  if (!sizes.empty()) {
    cg::BindSizesOptions options;
    options.sizes.assign(sizes.begin(), sizes.end());
    manager.addPass(cg::createBindSizes(options));
  }
  if (precision == Precision::F64)
    manager.addPass(cg::createConvertFloats());
  if (precision == Precision::BF16)
    manager.addPass(cg::createMixedPrecision(cg::MixedPrecisionOptions{"bf16", graph.getSymName().str()}));
  if (failed(manager.run(graph->getParentOp())))
    return failure();
  return computeCost(cast<FunctionOpInterface>(graph.getOperation()));
}

FailureOr<CostReport> espalier::tools::priceStep(ModuleOp module, const TrainingOptions &options) {
  OwningOpRef<ModuleOp> copy(module.clone());
  PassManager manager(module.getContext());
  buildTrainingGraphPipeline(manager, options);
  if (failed(manager.run(*copy)))
    return failure();
  return computeCost(cast<FunctionOpInterface>(*copy->lookupSymbol<cg::GraphOp>("step")));
}
