//===- Recipe.h - How to train: a TOML file ---------------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_TRAIN_RECIPE_H
#define ESPALIER_RUNTIME_TRAIN_RECIPE_H

#include "espalier/Runtime/Core/Status.h"
#include "espalier/Runtime/Data/Augmentation.h"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace espalier::rt {

enum class Optimiser { SGD, Adam, AdamW, RMSprop };
enum class Schedule { Constant, Cosine, MultiStep, Step, OneCycle, Polynomial };

enum class TrainingPrecision { F32, BF16 };

/// How the parameters of a network with branches start: as the block says, or so that it computes what the plain one
/// does.
enum class BranchStart { Paper, Preserve };
/// What a training step makes of branches: images that are added up; one convolution whose filter is computed in every
/// step, where that is exact; or that with the norms of a sum's branches replaced by one behind it.
enum class BranchFolding { None, Online, NormsAfter };

/// Where the matrices come from that multiply the gradients of filters.
enum class GradientScaling { None, Fixed, MutualInformation };
/// Branches that a fixed matrix stands for.
enum class ScalingBlock { None, ACNet, RepVGG };

/// By what the convolution is chosen that grows a branch: sums over its filter W and the gradient g of it.
enum class GrowthScore { Synflow, Snip, GradientNorm, Random };

/// A place in a recipe file; line and column count from 1.
struct RecipeLocation {
  std::string file; ///< empty: not from a file
  unsigned line = 0;
  unsigned column = 0;

  /// "file:line:column: ", how a message begins; empty without a file.
  std::string prefix() const;
};

/// Settings of the parameters whose paths match a pattern.
struct ParameterGroup {
  std::string match; ///< `*` stands for any characters, `?` for one, `[ab]` for one of these
  std::optional<double> weightDecay;
  double learningRateFactor = 1;
  bool frozen = false;
  RecipeLocation location; ///< of `match`
};

/// Everything a training run depends on besides the network and the data. The meaning, range and default of each field
/// stand in recipeKeys(), under the same name in snake_case.
struct Recipe {
  TrainingPrecision precision = TrainingPrecision::F32;
  Optimiser optimiser = Optimiser::SGD;
  double learningRate = 0.1;
  double momentum = 0.9;
  bool nesterov = false;
  double weightDecay = 0.0005;
  bool decayNormsAndBiases = true;
  std::vector<ParameterGroup> groups; ///< the first that matches a parameter decides
  double clipNorm = 0;
  double clipValue = 0;
  std::array<double, 2> betas = {0.9, 0.999};
  double alpha = 0.99;
  bool centred = false;
  double epsilon = 1e-8;
  int64_t epochs = 10;
  int64_t batch = 128;
  int64_t accumulate = 1;
  int64_t seed = 0;
  int64_t threads = 0;
  bool deterministic = false;
  Schedule schedule = Schedule::Constant;
  std::vector<int64_t> milestones;
  double gamma = 0.1;
  int64_t stepEpochs = 30;
  double minLearningRate = 0;
  double power = 1;
  double oneCycleRise = 0.3;
  double oneCycleStartDivisor = 25;
  double oneCycleEndDivisor = 10000;
  int64_t warmupEpochs = 0;
  std::string loss;
  double labelSmoothing = 0;
  double emaDecay = 0;
  bool emaWarmup = false;

  /// \name The table `gradient_scaling`.
  /// @{
  GradientScaling gradientScaling = GradientScaling::None; ///< the key `source`
  std::vector<std::vector<double>> scalingMatrix;          ///< rows; empty if none is given
  ScalingBlock scalingBlock = ScalingBlock::None;
  double scalingTemperature = 5;
  int64_t scalingInterval = 5; ///< epochs
  int64_t scalingBatches = 2;
  int64_t scalingWarmup = 1; ///< epochs
  bool scalingRemovesDiagonal = false;
  /// @}

  /// Per channel, on pixels scaled to 0..1; absent when computed from the training set.
  std::optional<std::vector<double>> mean;
  std::optional<std::vector<double>> deviation; ///< the key `std`
  double dataMemory = 4;                        ///< GiB
  int64_t dataWorkers = 1;
  bool skipDamaged = false;
  int64_t dataChannels = 0;
  std::string labelColumn;
  AugmentationSettings augment;  ///< of training samples
  AugmentationSettings evaluate; ///< of test samples

  /// The `loading` keys as the data sets take them.
  DatasetOptions datasetOptions() const;

  /// \name What is trained, on what. Flags of the command line may give them instead.
  /// @{
  std::string network;
  std::string data;
  /// \name The table `branches`.
  /// @{
  std::string branchBlock; ///< the key `block`; empty: none
  BranchStart branchStart = BranchStart::Paper;
  BranchFolding branchFolding = BranchFolding::None; ///< the key `fold`
  /// @}

  /// \name The table `growth`.
  /// @{
  int64_t growthInterval = 0; ///< epochs; 0: branches stay as they are
  int64_t growthUntil = 0;    ///< epoch; 0: the last one
  std::vector<std::string> growthBlocks = {"dyrep_point", "dyrep_chain",  "dyrep_average", "dyrep_square",
                                           "dyrep_row",   "dyrep_column", "dyrep_identity"};
  GrowthScore growthScore = GrowthScore::Synflow;
  bool growthCuts = true; ///< the key `cut`
  int64_t growthBatches = 20;
  /// @}

  std::string initFrom;
  bool skipMismatched = false;
  /// @}

  int64_t checkpointEvery = 0;
  int64_t keep = 3;

  /// Where the recipe file gives keys; those that it does not give, or that flags override, are absent.
  std::map<std::string, RecipeLocation, std::less<>> locations;
  /// Where the file gives the first of `keys` that it gives; for messages.
  RecipeLocation locate(std::initializer_list<std::string_view> keys) const;

  /// Images of one run of a compiled program: `batch` is cut into `accumulate` parts of this size.
  int64_t partSize() const { return batch / accumulate; }

  /// The learning rate of optimiser step `step` (from 0) of a run with `stepsPerEpoch` steps an epoch. It rises from
  /// learning_rate / w during the w steps of the warm-up; then, with t from 0 to 1 over the rest of the run, it is
  /// constant, or falls to min_learning_rate along half a cosine or as (1 - t)^power, or by gamma from each milestone's
  /// epoch on, or by gamma after each step_epochs. One-cycle rises from learning_rate / start_divisor and falls to that
  /// over end_divisor, along half cosines. All are PyTorch's schedulers, stepped after every batch.
  double learningRateAt(int64_t step, int64_t stepsPerEpoch) const;

  /// Whether scales of gradients are estimated before an epoch, from 0: before `scalingWarmup`, and before each one
  /// after it that `scalingInterval` divides.
  bool estimatesGradientScales(int64_t epoch) const;
  /// Whether branches are cut and grown before an epoch, from 0: before each that `growthInterval` divides, but the
  /// first, up to `growthUntil`.
  bool growsBranches(int64_t epoch) const;
};

/// What the documentation says of one key. Keys of tables have their names: `loading.memory`.
struct RecipeKey {
  std::string name;
  std::string type;
  std::string range; ///< empty if every value of the type is allowed
  std::string defaultValue;
  std::string summary;
};

/// Every key of a recipe, in the order of the documentation.
std::vector<RecipeKey> recipeKeys();

/// Reads recipe text; `name` is the file in messages, which have the form `name:line:column: ...`. Without a name the
/// recipe and messages have no locations.
Expected<Recipe> parseRecipe(std::string_view text, const std::string &name);

/// parseRecipe() of a file. Paths in it count from the folder of the file.
Expected<Recipe> readRecipe(const std::string &path);

/// A key of a recipe and its value as a recipe file would give it: `0.1`, `"cosine"`, `[30, 60]`.
using RecipeValue = std::pair<std::string, std::string>;

/// Every key with its value, in the order of the documentation; parseRecipe() of the lines `key = value` gives an equal
/// recipe.
std::vector<RecipeValue> recipeValues(const Recipe &recipe);

/// The text of a recipe file that gives every key.
std::string formatRecipe(const Recipe &recipe);

/// The keys of recipeValues() whose values may differ between two runs without a difference in what a step computes:
/// where files are, how many threads, how often to save, how many epochs.
bool isRunKey(std::string_view key);

/// Replaces values by `KEY=VALUE`, written as in the file (quotes around words may be omitted, around paths they must
/// be): what command-line flags do. `lr` is short for `learning_rate`. What only several keys can say together is
/// checked at the end; on an error the recipe stays as it is.
Status overrideRecipe(Recipe &recipe, const std::vector<std::string> &settings);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_TRAIN_RECIPE_H
