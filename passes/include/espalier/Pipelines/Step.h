//===- Step.h - pipelines from `input` to `step` ----------------*- C++ -*-===//

#ifndef ESPALIER_PIPELINES_STEP_H
#define ESPALIER_PIPELINES_STEP_H

#include "espalier/Transforms/BranchPasses.h"
#include "espalier/Transforms/StepPasses.h"

#include "mlir/Pass/PassManager.h"

#include <optional>
#include <string>
#include <vector>

namespace espalier {

/// What a program computes in.
enum class Precision {
  F32,  ///< as the graphs say
  F64,  ///< f32 of the graphs becomes f64: weights, inputs and results too
  BF16, ///< mixed, see `cg-mixed-precision`: weights, inputs and results stay f32
};

/// Sizes given to symbolic extents, each NAME=NUMBER.
using SizeBindings = std::vector<std::string>;

struct InferenceOptions {
  /// The graph that becomes the program; every other graph is dropped.
  std::string network;
  SizeBindings sizes;
  /// Sizes that `sizes` leaves open take their default, if they have one.
  bool bindDefaults = true;
  Precision precision = Precision::F32;
};

struct TrainingOptions {
  std::string network;
  std::string loss;
  std::vector<std::string> metrics;
  SizeBindings sizes;
  /// Sizes that `sizes` leaves open take their default, if they have one.
  bool bindDefaults = true;
  Precision precision = Precision::F32;
  cg::ApplyOptimizerOptions optimizer;
  cg::GroupParametersOptions groups;
  /// Largest joint norm of the gradients.
  std::optional<double> clipNorm;
  /// Largest absolute value of an element of a gradient; not together with a norm.
  std::optional<double> clipValue;
  /// Spatial scaling of the gradients of filters, of updates for optimisers other than SGD: the target follows from the
  /// optimiser. Without, only filters that carry a matrix (`cg.gradient_scale`) are scaled.
  std::optional<cg::InsertGradientScalingOptions> gradientScaling;
  /// How that is estimated, for `buildEstimationStepPipeline`.
  cg::EstimateGradientScalingOptions estimation;
  /// How much filters matter to the loss, summed up in slots.
  std::optional<cg::ScoreFiltersOptions> score;
  /// Number of parts that a batch is cut into, see `cg-accumulate-gradients`.
  int64_t accumulate = 1;
  /// Exponential moving average of parameters and states.
  std::optional<cg::AverageParametersOptions> average;
  /// Return the gradients too, after the other results.
  bool returnGradients = false;
};

/// `input` -> `step` for a forward pass: the graph `network`, mode fixed, as a pure function with the name
/// `forward`.
void buildInferenceStepPipeline(mlir::OpPassManager &manager, const InferenceOptions &options);

/// `input` -> `step` for the evaluation of a loss and metrics: the graph `step`, in inference mode.
void buildEvaluationStepPipeline(mlir::OpPassManager &manager, const TrainingOptions &options);

/// The part of the training pipeline that ends before parameters, states and updates become arguments and results: the
/// graph `step` as a cost analysis wants it.
void buildTrainingGraphPipeline(mlir::OpPassManager &manager, const TrainingOptions &options);

/// `input` -> `step` for training: the graph `step`, which maps parameters, states, slots, a batch and hyper-parameters
/// to loss, metrics and the new parameters, states and slots.
void buildTrainingStepPipeline(mlir::OpPassManager &manager, const TrainingOptions &options);

/// `input` -> `step` for all parts of a batch but the last, where a batch has several: the graph `step`, which adds
/// gradients to the slots "accumulated".
void buildAccumulationStepPipeline(mlir::OpPassManager &manager, const TrainingOptions &options);

/// `input` -> `step` for estimates of how gradients are scaled: the graph `estimate`, which maps parameters, states,
/// the slots "gradient_scale" and the network's input to new slots.
void buildEstimationStepPipeline(mlir::OpPassManager &manager, const TrainingOptions &options);

} // namespace espalier

#endif // ESPALIER_PIPELINES_STEP_H
