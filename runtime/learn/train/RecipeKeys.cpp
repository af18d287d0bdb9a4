//===- RecipeKeys.cpp - the keys of a recipe ------------------------------===//

#include "RecipeKeys.h"

#include "espalier/Runtime/CPU/Parallel.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

using namespace espalier::rt;
using namespace espalier::rt::keys;

const std::vector<KeyRecord> &keys::keyRecords() {
  constexpr int64_t maxCount = int64_t(1) << 31;
  auto list = [] {
    std::vector<KeyRecord> records = {
        {"precision", Choice<TrainingPrecision>{&Recipe::precision, {"f32", "bf16"}},
         "what is computed in; bf16 is mixed: convolutions, matrix products and what flows between them in bf16; "
         "weights, norms, sums, losses, gradients of weights and the optimiser in f32"},
        {"optimiser", Choice<Optimiser>{&Recipe::optimiser, {"sgd", "adam", "adamw", "rmsprop"}}, "the update rule"},
        {"learning_rate", Number{&Recipe::learningRate, 0, inf, /*openMin=*/true},
         "step size at the top of the schedule"},
        {"momentum", Number{&Recipe::momentum, 0, 1, false, /*openMax=*/true}, "momentum of sgd and rmsprop"},
        {"nesterov", Boolean{&Recipe::nesterov}, "Nesterov's form of momentum; needs momentum"},
        {"weight_decay", Number{&Recipe::weightDecay, 0},
         "added to the gradient times the weight (sgd, adam, rmsprop), or taken off the weight itself (adamw)"},
        {"decay_norms_and_biases", Boolean{&Recipe::decayNormsAndBiases},
         "whether weight decay is for all parameters; false leaves out those of rank 0 and 1, which are the scales of "
         "norms and all biases"},
        {"groups", Groups{&Recipe::groups}, "settings by parameter; the first group that matches a parameter decides"},
        {"clip_norm", Number{&Recipe::clipNorm, 0}, "largest Euclidean norm of the whole gradient; 0 does not clip"},
        {"clip_value", Number{&Recipe::clipValue, 0},
         "largest absolute value of each element of the gradient; 0 does not clip"},
        {"betas", Betas{&Recipe::betas}, "decay of the two moments of adam and adamw"},
        {"epsilon", Number{&Recipe::epsilon, 0, inf, /*openMin=*/true},
         "added to the denominator of adam, adamw and rmsprop"},
        {"alpha", Number{&Recipe::alpha, 0, 1, false, /*openMax=*/true}, "decay of the moments of rmsprop"},
        {"centred", Boolean{&Recipe::centred}, "rmsprop divides by the deviation from the mean gradient"},
        {"epochs", Integer{&Recipe::epochs, 1, maxCount}, "passes over the training set"},
        {"batch", Integer{&Recipe::batch, 1, maxCount}, "images of one step; a last, smaller batch is left out"},
        {"accumulate", Integer{&Recipe::accumulate, 1, maxCount},
         "equal parts that a batch is cut into; they run one after the other, and the step takes the mean of their "
         "gradients: that of the whole batch, but for batch norm, which normalises each part by itself"},
        {"seed", Integer{&Recipe::seed, 0, INT64_MAX}, "of the initial weights, the order of the images and dropout"},
        {"threads", Integer{&Recipe::threads, 0, maxThreads}, "processor threads; 0 is one for each core"},
        {"deterministic", Boolean{&Recipe::deterministic},
         "the same bits for any number of threads, at some cost; otherwise only runs with equally many have the same"},
        {"schedule",
         Choice<Schedule>{&Recipe::schedule, {"constant", "cosine", "multi-step", "step", "one-cycle", "polynomial"}},
         "how the learning rate falls"},
        {"milestones", IntegerList{&Recipe::milestones},
         "epochs at which multi-step multiplies the learning rate by gamma, rising"},
        {"gamma", Number{&Recipe::gamma, 0, 1, /*openMin=*/true}, "factor of multi-step and step"},
        {"step_epochs", Integer{&Recipe::stepEpochs, 1, maxCount},
         "epochs after which step multiplies the learning rate by gamma, again and again"},
        {"min_learning_rate", Number{&Recipe::minLearningRate, 0}, "where cosine and polynomial end"},
        {"power", Number{&Recipe::power, 0, inf, /*openMin=*/true}, "exponent of polynomial; 1 is a straight line"},
        {"one_cycle.rise", Number{&Recipe::oneCycleRise, 0, 1, false, /*openMax=*/true},
         "share of the run in which one-cycle rises to learning_rate"},
        {"one_cycle.start_divisor", Number{&Recipe::oneCycleStartDivisor, 0, inf, /*openMin=*/true},
         "one-cycle starts at learning_rate over this"},
        {"one_cycle.end_divisor", Number{&Recipe::oneCycleEndDivisor, 0, inf, /*openMin=*/true},
         "one-cycle ends at its start over this"},
        {"warmup_epochs", Integer{&Recipe::warmupEpochs, 0, maxCount},
         "epochs in which the learning rate rises to its top, before the schedule begins; not with one-cycle"},
        {"loss", Text{&Recipe::loss},
         "an fn of the architecture file or the prelude; empty: cross_entropy, or soft_cross_entropy with mixup and "
         "cutmix"},
        {"label_smoothing", Number{&Recipe::labelSmoothing, 0, 1},
         "share of a target that is spread over all classes: the parameter `smoothing` of the loss"},
        {"ema.decay", Number{&Recipe::emaDecay, 0, 1, false, /*openMax=*/true},
         "weight of the old value in a moving average of weights and running statistics, which evaluation and the "
         "weights of the run then use; 0: none"},
        {"ema.warmup", Boolean{&Recipe::emaWarmup},
         "average over fewer steps at first: the decay of step t is at most 1 - t^(-2/3)"},
        {"gradient_scaling.source",
         Choice<GradientScaling>{&Recipe::gradientScaling, {"none", "fixed", "mutual-information"}},
         "matrices that multiply the gradients of filters, element by element over the window: given by block or "
         "matrix, "
         "or estimated from the inputs of the convolutions"},
        {"gradient_scaling.block", Choice<ScalingBlock>{&Recipe::scalingBlock, {"none", "acnet", "repvgg"}},
         "for fixed: branches that the matrix stands for, KxK + 1xK + Kx1 or KxK + 1x1"},
        {"gradient_scaling.matrix", Matrix{&Recipe::scalingMatrix},
         "for fixed, in place of block: the matrix of the convolutions whose window it fits; others are not scaled"},
        {"gradient_scaling.temperature", Number{&Recipe::scalingTemperature, 0, inf, /*openMin=*/true},
         "for mutual-information: k in k d / ((k - 1) d + 1), which flattens dependences d in 0..1; 1 leaves them, "
         "large "
         "ones make matrices of ones"},
        {"gradient_scaling.interval", Integer{&Recipe::scalingInterval, 1, maxCount},
         "for mutual-information: estimates are made before each epoch that this divides"},
        {"gradient_scaling.warmup", Integer{&Recipe::scalingWarmup, 0, maxCount},
         "for mutual-information: epochs before the first estimate; matrices are ones until then"},
        {"gradient_scaling.batches", Integer{&Recipe::scalingBatches, 1, maxCount},
         "for mutual-information: training batches of one estimate"},
        {"gradient_scaling.remove_diagonal", Boolean{&Recipe::scalingRemovesDiagonal},
         "for mutual-information: leave out pairs with a zero, and pairs of equal values"},
        {"mean", PerChannel{&Recipe::mean, false},
         "subtracted from each channel of pixels in 0..1; auto computes it from the training set"},
        {"std", PerChannel{&Recipe::deviation, true},
         "divides each channel after that; auto computes it from the training set"},
        {"network", Path{&Recipe::network}, "the architecture file, where the command line names none"},
        {"data", Path{&Recipe::data}, "the folder of the data set, where the command line names none"},
        {"branches.block", Path{&Recipe::branchBlock, ".esp"},
         "block of branches that convolutions are trained as: acnet, dbb, mobileone, orepa, repvgg, FILE.esp or "
         "FILE.esp:BLOCK; empty: none"},
        {"branches.start", Choice<BranchStart>{&Recipe::branchStart, {"paper", "preserve"}},
         "how their parameters start: as the block says, or so that the network computes what the plain one does"},
        {"branches.fold", Choice<BranchFolding>{&Recipe::branchFolding, {"none", "online", "norms-after"}},
         "what a step makes of branches, the network's own too: images to add up; one convolution with a computed "
         "filter, "
         "where that is exact; or that with one norm behind each sum in place of the branches' norms"},
        {"growth.interval", Integer{&Recipe::growthInterval, 0, maxCount},
         "epochs after which weak branches are cut and one convolution grows another, again and again; 0: never"},
        {"growth.until", Integer{&Recipe::growthUntil, 0, maxCount},
         "last epoch, counted from 0, before which that is done; 0: that of the run"},
        {"growth.blocks", PathList{&Recipe::growthBlocks, ".esp"},
         "branches that may grow, one of which is drawn: names, FILE.esp or FILE.esp:BLOCK"},
        {"growth.score", Choice<GrowthScore>{&Recipe::growthScore, {"synflow", "snip", "gradient-norm", "random"}},
         "what is largest, summed up over the steps since the last time, for the filter that grows: sum W g, "
         "sum |W g|, the norm of g, or a random number"},
        {"growth.cut", Boolean{&Recipe::growthCuts}, "whether branches are cut"},
        {"growth.batches", Integer{&Recipe::growthBatches, 1, maxCount},
         "training batches that the statistics of a new branch are taken from"},
        {"init_from", Path{&Recipe::initFrom}, "weights to start from (safetensors)"},
        {"skip_mismatched", Boolean{&Recipe::skipMismatched},
         "start from init_from even where tensors are missing, unexpected or of another shape; those keep their "
         "initial "
         "values, as the last layer does when the number of classes changes"},
        {"checkpoint_every", Integer{&Recipe::checkpointEvery, 0, maxCount},
         "steps between checkpoints; there is one at the end of each epoch in any case, and with 0 no other"},
        {"keep", Integer{&Recipe::keep, 1, 1'000'000}, "checkpoints that are kept, besides the best one"},
        {"loading.memory", Number{&Recipe::dataMemory, 0},
         "GiB of decoded samples to keep, for each part of a data set"},
        {"loading.workers", Integer{&Recipe::dataWorkers, 1, 256}, "threads that decode and augment ahead of the step"},
        {"loading.skip_damaged", Boolean{&Recipe::skipDamaged},
         "leave damaged samples out and count them instead of failing"},
        {"loading.channels", Integer{&Recipe::dataChannels, 0, 3},
         "channels that the images of a folder are converted to, 1 or 3; 0: those of the first image"},
        {"loading.label_column", Text{&Recipe::labelColumn},
         "column of a table that holds the class; empty: label, class, target or identity, else the last"},
    };
    for (const AugmentationRecord &record : augmentationRecords())
      records.push_back({fmt::format("augment.{}", record.name), Switch{&Recipe::augment, &record}, record.summary});
    for (const AugmentationRecord &record : augmentationRecords())
      if (record.isDeterministic)
        records.push_back(
            {fmt::format("evaluate.{}", record.name), Switch{&Recipe::evaluate, &record}, record.summary});
    return records;
  };
  static const std::vector<KeyRecord> records = list();
  return records;
}

const KeyRecord *keys::findKey(std::string_view name) {
  const std::vector<KeyRecord> &records = keyRecords();
  auto found = std::find_if(records.begin(), records.end(), [&](const KeyRecord &r) { return r.name == name; });
  return found == records.end() ? nullptr : &*found;
}

const std::vector<RecipeKey> &keys::groupKeys() {
  static const std::vector<RecipeKey> keys = {
      {"match", "string", "", "", "pattern for paths: * is any characters, ? is one, [ab] one of these; needed"},
      {"weight_decay", "number", "at least 0", "", "weight decay of the group; absent: that of the recipe"},
      {"learning_rate_factor", "number", "at least 0", "1", "multiplies the learning rate"},
      {"frozen", "boolean", "", "false", "keeps the parameters as they are; running statistics still move"},
  };
  return keys;
}

//===----------------------------------------------------------------------===//
// Documentation
//===----------------------------------------------------------------------===//

std::string keys::formatRange(const AugmentationKey &key) {
  return fmt::format("{} {} and at most {}", key.openMin ? "above" : "at least", key.min, key.max);
}

std::string keys::formatRange(const Number &number) {
  std::string range = fmt::format("{} {}", number.openMin ? "above" : "at least", number.min);
  if (number.max != inf)
    range += fmt::format(" and {} {}", number.openMax ? "below" : "at most", number.max);
  return range;
}

namespace {

/// Type, range and default of a key for people.
struct KeyDescriber {
  RecipeKey &key;
  const Recipe defaults = {};

  void operator()(const Number &number) const {
    key.type = "number";
    key.range = formatRange(number);
    key.defaultValue = fmt::format("{}", defaults.*number.field);
  }
  void operator()(const Integer &integer) const {
    key.type = "integer";
    key.range = fmt::format("at least {}", integer.min);
    key.defaultValue = fmt::format("{}", defaults.*integer.field);
  }
  void operator()(const Boolean &boolean) const {
    key.type = "boolean";
    key.defaultValue = fmt::format("{}", defaults.*boolean.field);
  }
  template <typename Enum> void operator()(const Choice<Enum> &choice) const {
    key.type = "string";
    key.range = fmt::format("\"{}\"", fmt::join(choice.names, "\", \""));
    key.defaultValue = fmt::format("\"{}\"", choice.names[static_cast<size_t>(defaults.*choice.field)]);
  }
  void operator()(const IntegerList &list) const {
    key.type = "list of integers";
    key.range = "each at least 1";
    key.defaultValue = fmt::format("[{}]", fmt::join(defaults.*list.field, ", "));
  }
  void operator()(const Matrix &) const {
    key.type = "list of lists of numbers";
    key.range = "as many rows and columns as a window has, each number above 0";
    key.defaultValue = "[]";
  }
  void operator()(const Betas &betas) const {
    key.type = "list of two numbers";
    key.range = "each at least 0 and below 1";
    key.defaultValue = fmt::format("[{}]", fmt::join(defaults.*betas.field, ", "));
  }
  void operator()(const PerChannel &perChannel) const {
    key.type = "\"auto\" or list of numbers";
    key.range = perChannel.positive ? "one for each channel, above 0" : "one for each channel";
    key.defaultValue = "\"auto\"";
  }
  void operator()(const Text &text) const {
    key.type = "string";
    key.defaultValue = fmt::format("\"{}\"", defaults.*text.field);
  }
  void operator()(const Switch &) const {
    key.type = "boolean or table";
    key.defaultValue = "false";
  }

  void operator()(const Groups &) const {
    key.type = "list of tables";
    key.defaultValue = "[]";
  }

  void operator()(const PathList &list) const {
    key.type = "list of strings";
    key.range = "at least one";
    key.defaultValue = fmt::format("[\"{}\"]", fmt::join(defaults.*list.field, "\", \""));
  }

  void operator()(const Path &) const {
    key.type = "string";
    key.defaultValue = "\"\"";
  }
};

} // namespace

std::vector<RecipeKey> espalier::rt::recipeKeys() {
  std::vector<RecipeKey> keys;
  for (const KeyRecord &record : keyRecords()) {
    RecipeKey key;
    key.name = record.name;
    key.summary = record.summary;
    std::visit(KeyDescriber{key}, record.kind);
    keys.push_back(std::move(key));
    if (std::holds_alternative<Groups>(record.kind))
      for (RecipeKey part : groupKeys()) {
        part.name.insert(0, record.name + "[].");
        keys.push_back(std::move(part));
      }
    if (const auto *augmentation = std::get_if<Switch>(&record.kind))
      for (const AugmentationKey &part : augmentation->augmentation->keys)
        keys.push_back({fmt::format("{}.{}", record.name, part.name), part.isInteger ? "integer" : "number",
                        formatRange(part), fmt::format("{:.6g}", part.defaultValue), std::string(part.summary)});
  }
  return keys;
}
