//===- RecipeReader.cpp - a recipe from a TOML file or from flags ---------===//

#include "RecipeKeys.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Core/Text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

using namespace espalier::rt;
using namespace espalier::rt::keys;

/// Whether keys start with `name` and a dot.
static bool isTable(std::string_view name) {
  const std::vector<KeyRecord> &records = keyRecords();
  return std::any_of(records.begin(), records.end(), [&](const KeyRecord &record) {
    return record.name.size() > name.size() && record.name[name.size()] == '.' &&
           std::string_view(record.name).substr(0, name.size()) == name;
  });
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
  return RecipeLocation{fileName, position.line, position.column}.prefix();
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
      return expected(node, "a number " + formatRange(number), fmt::format("{}", *value));
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

  Status operator()(const Matrix &matrix) const {
    const toml::array *array = node.as_array();
    if (!array)
      return expected(node, "a list of rows", describe(node));
    std::vector<std::vector<double>> rows;
    for (const toml::node &element : *array) {
      Expected<std::vector<double>> row = readNumbers(element, "rows of numbers");
      if (!row)
        return row.takeStatus();
      for (double value : *row)
        if (!(value > 0 && std::isfinite(value)))
          return expected(element, "numbers above 0", fmt::format("{}", value));
      if (row->size() < 3 || row->size() % 2 == 0)
        return expected(element, "rows of an odd number of columns, at least 3", fmt::format("{}", row->size()));
      if (!rows.empty() && row->size() != rows[0].size())
        return expected(element, "rows of one length", fmt::format("{} and {}", rows[0].size(), row->size()));
      rows.push_back(std::move(*row));
    }
    if (!rows.empty() && (rows.size() < 3 || rows.size() % 2 == 0))
      return expected(node, "an odd number of rows, at least 3", fmt::format("{}", rows.size()));
    recipe.*matrix.field = std::move(rows);
    return {};
  }

  Status operator()(const Betas &betas) const {
    Expected<std::vector<double>> values = readNumbers(node, "two numbers");
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
    Expected<std::vector<double>> values = readNumbers(node, "'auto' or a list of numbers");
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
    Expected<std::string> value = readPath(node);
    if (!value)
      return value.takeStatus();
    recipe.*path.field = *std::move(value);
    return {};
  }

  Status operator()(const PathList &list) const {
    const toml::array *array = node.as_array();
    if (!array)
      return expected(node, "a list of strings", describe(node));
    if (array->empty())
      return expected(node, "at least one name", "none");
    std::vector<std::string> values;
    for (const toml::node &element : *array) {
      Expected<std::string> value = readPath(element);
      if (!value)
        return value.takeStatus();
      values.push_back(*std::move(value));
    }
    recipe.*list.field = std::move(values);
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
  Expected<std::string> readPath(const toml::node &text) const {
    const toml::value<std::string> *value = text.as_string();
    if (!value)
      return expected(text, "a string", describe(text));
    if (value->get().find('\0') != std::string::npos)
      return expected(text, "a path", "a string with a zero byte");
    return value->get();
  }

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
      group.location = {fileName, value.source().begin.line, value.source().begin.column};
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

  Expected<std::vector<double>> readNumbers(const toml::node &list, std::string_view wanted) const {
    const toml::array *array = list.as_array();
    if (!array)
      return expected(list, wanted, describe(list));
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

/// What no key can check alone. An error is where the file gives the key that it names, or else one of the others.
static Status checkCombinations(const Recipe &recipe) {
  auto at = [&](auto... keys) { return recipe.locate({keys...}).prefix(); };
  if (recipe.nesterov && recipe.momentum == 0)
    return invalidInput("{}'nesterov' expects a momentum above 0", at("nesterov", "momentum"));
  if (recipe.schedule == Schedule::MultiStep && recipe.milestones.empty())
    return invalidInput("{}schedule 'multi-step' expects 'milestones'", at("schedule", "milestones"));
  if (recipe.schedule == Schedule::OneCycle && recipe.warmupEpochs > 0)
    return invalidInput("{}'warmup_epochs' expects 0 with the schedule 'one-cycle', which has a rise of its own, but "
                        "got {}",
                        at("warmup_epochs", "schedule"), recipe.warmupEpochs);
  if (recipe.minLearningRate > recipe.learningRate)
    return invalidInput("{}'min_learning_rate' expects at most 'learning_rate' ({}), but got {}",
                        at("min_learning_rate", "learning_rate"), recipe.learningRate, recipe.minLearningRate);
  if (recipe.clipNorm > 0 && recipe.clipValue > 0)
    return invalidInput("{}'clip_norm' and 'clip_value' expect at most one of them above 0",
                        at("clip_value", "clip_norm"));
  bool hasMatrix = !recipe.scalingMatrix.empty(), hasBlock = recipe.scalingBlock != ScalingBlock::None;
  if (recipe.gradientScaling == GradientScaling::Fixed && hasMatrix == hasBlock)
    return invalidInput(
        "{}gradient scaling 'fixed' expects one of 'gradient_scaling.block' and 'gradient_scaling.matrix', "
        "but got {}",
        at("gradient_scaling.source", "gradient_scaling.block", "gradient_scaling.matrix"),
        hasBlock ? "both" : "neither");
  if (recipe.gradientScaling == GradientScaling::MutualInformation && (hasMatrix || hasBlock))
    return invalidInput("{}gradient scaling 'mutual-information' expects no '{}'",
                        at(hasBlock ? "gradient_scaling.block" : "gradient_scaling.matrix", "gradient_scaling.source"),
                        hasBlock ? "gradient_scaling.block" : "gradient_scaling.matrix");
  if (recipe.growthInterval > 0) {
    bool isAveraged = recipe.emaDecay > 0, isScaled = recipe.gradientScaling != GradientScaling::None;
    if (isAveraged || isScaled || recipe.branchFolding != BranchFolding::None) {
      const char *other = isAveraged ? "ema.decay" : isScaled ? "gradient_scaling.source" : "branches.fold";
      return invalidInput("{}'growth.interval' expects 0 with '{}': the two do not work together",
                          at("growth.interval", other), other);
    }
  }
  if (recipe.batch % recipe.accumulate != 0)
    return invalidInput("{}'accumulate' expects a divisor of 'batch' ({}), but got {}", at("accumulate", "batch"),
                        recipe.batch, recipe.accumulate);
  if (recipe.warmupEpochs > recipe.epochs)
    return invalidInput("{}'warmup_epochs' expects at most 'epochs' ({}), but got {}", at("warmup_epochs", "epochs"),
                        recipe.epochs, recipe.warmupEpochs);
  if (recipe.mean.has_value() != recipe.deviation.has_value())
    return invalidInput("{}'mean' and 'std' expect to be given both or computed both", at("mean", "std"));
  if (recipe.dataChannels == 2)
    return invalidInput("{}'loading.channels' expects 0, 1 or 3, but got 2", at("loading.channels"));
  if (recipe.mean && recipe.mean->size() != recipe.deviation->size())
    return invalidInput("{}'mean' and 'std' expect the same number of channels, but got {} and {}", at("mean", "std"),
                        recipe.mean->size(), recipe.deviation->size());
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
    toml::source_position begin = entry.node->source().begin;
    recipe.locations.erase(record->name);
    if (!name.empty())
      recipe.locations.emplace(record->name, RecipeLocation{name, begin.line, begin.column});
  }
  return {};
}

Expected<Recipe> espalier::rt::parseRecipe(std::string_view text, const std::string &name) {
  Recipe recipe;
  if (Status status = readKeys(recipe, text, name); !status.ok())
    return status;
  if (Status status = checkCombinations(recipe); !status.ok())
    return status;
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
  std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  auto placeInFolder = [&](std::string &value, std::string_view extension) {
    bool isName = value.find(extension) == std::string::npos;
    if (!value.empty() && value[0] != '/' && !isName)
      value.insert(0, folder);
  };
  for (const KeyRecord &record : keyRecords()) {
    if (const Path *key = std::get_if<Path>(&record.kind))
      placeInFolder((*recipe).*key->field, key->extension);
    if (const PathList *key = std::get_if<PathList>(&record.kind))
      for (std::string &value : (*recipe).*key->field)
        placeInFolder(value, key->extension);
  }
  return recipe;
}

/// Reads one `KEY=VALUE` over the values of `recipe`.
static Status readSetting(Recipe &recipe, const std::string &setting) {
  size_t equals = setting.find('=');
  if (equals == std::string::npos)
    return invalidInput("a setting wants KEY=VALUE, but got '{}'", setting);
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
