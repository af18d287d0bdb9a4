//===- Kernels.cpp - pipelines from `step` to `kernels` -------------------===//

#include "espalier/Pipelines/Kernels.h"

#include "espalier/Conversion/CGToPlan/Passes.h"
#include "espalier/Transforms/FusePasses.h"

#include "mlir/Pass/PassOptions.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace espalier;
using espalier::cg::GraphOp;

void espalier::buildStepToFusedPipeline(OpPassManager &manager, const FusedOptions &options) {
  manager.addNestedPass<GraphOp>(cg::createDecompose(cg::DecomposeOptions{options.prepareWeights}));
  manager.addPass(createCSEPass());
  if (options.prepareWeights)
    manager.addPass(cg::createSplitWeights());
  manager.addNestedPass<GraphOp>(cg::createRematerialize());
  manager.addNestedPass<GraphOp>(cg::createHoistUpdates());
  manager.addNestedPass<GraphOp>(cg::createFuse());
  manager.addNestedPass<GraphOp>(cg::createAssignLayout());
  manager.addPass(
      cg::createChooseKernels(cg::ChooseKernelsOptions{options.cpu, options.kernelTable, options.preferredCandidate}));
}

void espalier::buildFusedToKernelsPipeline(OpPassManager &manager, const FusedOptions &options) {
  cg::PackOperandsOptions pack;
  pack.prepareWeights = options.prepareWeights;
  manager.addPass(cg::createPackOperands(pack));
  manager.addPass(cg::createCGToPlan());
}

namespace {
struct PipelineOptions final : PassPipelineOptions<PipelineOptions> {
  Option<bool> prepareWeights{*this, "prepare-weights",
                              llvm::cl::desc("Compute what depends on weights alone in a program of its own")};
  Option<std::string> cpu{*this, "cpu", llvm::cl::desc("Processor that code is made for"), llvm::cl::init("host")};
  Option<std::string> kernelTable{*this, "kernel-table", llvm::cl::desc("File of measured times")};
  Option<std::string> prefer{*this, "prefer", llvm::cl::desc("Candidate to choose wherever it is legal")};

  FusedOptions get() const { return {prepareWeights, cpu, kernelTable, prefer}; }
};
} // namespace

void espalier::registerKernelPipelines() {
  PassPipelineRegistration<PipelineOptions>(
      "espalier-step-to-fused-pipeline", "Form groups of static-shape operations that run as one kernel",
      [](OpPassManager &manager, const PipelineOptions &options) { buildStepToFusedPipeline(manager, options.get()); });
  PassPipelineRegistration<PipelineOptions>("espalier-fused-to-kernels-pipeline",
                                            "Lower groups to kernels and dispatch tables",
                                            [](OpPassManager &manager, const PipelineOptions &options) {
                                              buildFusedToKernelsPipeline(manager, options.get());
                                            });
}
