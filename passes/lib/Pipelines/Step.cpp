//===- Step.cpp - pipelines from `input` to `step` ------------------------===//

#include "espalier/Pipelines/Step.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace espalier;
using espalier::cg::GraphOp;

/// Runs before a loss joins the network, which so is computed in f32.
static void mixPrecision(OpPassManager &manager, Precision precision, const std::string &network) {
  if (precision == Precision::BF16)
    manager.addPass(cg::createMixedPrecision(cg::MixedPrecisionOptions{"bf16", network}));
}

/// Element types and sizes, as the options of either kind of program ask for.
template <typename OptionsT> static void fixTypes(OpPassManager &manager, const OptionsT &options) {
  if (options.precision == Precision::F64)
    manager.addPass(cg::createConvertFloats());
  cg::BindSizesOptions bind;
  bind.sizes.assign(options.sizes.begin(), options.sizes.end());
  bind.useDefaults = options.bindDefaults;
  manager.addPass(cg::createBindSizes(bind));
}

static void attachLoss(OpPassManager &manager, const TrainingOptions &options) {
  mixPrecision(manager, options.precision, options.network);
  cg::AttachLossOptions attach;
  attach.network = options.network;
  attach.loss = options.loss;
  attach.metrics.assign(options.metrics.begin(), options.metrics.end());
  manager.addPass(cg::createAttachLoss(attach));
  manager.addPass(cg::createKeepGraph(cg::KeepGraphOptions{attach.result, /*rename=*/""}));
  fixTypes(manager, options);
}

static void simplify(OpPassManager &manager) {
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

static void specialize(OpPassManager &manager, cg::Mode mode) {
  cg::SpecializeOptions options;
  options.mode = mode;
  manager.addNestedPass<GraphOp>(cg::createSpecialize(options));
  simplify(manager);
}

static void functionalize(OpPassManager &manager, bool returnGradients) {
  simplify(manager);
  manager.addNestedPass<GraphOp>(cg::createFunctionalize(cg::FunctionalizeOptions{returnGradients}));
}

void espalier::buildInferenceStepPipeline(OpPassManager &manager, const InferenceOptions &options) {
  mixPrecision(manager, options.precision, options.network);
  manager.addPass(cg::createKeepGraph(cg::KeepGraphOptions{options.network, /*rename=*/"forward"}));
  fixTypes(manager, options);
  specialize(manager, cg::Mode::Inference);
  functionalize(manager, /*returnGradients=*/false);
}

void espalier::buildEvaluationStepPipeline(OpPassManager &manager, const TrainingOptions &options) {
  attachLoss(manager, options);
  specialize(manager, cg::Mode::Inference);
  functionalize(manager, /*returnGradients=*/false);
}

/// The graph with its loss and the gradients of all parameters that are trained.
static void differentiate(OpPassManager &manager, const TrainingOptions &options) {
  attachLoss(manager, options);
  specialize(manager, cg::Mode::Training);
  manager.addNestedPass<GraphOp>(cg::createDifferentiate());
  if (options.precision == Precision::BF16)
    manager.addNestedPass<GraphOp>(cg::createWidenGradients());
  manager.addNestedPass<GraphOp>(cg::createGroupParameters(options.groups));
}

/// Parameters that carry a matrix are scaled by it whatever the options say.
static cg::InsertGradientScalingOptions scalingOptions(const TrainingOptions &options) {
  cg::InsertGradientScalingOptions none;
  none.source = cg::GradientScaleSource::Fixed;
  cg::InsertGradientScalingOptions scaling = options.gradientScaling.value_or(none);
  scaling.target = options.optimizer.kind == cg::OptimizerKind::SGD ? cg::GradientScaleTarget::Gradient
                                                                    : cg::GradientScaleTarget::Update;
  return scaling;
}

void espalier::buildTrainingGraphPipeline(OpPassManager &manager, const TrainingOptions &options) {
  differentiate(manager, options);
  if (options.accumulate > 1)
    manager.addNestedPass<GraphOp>(
        cg::createAccumulateGradients(cg::AccumulateGradientsOptions{options.accumulate, cg::BatchPart::Last}));
  if (options.score)
    manager.addNestedPass<GraphOp>(cg::createScoreFilters(*options.score));
  if (options.clipNorm || options.clipValue)
    manager.addNestedPass<GraphOp>(cg::createClipGradients(
        cg::ClipGradientsOptions{options.clipNorm.value_or(0.0), options.clipValue.value_or(0.0)}));
  manager.addNestedPass<GraphOp>(cg::createInsertGradientScaling(scalingOptions(options)));
  manager.addNestedPass<GraphOp>(cg::createApplyOptimizer(options.optimizer));
  if (options.average)
    manager.addNestedPass<GraphOp>(cg::createAverageParameters(*options.average));
  simplify(manager);
}

void espalier::buildTrainingStepPipeline(OpPassManager &manager, const TrainingOptions &options) {
  buildTrainingGraphPipeline(manager, options);
  manager.addNestedPass<GraphOp>(cg::createFunctionalize(cg::FunctionalizeOptions{options.returnGradients}));
}

void espalier::buildAccumulationStepPipeline(OpPassManager &manager, const TrainingOptions &options) {
  differentiate(manager, options);
  manager.addNestedPass<GraphOp>(
      cg::createAccumulateGradients(cg::AccumulateGradientsOptions{options.accumulate, cg::BatchPart::Early}));
  functionalize(manager, /*returnGradients=*/false);
}

void espalier::buildEstimationStepPipeline(OpPassManager &manager, const TrainingOptions &options) {
  mixPrecision(manager, options.precision, options.network);
  manager.addPass(cg::createKeepGraph(cg::KeepGraphOptions{options.network, /*rename=*/"estimate"}));
  fixTypes(manager, options);
  specialize(manager, cg::Mode::Inference);
  manager.addNestedPass<GraphOp>(cg::createEstimateGradientScaling(options.estimation));
  functionalize(manager, /*returnGradients=*/false);
}
