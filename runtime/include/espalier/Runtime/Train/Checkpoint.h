//===- Checkpoint.h - All that a training run is made of --------*- C++ -*-===//
//
// A checkpoint is one safetensors file, so that it is there in full or not at all. Parameters and states lie in it
// under their own names and in logical layout: any program that reads weights reads it. Optimiser slots are tensors
// whose name has a '#' (`fc.weight#momentum`). Everything else is JSON in the metadata `espalier.checkpoint`, and
// `espalier.checksum` is the SHA-256 of JSON, other metadata and tensors.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_RUNTIME_TRAIN_CHECKPOINT_H
#define ESPALIER_RUNTIME_TRAIN_CHECKPOINT_H

#include "espalier/Runtime/Core/Safetensors.h"
#include "espalier/Runtime/Train/Recipe.h"

#include <map>

namespace espalier::rt {

/// Means over samples, by the name of the program's output: "loss", "accuracy", ...
using Metrics = std::map<std::string, double>;

/// Tensors by the name of the program's argument.
using TensorMap = std::map<std::string, HostTensor>;

/// What one epoch gave.
struct EpochRecord {
  int64_t epoch = 0; ///< from 1
  int64_t step = 0;  ///< steps of the run up to its end
  Metrics train;     ///< means over the steps of the epoch
  Metrics test;
  double learningRate = 0; ///< of the last step
  double seconds = 0;      ///< training, without evaluation
  double imagesPerSecond = 0;
  int64_t peakBytes = 0; ///< most memory that the process had so far
  double endTime = 0;    ///< seconds since 1970
  /// What multiplied the gradients of filters, by path, in rows; of epochs before which it was estimated.
  std::map<std::string, std::vector<std::vector<double>>> gradientScales;
};

/// How far a run has come, between two steps. The order of the samples and all random numbers follow from the recipe's
/// seed and the number of the step, the learning rate from the step and the recipe: they need no state of their own.
struct RunPosition {
  int64_t step = 0;                 ///< steps done
  Metrics sums;                     ///< of the metrics of the steps of the epoch that is under way
  double seconds = 0;               ///< that these steps took
  std::vector<EpochRecord> history; ///< epochs that are trained and evaluated
  /// What was done to the network since the run began, in order and in the words of the ProgramProvider that did it.
  /// The tensors of a checkpoint are for the network after that.
  std::vector<std::string> edits;
  int64_t editedStep = 0; ///< the last step before which the provider was asked for edits
};

/// What a run computes with. Two runs with equal identities compute equal bits.
struct RunIdentity {
  std::string network;              ///< name of the architecture
  std::string networkDigest;        ///< of its graph
  std::string loss;                 ///< name of the loss
  std::vector<RecipeValue> recipe;  ///< as recipeValues() gives it
  std::string data;                 ///< "1437 + 360 images of 1x8x8, 10 classes"
  std::string dataDigest;           ///< of the training set and the test set
  std::string processor;            ///< that the code was made for
  std::string artifactDigest;       ///< of the compiled step
  std::vector<std::string> kernels; ///< what computes each row of the step
  int64_t threads = 0;
};

struct Checkpoint {
  TensorMap tensors; ///< parameters, states and slots
  RunPosition position;
  RunIdentity identity;
  Metadata metadata; ///< further entries for the file
};

/// Whether a tensor belongs to the optimiser, by its name.
bool isSlotName(std::string_view name);
/// The slot with the moving average of a parameter or state.
std::string averageName(const std::string &path);

/// Writes the file atomically.
Status writeCheckpoint(const std::string &path, const Checkpoint &checkpoint);

/// Reads a file and compares its checksum; a failure names the file and what is wrong with it.
Expected<Checkpoint> readCheckpoint(const std::string &path);

/// Whether metadata is that of a checkpoint.
bool isCheckpoint(const Metadata &metadata);

/// What prevents a run with the identity `now` from going on where one with `then` stopped, a line each: another
/// network, loss, data set or recipe, or fewer epochs.
std::vector<std::string> findConflicts(const RunIdentity &then, const RunIdentity &now);

/// What makes the bits differ from those of an uninterrupted run, though the run may go on: other kernels, another
/// number of threads, more epochs.
std::vector<std::string> findDeviations(const RunIdentity &then, const RunIdentity &now);

/// \name As JSON text, the form that checkpoints have. Numbers that JSON lacks are strings ("nan", "inf").
/// @{
std::string toJson(const EpochRecord &record);
std::string toJson(const RunIdentity &identity);
/// @}

/// The inverse of toJson().
Expected<RunIdentity> parseIdentity(std::string_view text);

/// The recipe that an identity has.
Expected<Recipe> recipeOf(const RunIdentity &identity);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_TRAIN_CHECKPOINT_H
