//===- Trainer.h - The training loop ----------------------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_TRAIN_TRAINER_H
#define ESPALIER_RUNTIME_TRAIN_TRAINER_H

#include "espalier/Runtime/Data/Prefetcher.h"
#include "espalier/Runtime/Program/Program.h"
#include "espalier/Runtime/Train/Checkpoint.h"
#include "espalier/Runtime/Train/Initializer.h"

#include <functional>

namespace espalier::rt {

/// What the names of slots that scale gradients end in, after the path of the filter.
inline constexpr const char *gradientScaleSuffix = "#gradient_scale";

/// The compiled sides of a training run. All share the memory of `step`'s parameters and states.
struct TrainingPrograms {
  Program step;     ///< one update, from a part of a batch; the last part, where the recipe accumulates
  Program evaluate; ///< loss and metrics of a part of a batch
  /// The same for the samples that are left over when the test set is cut into such batches; so every sample counts
  /// once without a mask in the loss.
  std::optional<Program> evaluateRest;
  /// Adds the gradient of a part of a batch to the slots "accumulated" of `step`; where the recipe accumulates.
  std::optional<Program> accumulate = {};
  /// Estimates the scales of gradients, slots of `step`, from the recipe's number of batches at once; where the recipe
  /// wants that.
  std::optional<Program> estimate = {};
};

/// How tensors of a file fit a network's parameters and states, by name.
struct WeightsFit {
  std::vector<std::string> missing;    ///< the network has them, the file does not
  std::vector<std::string> unexpected; ///< the file has them, the network does not
  std::vector<std::string> misshapen;  ///< "'fc.weight' is f32[1000, 512], but the network wants f32[10, 512]"
  int64_t matching = 0;

  bool isExact() const { return missing.empty() && unexpected.empty() && misshapen.empty(); }
  /// One line for each kind of difference, with up to `limit` names each.
  std::vector<std::string> describe(size_t limit = 20) const;
};

/// Trains one network on one data set. Equal programs, data, recipe and number of threads give equal bits.
class Trainer {
public:
  /// `train` and `test` make batches of the recipe's partSize(). Fails if their samples do not fit the network's input,
  /// and if samples are mixed but the loss takes no probabilities.
  static Expected<Trainer> create(TrainingPrograms programs, Prefetcher train, Prefetcher test, const Recipe &recipe);

  /// Goes on with other programs, for another network on the same data. Parameters, states and slots are zero after
  /// that; initialize() and load() give them values.
  Status replacePrograms(TrainingPrograms programs);

  /// Draws parameters, states and slots that `initializers` names; the others start at 0.
  Status initialize(const InitializerTable &initializers);
  /// Compares tensors with parameters and states, and with the slots if there is one among the tensors.
  WeightsFit compare(const TensorMap &tensors) const;
  /// Replaces what fits by name: parameters, states, and slots.
  Status load(const TensorMap &tensors);
  /// Parameters and states, in logical layout; their moving averages, where the step keeps them.
  Expected<TensorMap> weights() const;
  /// Parameters, states and slots, in logical layout: all that a step changes.
  Expected<TensorMap> everything() const { return read(/*slots=*/true); }

  int64_t stepsPerEpoch() const { return train.loader().numBatches() / recipe.accumulate; }
  int64_t batch() const { return recipe.batch; }

  /// Step `step` of the run, from 0: batch `step` mod stepsPerEpoch() of its epoch, in the recipe's number of parts.
  /// What it does depends on that number, the recipe, and parameters, states and slots alone, so a run can go on from
  /// any step. The first step of an epoch for which the recipe wants it estimates the scales of gradients before, from
  /// the first batches of the epoch. Only the first step and the first estimate allocate. A loss, parameter or state
  /// that is not finite is an error that names the step, and the op and the parameter where it arose.
  Status trainStep(int64_t step);
  /// The states after `count` batches, at most an epoch, from the one of step `step` on, with a learning rate of 0. All
  /// that a step changes is as before then.
  Expected<TensorMap> observeStates(int64_t step, int64_t count);
  /// The scales of gradients now, in rows, by the path of the filter.
  Expected<std::map<std::string, std::vector<std::vector<double>>>> gradientScales() const;
  /// Filters whose scales estimates left as they were since the last call: each channel of what they read has one value
  /// only, which tells nothing.
  std::vector<std::string> takeUnestimated() { return std::exchange(unestimated, {}); }
  /// Of the batch of the last step.
  const Metrics &stepMetrics() const { return metrics; }

  /// Means over the test set; nothing if `shouldStop` said so between two batches.
  Expected<std::optional<Metrics>> evaluate(const std::function<bool()> &shouldStop = {});

  /// What computes each row of a step: the symbol of a kernel, or the library's name of its implementation once a step
  /// was run.
  std::vector<std::string> describeKernels() const;

  /// Seconds that training epochs took so far, and how many of these the steps waited for data.
  double secondsTrained() const { return trainingSeconds; }
  double secondsWaited() const { return train.secondsWaited(); }
  /// Seconds of these that estimates of scales of gradients took, and the number of estimates.
  double secondsEstimated() const { return estimatingSeconds; }
  int64_t numEstimated() const { return numEstimates; }

private:
  Trainer(TrainingPrograms programs, Prefetcher train, Prefetcher test, Recipe recipe)
      : programs(std::move(programs)), train(std::move(train)), test(std::move(test)), recipe(std::move(recipe)) {}

  /// Checks the programs, and lets them share their memory.
  Status setUp();
  /// A program's inputs for the tensors of a batch; those that it has.
  struct BatchInputs {
    PlaceId values = 0;
    std::optional<PlaceId> labels, targets;
  };
  static Expected<BatchInputs> findInputs(Program &program, const BatchLoader &loader);
  /// Prepares `programs.estimate`.
  Status setUpEstimate();
  Status estimateGradientScales(int64_t epoch);
  static Status runBatch(Program &program, const BatchInputs &inputs, const Batch &batch);
  /// Part `part` of a step's batch: `program` adds up gradients, or updates.
  Status trainPart(Program &program, const BatchInputs &inputs, int64_t step, int64_t part);
  void setHypers(Program &program, int64_t step, int64_t part, double learningRate);
  void readMetrics(Program &program);
  /// A scalar argument that changes from step to step, for either type it may have.
  struct HyperValue {
    double number;
    int64_t integer;
  };
  /// Sets a scalar of `program`, if the network has one of that name.
  static void setHyper(Program &program, std::string_view name, HyperValue value);
  /// Copies all stored tensors, so that a step which goes wrong can be run again and looked at.
  void takeSnapshot();
  void restoreSnapshot();
  Status explainNonFinite(Program &program, int64_t step);
  bool storedIsFinite();
  Expected<TensorMap> read(bool slots) const;
  /// Moving averages that were not loaded start as what they are averages of: weights before the first step are whole.
  Status startAverages(const TensorMap &loaded);

  TrainingPrograms programs;
  Prefetcher train, test;
  Recipe recipe;
  BatchInputs stepInputs, evaluateInputs, restInputs, accumulateInputs;
  std::vector<PlaceId> stored; ///< parameters, states and slots of `step`
  std::vector<std::vector<uint8_t>> snapshot;
  Metrics metrics;           ///< of the last batch; kept, so that a step allocates nothing
  Metrics partSums;          ///< of the metrics of a batch's parts
  std::optional<Batch> rest; ///< the samples for `evaluateRest`
  PlaceId estimateInput = 0;
  std::optional<HostTensor> estimateImages; ///< several batches in one
  std::vector<size_t> estimatedSlots;       ///< of `stored`
  std::vector<std::string> unestimated;
  double trainingSeconds = 0, estimatingSeconds = 0;
  int64_t numEstimates = 0;
  int64_t numEvaluations = 0;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_TRAIN_TRAINER_H
