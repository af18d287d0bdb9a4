//===- Trainer.h - The training loop ----------------------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_TRAIN_TRAINER_H
#define ESPALIER_RUNTIME_TRAIN_TRAINER_H

#include "espalier/Runtime/Data/BatchLoader.h"
#include "espalier/Runtime/Program/Program.h"
#include "espalier/Runtime/Train/Initializer.h"
#include "espalier/Runtime/Train/Recipe.h"

#include <functional>
#include <map>

namespace espalier::rt {

/// The compiled sides of a training run. All share the memory of `step`'s parameters and states.
struct TrainingPrograms {
  Program step;     ///< one update, for a batch of the recipe's size
  Program evaluate; ///< loss and metrics of a batch of the recipe's size
  /// The same for the samples that are left over when the test set is cut into such batches; so every sample counts
  /// once without a mask in the loss.
  std::optional<Program> evaluateRest;
};

/// Means over samples, by the name of the program's output: "loss", "accuracy", ...
using Metrics = std::map<std::string, double>;

/// Tensors by the name of the program's argument.
using TensorMap = std::map<std::string, HostTensor>;

/// Trains one network on one data set. Equal programs, data, recipe and number of threads give equal bits.
class Trainer {
public:
  /// The data sets must outlive the trainer. Fails if images do not fit the network's input, or if a label is beyond
  /// its classes.
  static Expected<Trainer> create(TrainingPrograms programs, const Dataset &train, const Dataset &test,
                                  const Normalisation &normalisation, const Recipe &recipe);

  /// Draws parameters, states and slots that `initializers` names; the others start at 0.
  Status initialize(const InitializerTable &initializers);
  /// Replaces parameters and states by name. Names that the network does not have, and shapes that do not fit, are
  /// InvalidInput; the first message lists up to three.
  Status load(const TensorMap &tensors);
  /// Parameters and states, in logical layout.
  Expected<TensorMap> weights() const;

  int64_t stepsPerEpoch() const { return loader.numBatches(); }
  int64_t batch() const { return recipe.batch; }

  /// One pass over the training set; `onStep` sees the metrics of each batch. Only the first step allocates. A loss,
  /// parameter or state that is not finite ends the run with an error that names the step, and the op and the parameter
  /// where it arose.
  Expected<Metrics> trainEpoch(int64_t epoch, const std::function<void(int64_t step, const Metrics &)> &onStep);

  /// Means over the test set.
  Expected<Metrics> evaluate();

private:
  Trainer(TrainingPrograms programs, BatchLoader loader, BatchLoader testLoader, Recipe recipe)
      : programs(std::move(programs)), loader(std::move(loader)), testLoader(std::move(testLoader)),
        recipe(std::move(recipe)) {}

  /// A program's batch inputs and the tensors that are copied into them.
  struct BatchInputs {
    PlaceId images = 0, labels = 0;
    std::optional<HostTensor> imageTensor, labelTensor;
  };
  static Expected<BatchInputs> findInputs(Program &program, const ImageShape &shape);
  void read(const BatchLoader &source, int64_t index, BatchInputs &inputs);
  static Status runBatch(Program &program, const BatchInputs &inputs);
  void readMetrics(Program &program);
  /// Sets a scalar of `step`, if the network has one of that name.
  void setHyper(std::string_view name, double value);
  /// Copies all stored tensors, so that a step which goes wrong can be run again and looked at.
  void takeSnapshot();
  Status explainNonFinite(int64_t step);
  bool storedIsFinite();

  TrainingPrograms programs;
  BatchLoader loader, testLoader;
  Recipe recipe;
  BatchInputs stepInputs, evaluateInputs, restInputs;
  std::vector<PlaceId> stored; ///< parameters, states and slots of `step`
  std::vector<std::vector<uint8_t>> snapshot;
  std::vector<float> mask;
  Metrics metrics; ///< of the last batch; kept, so that a step allocates nothing
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_TRAIN_TRAINER_H
