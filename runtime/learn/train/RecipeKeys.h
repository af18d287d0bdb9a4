//===- RecipeKeys.h - the keys of a recipe ----------------------*- C++ -*-===//

#ifndef ESPALIER_LIB_LEARN_TRAIN_RECIPEKEYS_H
#define ESPALIER_LIB_LEARN_TRAIN_RECIPEKEYS_H

#include "espalier/Runtime/Train/Recipe.h"

#include <limits>
#include <variant>

namespace espalier::rt::keys {

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
/// Rows of numbers above 0, odd in number and in length; or none.
struct Matrix {
  std::vector<std::vector<double>> Recipe::*field;
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
  std::string_view extension = ""; ///< a value without it is a name, and no path
};
/// Files or names, at least one.
struct PathList {
  std::vector<std::string> Recipe::*field;
  std::string_view extension; ///< as of Path
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

using KeyKind =
    std::variant<Number, Integer, Boolean, Choice<TrainingPrecision>, Choice<BranchFolding>, Choice<BranchStart>,
                 Choice<Optimiser>, Choice<Schedule>, Choice<GradientScaling>, Choice<ScalingBlock>,
                 Choice<GrowthScore>, IntegerList, Matrix, Betas, PerChannel, Path, PathList, Text, Switch, Groups>;

struct KeyRecord {
  std::string name;
  KeyKind kind;
  std::string_view summary;
};

/// The one place that knows the keys: reading, checking, writing, defaults and documentation all derive from it.
const std::vector<KeyRecord> &keyRecords();
/// Null if there is none of that name.
const KeyRecord *findKey(std::string_view name);
/// The keys of a parameter group, as documentation has them.
const std::vector<RecipeKey> &groupKeys();

/// "at least 0 and below 1".
std::string formatRange(const Number &number);
std::string formatRange(const AugmentationKey &key);
/// A basic string of TOML.
std::string formatString(std::string_view text);

} // namespace espalier::rt::keys

#endif // ESPALIER_LIB_LEARN_TRAIN_RECIPEKEYS_H
