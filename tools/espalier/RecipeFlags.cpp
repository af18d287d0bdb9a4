//===- RecipeFlags.cpp - the recipe of a command, and its data ------------===//

#include "RecipeFlags.h"

using namespace espalier;
using namespace espalier::tools;

void RecipeFlags::declare(CLI::App &flags) {
  flags.add_option("--recipe", file, "Recipe (TOML), see docs/reference/recipes.md")->type_name("FILE");
  flags.add_option("--set", overrides, "Recipe keys that differ, e.g. --set epochs=3")->type_name("KEY=VALUE");
}

rt::Expected<rt::Recipe> RecipeFlags::read() const {
  rt::Expected<rt::Recipe> recipe = file.empty() ? rt::Recipe() : rt::readRecipe(file);
  return recipe ? applyTo(*std::move(recipe)) : std::move(recipe);
}

rt::Expected<rt::Recipe> RecipeFlags::applyTo(rt::Recipe recipe) const {
  if (rt::Status s = rt::overrideRecipe(recipe, overrides); !s.ok())
    return s;
  return recipe;
}

rt::Expected<rt::Normalisation> espalier::tools::chooseNormalisation(const rt::Recipe &recipe,
                                                                     const rt::Dataset &trainSet) {
  if (!recipe.mean)
    return rt::measureNormalisation(trainSet);
  size_t channels = static_cast<size_t>(trainSet.shape().channels);
  if (recipe.mean->size() != channels || recipe.deviation->size() != channels)
    return rt::invalidInput("{}'mean' and 'std' expect a number for each channel of the samples ({}), but have {}",
                            recipe.locate({"mean", "std"}).prefix(), channels, recipe.mean->size());
  return rt::Normalisation{*recipe.mean, *recipe.deviation};
}

void espalier::tools::warnOfSkipped(const Console &console, const rt::Dataset &dataset) {
  const rt::DatasetInfo &info = dataset.info();
  if (info.numSkipped > 0)
    console.note("warning: {} damaged samples of '{}' are left out; the first: {}", info.numSkipped, info.part,
                 info.firstSkipped);
}
