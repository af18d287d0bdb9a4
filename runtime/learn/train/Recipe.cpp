//===- Recipe.cpp - How to train, and its text ----------------------------===//

#include "RecipeKeys.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

using namespace espalier::rt;
using namespace espalier::rt::keys;

std::string RecipeLocation::prefix() const { return file.empty() ? "" : fmt::format("{}:{}:{}: ", file, line, column); }

RecipeLocation Recipe::locate(std::initializer_list<std::string_view> keys) const {
  for (std::string_view key : keys)
    if (auto found = locations.find(key); found != locations.end())
      return found->second;
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

std::string keys::formatString(std::string_view text) {
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
  std::string operator()(const Matrix &matrix) const {
    std::vector<std::string> rows;
    for (const std::vector<double> &row : recipe.*matrix.field)
      rows.push_back(fmt::format("[{}]", fmt::join(row, ", ")));
    return fmt::format("[{}]", fmt::join(rows, ", "));
  }
  std::string operator()(const Betas &betas) const { return fmt::format("[{}]", fmt::join(recipe.*betas.field, ", ")); }
  std::string operator()(const PerChannel &perChannel) const {
    const std::optional<std::vector<double>> &values = recipe.*perChannel.field;
    return values ? fmt::format("[{}]", fmt::join(*values, ", ")) : "\"auto\"";
  }
  std::string operator()(const Path &path) const { return formatString(recipe.*path.field); }
  std::string operator()(const PathList &list) const {
    std::vector<std::string> values;
    for (const std::string &path : recipe.*list.field)
      values.push_back(formatString(path));
    return fmt::format("[{}]", fmt::join(values, ", "));
  }
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
