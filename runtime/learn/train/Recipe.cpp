//===- Recipe.cpp - How to train: a TOML file -----------------------------===//

#include "espalier/Runtime/Train/Recipe.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Core/Text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <variant>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

using namespace espalier::rt;

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

struct Number {
  double Recipe::*field;
  double min;
  double max = inf;
  bool openMin = false; ///< min itself is not allowed
  bool openMax = false;
};
struct Integer {
  int64_t Recipe::*field;
  int64_t min;
  int64_t max;
};
struct Boolean {
  bool Recipe::*field;
};
template <typename Enum> struct Choice {
  Enum Recipe::*field;
  std::vector<std::string_view> names; ///< in the order of the enum
};
struct IntegerList {
  std::vector<int64_t> Recipe::*field;
};
struct Betas {
  std::array<double, 2> Recipe::*field;
};
/// A number for each channel, or "auto".
struct PerChannel {
  std::optional<std::vector<double>> Recipe::*field;
  bool positive;
};

/// A file or folder.
struct Path {
  std::string Recipe::*field;
};
struct Text {
  std::string Recipe::*field;
};
/// Switches one augmentation on: true, or a table with values of its keys.
struct Switch {
  AugmentationSettings Recipe::*field;
  const AugmentationRecord *augmentation;
};
/// A list of tables with the keys of groupKeys().
struct Groups {
  std::vector<ParameterGroup> Recipe::*field;
};

using KeyKind = std::variant<Number, Integer, Boolean, Choice<TrainingPrecision>, Choice<Optimiser>, Choice<Schedule>,
                             IntegerList, Betas, PerChannel, Path, Text, Switch, Groups>;

struct KeyRecord {
  std::string name;
  KeyKind kind;
  std::string_view summary;
};

} // namespace

/// The one place that knows the keys: reading, checking, defaults and documentation all derive from it.
static const std::vector<KeyRecord> &keyRecords() {
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
        {"threads", Integer{&Recipe::threads, 0, 4096}, "processor threads; 0 is one for each core"},
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
        {"mean", PerChannel{&Recipe::mean, false},
         "subtracted from each channel of pixels in 0..1; auto computes it from the training set"},
        {"std", PerChannel{&Recipe::deviation, true},
         "divides each channel after that; auto computes it from the training set"},
        {"network", Path{&Recipe::network}, "the architecture file, where the command line names none"},
        {"data", Path{&Recipe::data}, "the folder of the data set, where the command line names none"},
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

static const KeyRecord *findKey(std::string_view name) {
  const std::vector<KeyRecord> &records = keyRecords();
  auto found = std::find_if(records.begin(), records.end(), [&](const KeyRecord &r) { return r.name == name; });
  return found == records.end() ? nullptr : &*found;
}

/// Whether keys start with `name` and a dot.
static bool isTable(std::string_view name) {
  const std::vector<KeyRecord> &records = keyRecords();
  return std::any_of(records.begin(), records.end(), [&](const KeyRecord &record) {
    return record.name.size() > name.size() && record.name[name.size()] == '.' &&
           std::string_view(record.name).substr(0, name.size()) == name;
  });
}

/// The keys of a parameter group, as documentation has them.
static const std::vector<RecipeKey> &groupKeys() {
  static const std::vector<RecipeKey> keys = {
      {"match", "string", "", "", "pattern for paths: * is any characters, ? is one, [ab] one of these; needed"},
      {"weight_decay", "number", "at least 0", "", "weight decay of the group; absent: that of the recipe"},
      {"learning_rate_factor", "number", "at least 0", "1", "multiplies the learning rate"},
      {"frozen", "boolean", "", "false", "keeps the parameters as they are; running statistics still move"},
  };
  return keys;
}

static std::string unknownKey(std::string_view name) {
  std::vector<std::string> all;
  for (const RecipeKey &key : groupKeys())
    all.push_back("groups." + key.name);
  for (const KeyRecord &record : keyRecords()) {
    all.push_back(record.name);
    if (const auto *augmentation = std::get_if<Switch>(&record.kind))
      for (const AugmentationKey &key : augmentation->augmentation->keys)
        all.push_back(fmt::format("{}.{}", record.name, key.name));
  }
  std::vector<std::string_view> names(all.begin(), all.end());
  std::string_view closest = closestMatch(name, names);
  return fmt::format("unknown key {}{}", quote(name),
                     closest.empty() ? "" : fmt::format("; did you mean '{}'?", closest));
}

//===----------------------------------------------------------------------===//
// Documentation
//===----------------------------------------------------------------------===//

static std::string formatRange(const AugmentationKey &key) {
  return fmt::format("{} {} and at most {}", key.openMin ? "above" : "at least", key.min, key.max);
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

  void operator()(const Path &) const {
    key.type = "string";
    key.defaultValue = "\"\"";
  }

  static std::string formatRange(const Number &number) {
    std::string range = fmt::format("{} {}", number.openMin ? "above" : "at least", number.min);
    if (number.max != inf)
      range += fmt::format(" and {} {}", number.openMax ? "below" : "at most", number.max);
    return range;
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

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {

std::string_view describe(const toml::node &node) {
  switch (node.type()) {
  case toml::node_type::table:
    return "a table";
  case toml::node_type::array:
    return "a list";
  case toml::node_type::string:
    return "a string";
  case toml::node_type::integer:
    return "an integer";
  case toml::node_type::floating_point:
    return "a number";
  case toml::node_type::boolean:
    return "a boolean";
  default:
    return "a date or time";
  }
}

/// "file:line:column: ", or nothing for text that comes from no file.
std::string location(const std::string &fileName, toml::source_position position) {
  return fileName.empty() ? "" : fmt::format("{}:{}:{}: ", fileName, position.line, position.column);
}

/// Stores the value of one key after checking type and range.
class ValueReader {
public:
  ValueReader(Recipe &recipe, std::string_view key, const toml::node &node, const std::string &fileName)
      : recipe(recipe), key(key), node(node), fileName(fileName) {}

  Status operator()(const Number &number) const {
    std::optional<double> value = readNumber(node);
    if (!value)
      return expected(node, "a number", describe(node));
    bool tooSmall = number.openMin ? !(*value > number.min) : !(*value >= number.min);
    bool tooLarge = number.openMax ? !(*value < number.max) : !(*value <= number.max);
    if (tooSmall || tooLarge || !std::isfinite(*value))
      return expected(node, "a number " + KeyDescriber::formatRange(number), fmt::format("{}", *value));
    recipe.*number.field = *value;
    return {};
  }

  Status operator()(const Integer &integer) const {
    const toml::value<int64_t> *value = node.as_integer();
    if (!value)
      return expected(node, "an integer", describe(node));
    if (value->get() < integer.min || value->get() > integer.max)
      return expected(node, fmt::format("an integer from {} to {}", integer.min, integer.max),
                      fmt::format("{}", value->get()));
    recipe.*integer.field = value->get();
    return {};
  }

  Status operator()(const Boolean &boolean) const {
    const toml::value<bool> *value = node.as_boolean();
    if (!value)
      return expected(node, "true or false", describe(node));
    recipe.*boolean.field = value->get();
    return {};
  }

  template <typename Enum> Status operator()(const Choice<Enum> &choice) const {
    std::string wanted = fmt::format("one of '{}'", fmt::join(choice.names, "', '"));
    const toml::value<std::string> *value = node.as_string();
    if (!value)
      return expected(node, wanted, describe(node));
    auto found = std::find(choice.names.begin(), choice.names.end(), value->get());
    if (found == choice.names.end())
      return expected(node, wanted, quote(value->get()));
    recipe.*choice.field = static_cast<Enum>(found - choice.names.begin());
    return {};
  }

  Status operator()(const IntegerList &list) const {
    const toml::array *array = node.as_array();
    if (!array)
      return expected(node, "a list of integers", describe(node));
    std::vector<int64_t> values;
    for (const toml::node &element : *array) {
      const toml::value<int64_t> *value = element.as_integer();
      if (!value)
        return expected(element, "a list of integers", fmt::format("{} in it", describe(element)));
      if (value->get() < 1 || (!values.empty() && value->get() <= values.back()))
        return expected(element, "rising integers of at least 1", fmt::format("{} in the list", value->get()));
      values.push_back(value->get());
    }
    recipe.*list.field = std::move(values);
    return {};
  }

  Status operator()(const Betas &betas) const {
    Expected<std::vector<double>> values = readNumbers("two numbers");
    if (!values)
      return values.takeStatus();
    if (values->size() != 2)
      return expected(node, "two numbers", fmt::format("{}", values->size()));
    for (double value : *values)
      if (!(value >= 0 && value < 1))
        return expected(node, "numbers of at least 0 and below 1", fmt::format("{}", value));
    recipe.*betas.field = {(*values)[0], (*values)[1]};
    return {};
  }

  Status operator()(const PerChannel &perChannel) const {
    const toml::value<std::string> *word = node.as_string();
    if (word && word->get() == "auto") {
      (recipe.*perChannel.field).reset();
      return {};
    }
    Expected<std::vector<double>> values = readNumbers("'auto' or a list of numbers");
    if (!values)
      return values.takeStatus();
    if (values->size() != 1 && values->size() != 3)
      return expected(node, "1 or 3 channels", fmt::format("{}", values->size()));
    for (double value : *values)
      if (!std::isfinite(value) || (perChannel.positive && value <= 0))
        return expected(node, perChannel.positive ? "numbers above 0" : "finite numbers", fmt::format("{}", value));
    recipe.*perChannel.field = *std::move(values);
    return {};
  }

  Status operator()(const Path &path) const {
    const toml::value<std::string> *value = node.as_string();
    if (!value)
      return expected(node, "a string", describe(node));
    if (value->get().find('\0') != std::string::npos)
      return expected(node, "a path", "a string with a zero byte");
    recipe.*path.field = value->get();
    return {};
  }

  Status operator()(const Text &text) const {
    const toml::value<std::string> *value = node.as_string();
    if (!value)
      return expected(node, "a string", describe(node));
    recipe.*text.field = value->get();
    return {};
  }

  Status operator()(const Switch &option) const {
    AugmentationSettings &settings = recipe.*option.field;
    const AugmentationRecord &record = *option.augmentation;
    const toml::table *table = node.as_table();
    const toml::value<bool> *isOn = node.as_boolean();
    if (!table && !isOn)
      return expected(node, "true, false or a table", describe(node));
    if (isOn && !isOn->get()) {
      settings.erase(std::string(record.name));
      return {};
    }
    // A table that changes some values leaves the others.
    auto setting = settings.find(record.name);
    AugmentationValues values = setting == settings.end() ? record.defaults() : setting->second;
    if (table)
      for (auto &&[name, value] : *table)
        if (Status status = readAugmentationKey(record, name, value, values); !status.ok())
          return status;
    if (Expected<Augmentation> stage = record.create(values); !stage)
      return invalidInput("{}{}", location(fileName, node.source().begin), stage.status().message());
    settings[std::string(record.name)] = std::move(values);
    return {};
  }

  Status operator()(const Groups &groups) const {
    const toml::array *array = node.as_array();
    if (!array)
      return expected(node, "a list of tables", describe(node));
    std::vector<ParameterGroup> values;
    for (const toml::node &element : *array) {
      const toml::table *table = element.as_table();
      if (!table)
        return expected(element, "a list of tables", fmt::format("{} in it", describe(element)));
      ParameterGroup group;
      for (auto &&[name, value] : *table)
        if (Status status = readGroupKey(name, value, group); !status.ok())
          return status;
      if (group.match.empty())
        return invalidInput("{}a group expects 'match', a pattern for paths of parameters",
                            location(fileName, element.source().begin));
      values.push_back(std::move(group));
    }
    recipe.*groups.field = std::move(values);
    return {};
  }

private:
  Status readGroupKey(const toml::key &name, const toml::node &value, ParameterGroup &group) const {
    std::string fullName = fmt::format("groups.{}", name.str());
    auto expected = [&](std::string_view wanted, std::string_view got) {
      return invalidInput("{}'{}' expects {}, but got {}", location(fileName, value.source().begin), fullName, wanted,
                          got);
    };
    if (name.str() == "match") {
      const toml::value<std::string> *text = value.as_string();
      if (!text)
        return expected("a string", describe(value));
      if (text->get().empty() || text->get().find(':') != std::string::npos)
        return expected("a pattern for paths of parameters", quote(text->get()));
      group.match = text->get();
      return {};
    }
    if (name.str() == "frozen") {
      const toml::value<bool> *flag = value.as_boolean();
      if (!flag)
        return expected("true or false", describe(value));
      group.frozen = flag->get();
      return {};
    }
    bool isDecay = name.str() == "weight_decay";
    if (!isDecay && name.str() != "learning_rate_factor")
      return invalidInput("{}{}", location(fileName, name.source().begin), unknownKey(fullName));
    std::optional<double> number = readNumber(value);
    if (!number || !(*number >= 0) || !std::isfinite(*number))
      return expected("a number at least 0", number ? fmt::format("{}", *number) : std::string(describe(value)));
    if (isDecay)
      group.weightDecay = *number;
    else
      group.learningRateFactor = *number;
    return {};
  }

  Status readAugmentationKey(const AugmentationRecord &record, const toml::key &name, const toml::node &value,
                             AugmentationValues &values) const {
    std::string fullName = fmt::format("{}.{}", key, name.str());
    auto found = std::find_if(record.keys.begin(), record.keys.end(),
                              [&](const AugmentationKey &candidate) { return candidate.name == name.str(); });
    if (found == record.keys.end())
      return invalidInput("{}{}", location(fileName, name.source().begin), unknownKey(fullName));
    std::string wanted = fmt::format("{} {}", found->isInteger ? "an integer" : "a number", formatRange(*found));
    std::optional<double> number = readNumber(value);
    std::string got = number ? fmt::format("{}", *number) : std::string(describe(value));
    bool isType = number && (!found->isInteger || value.is_integer());
    bool inRange = isType && *number <= found->max && (found->openMin ? *number > found->min : *number >= found->min);
    if (!inRange)
      return invalidInput("{}'{}' expects {}, but got {}", location(fileName, value.source().begin), fullName, wanted,
                          got);
    values[static_cast<size_t>(found - record.keys.begin())] = *number;
    return {};
  }

  static std::optional<double> readNumber(const toml::node &node) {
    if (const toml::value<int64_t> *value = node.as_integer())
      return static_cast<double>(value->get());
    if (const toml::value<double> *value = node.as_floating_point())
      return value->get();
    return std::nullopt;
  }

  Expected<std::vector<double>> readNumbers(std::string_view wanted) const {
    const toml::array *array = node.as_array();
    if (!array)
      return expected(node, wanted, describe(node));
    std::vector<double> values;
    for (const toml::node &element : *array) {
      std::optional<double> value = readNumber(element);
      if (!value)
        return expected(element, wanted, fmt::format("{} in the list", describe(element)));
      values.push_back(*value);
    }
    return values;
  }

  Status expected(const toml::node &where, std::string_view wanted, std::string_view got) const {
    return invalidInput("{}'{}' expects {}, but got {}", location(fileName, where.source().begin), key, wanted, got);
  }

  Recipe &recipe;
  std::string_view key;
  const toml::node &node;
  const std::string &fileName;
};

} // namespace

/// What no key can check alone.
static Status checkCombinations(const Recipe &recipe) {
  if (recipe.nesterov && recipe.momentum == 0)
    return invalidInput("'nesterov' expects a momentum above 0");
  if (recipe.schedule == Schedule::MultiStep && recipe.milestones.empty())
    return invalidInput("schedule 'multi-step' expects 'milestones'");
  if (recipe.schedule == Schedule::OneCycle && recipe.warmupEpochs > 0)
    return invalidInput("'warmup_epochs' expects 0 with the schedule 'one-cycle', which has a rise of its own, but got "
                        "{}",
                        recipe.warmupEpochs);
  if (recipe.minLearningRate > recipe.learningRate)
    return invalidInput("'min_learning_rate' expects at most 'learning_rate' ({}), but got {}", recipe.learningRate,
                        recipe.minLearningRate);
  if (recipe.clipNorm > 0 && recipe.clipValue > 0)
    return invalidInput("'clip_norm' and 'clip_value' expect at most one of them above 0");
  if (recipe.batch % recipe.accumulate != 0)
    return invalidInput("'accumulate' expects a divisor of 'batch' ({}), but got {}", recipe.batch, recipe.accumulate);
  if (recipe.warmupEpochs > recipe.epochs)
    return invalidInput("'warmup_epochs' expects at most 'epochs' ({}), but got {}", recipe.epochs,
                        recipe.warmupEpochs);
  if (recipe.mean.has_value() != recipe.deviation.has_value())
    return invalidInput("'mean' and 'std' expect to be given both or computed both");
  if (recipe.dataChannels == 2)
    return invalidInput("'loading.channels' expects 0, 1 or 3, but got 2");
  if (recipe.mean && recipe.mean->size() != recipe.deviation->size())
    return invalidInput("'mean' and 'std' expect the same number of channels, but got {} and {}", recipe.mean->size(),
                        recipe.deviation->size());
  return {};
}

/// toml++ nests a table for each dot of a dotted key, without limit, and frees them recursively.
static Status checkDottedKeys(std::string_view text, const std::string &name) {
  constexpr size_t maxDots = 1000;
  size_t line = 1, dots = 0;
  for (char c : text) {
    if (c == '\n') {
      ++line;
      dots = 0;
    }
    dots += c == '.';
    if (dots > maxDots)
      return invalidInput("{}:{}:1: more than {} dots in one line", name, line, maxDots);
  }
  return {};
}

/// Reads `text` over the values of `recipe`. `name` is empty for text that comes from no file.
static Status readKeys(Recipe &recipe, std::string_view text, const std::string &name) {
  if (Status status = checkDottedKeys(text, name); !status.ok())
    return status;
  toml::parse_result result = toml::parse(text, name);
  if (!result)
    return invalidInput("{}{}", location(name, result.error().source().begin), result.error().description());
  // A table is ordered by name; people expect the first error of the file.
  struct Entry {
    std::string name;
    const toml::key *key;
    const toml::node *node;
  };
  std::vector<Entry> entries;
  std::vector<std::pair<std::string, const toml::table *>> tables = {{"", &result.table()}};
  while (!tables.empty()) {
    auto [prefix, table] = std::move(tables.back());
    tables.pop_back();
    for (auto &&[key, node] : *table) {
      std::string name = prefix + std::string(key.str());
      if (node.is_table() && !findKey(name) && isTable(name))
        tables.emplace_back(name + ".", node.as_table());
      else
        entries.push_back({std::move(name), &key, &node});
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry &a, const Entry &b) { return a.key->source().begin < b.key->source().begin; });
  for (const Entry &entry : entries) {
    const KeyRecord *record = findKey(entry.name);
    if (!record)
      return invalidInput("{}{}", location(name, entry.key->source().begin), unknownKey(entry.name));
    if (Status status = std::visit(ValueReader(recipe, record->name, *entry.node, name), record->kind); !status.ok())
      return status;
  }
  return {};
}

Expected<Recipe> espalier::rt::parseRecipe(std::string_view text, const std::string &name) {
  Recipe recipe;
  if (Status status = readKeys(recipe, text, name); !status.ok())
    return status;
  if (Status status = checkCombinations(recipe); !status.ok())
    return std::move(status).in(name);
  return recipe;
}

Expected<Recipe> espalier::rt::readRecipe(const std::string &path) {
  constexpr uint64_t maxBytes = 1 << 20;
  Expected<std::vector<uint8_t>> content = readFile(path, maxBytes);
  if (!content)
    return content.takeStatus();
  Expected<Recipe> recipe =
      parseRecipe(std::string_view(reinterpret_cast<const char *>(content->data()), content->size()), path);
  if (!recipe)
    return recipe;
  size_t slash = path.rfind('/');
  for (const KeyRecord &record : keyRecords())
    if (const Path *key = std::get_if<Path>(&record.kind); key && slash != std::string::npos) {
      std::string &value = (*recipe).*key->field;
      if (!value.empty() && value[0] != '/')
        value.insert(0, path, 0, slash + 1);
    }
  return recipe;
}

/// A basic string of TOML.
static std::string formatString(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      result += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      result += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    else
      result += c;
  }
  return result + '"';
}

/// Reads one `KEY=VALUE` over the values of `recipe`.
static Status readSetting(Recipe &recipe, const std::string &setting) {
  size_t equals = setting.find('=');
  if (equals == std::string::npos)
    return invalidInput("--set wants KEY=VALUE, but got '{}'", setting);
  std::string key = setting.substr(0, equals), value = setting.substr(equals + 1);
  if (key == "lr")
    key = "learning_rate";
  // A key of an augmentation is read as a table of the augmentation.
  size_t dot = key.rfind('.');
  const KeyRecord *record = findKey(key), *whole = dot == std::string::npos ? nullptr : findKey(key.substr(0, dot));
  if (!record && !(whole && std::holds_alternative<Switch>(whole->kind)))
    return invalidInput("{}", unknownKey(key));
  // The shell eats quotes: a bare word other than TOML's own is a string.
  bool isPath = record && std::holds_alternative<Path>(record->kind);
  bool isWord = !value.empty() && std::isalpha(static_cast<unsigned char>(value[0])) && value != "true" &&
                value != "false" && value.find_first_of("'\n") == std::string::npos;
  if (isPath)
    value = formatString(value);
  else if (isWord)
    value = fmt::format("'{}'", value);
  return readKeys(recipe, fmt::format("{} = {}", key, value), "");
}

Status espalier::rt::overrideRecipe(Recipe &recipe, const std::vector<std::string> &settings) {
  Recipe changed = recipe;
  Status status;
  for (const std::string &setting : settings)
    if (status = readSetting(changed, setting); !status.ok())
      break;
  if (status.ok())
    status = checkCombinations(changed);
  if (!status.ok())
    return usageError("{}", status.message());
  recipe = std::move(changed);
  return {};
}

DatasetOptions Recipe::datasetOptions() const {
  constexpr double bytesPerGiB = 1073741824, maxGiB = 1e9;
  DatasetOptions options;
  options.memoryBudget = static_cast<uint64_t>(std::min(dataMemory, maxGiB) * bytesPerGiB);
  options.skipDamaged = skipDamaged;
  options.channels = dataChannels;
  options.labelColumn = labelColumn;
  return options;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

namespace {

/// The value of a key as TOML; numbers have the digits that give the same bits again.
struct ValueFormatter {
  const Recipe &recipe;

  std::string operator()(const Number &number) const { return fmt::format("{}", recipe.*number.field); }
  std::string operator()(const Integer &integer) const { return fmt::format("{}", recipe.*integer.field); }
  std::string operator()(const Boolean &boolean) const { return fmt::format("{}", recipe.*boolean.field); }
  template <typename Enum> std::string operator()(const Choice<Enum> &choice) const {
    return formatString(choice.names[static_cast<size_t>(recipe.*choice.field)]);
  }
  std::string operator()(const IntegerList &list) const {
    return fmt::format("[{}]", fmt::join(recipe.*list.field, ", "));
  }
  std::string operator()(const Betas &betas) const { return fmt::format("[{}]", fmt::join(recipe.*betas.field, ", ")); }
  std::string operator()(const PerChannel &perChannel) const {
    const std::optional<std::vector<double>> &values = recipe.*perChannel.field;
    return values ? fmt::format("[{}]", fmt::join(*values, ", ")) : "\"auto\"";
  }
  std::string operator()(const Path &path) const { return formatString(recipe.*path.field); }
  std::string operator()(const Text &text) const { return formatString(recipe.*text.field); }
  std::string operator()(const Groups &groups) const {
    std::string text;
    for (const ParameterGroup &group : recipe.*groups.field) {
      text += fmt::format("{}{{match = {}", text.empty() ? "" : ", ", formatString(group.match));
      if (group.weightDecay)
        text += fmt::format(", weight_decay = {}", *group.weightDecay);
      text += fmt::format(", learning_rate_factor = {}, frozen = {}}}", group.learningRateFactor, group.frozen);
    }
    return fmt::format("[{}]", text);
  }
  std::string operator()(const Switch &option) const {
    const AugmentationSettings &settings = recipe.*option.field;
    auto setting = settings.find(option.augmentation->name);
    if (setting == settings.end())
      return "false";
    std::string values;
    for (size_t i = 0; i < setting->second.size(); ++i)
      values += fmt::format("{}{} = {}", i ? ", " : "", option.augmentation->keys[i].name, setting->second[i]);
    return fmt::format("{{{}}}", values);
  }
};

} // namespace

std::vector<RecipeValue> espalier::rt::recipeValues(const Recipe &recipe) {
  std::vector<RecipeValue> values;
  for (const KeyRecord &record : keyRecords())
    values.emplace_back(record.name, std::visit(ValueFormatter{recipe}, record.kind));
  return values;
}

std::string espalier::rt::formatRecipe(const Recipe &recipe) {
  std::string text;
  for (const auto &[key, value] : recipeValues(recipe))
    text += fmt::format("{} = {}\n", key, value);
  return text;
}

bool espalier::rt::isRunKey(std::string_view key) {
  static constexpr std::string_view runKeys[] = {"epochs",         "threads",         "network",          "data",
                                                 "init_from",      "skip_mismatched", "checkpoint_every", "keep",
                                                 "loading.memory", "loading.workers"};
  return std::find(std::begin(runKeys), std::end(runKeys), key) != std::end(runKeys);
}
