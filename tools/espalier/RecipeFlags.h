//===- RecipeFlags.h - the recipe of a command, and its data ----*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_RECIPEFLAGS_H
#define ESPALIER_TOOLS_ESPALIER_RECIPEFLAGS_H

#include "Console.h"

#include "espalier/Runtime/Data/View.h"
#include "espalier/Runtime/Train/Recipe.h"

#include <CLI/CLI.hpp>

namespace espalier::tools {

/// `--recipe FILE` and `--set KEY=VALUE`.
struct RecipeFlags {
  std::string file;
  std::vector<std::string> overrides;

  void declare(CLI::App &flags);
  /// The recipe of the file, or the defaults, with the overrides.
  rt::Expected<rt::Recipe> read() const;
  /// `recipe` with the overrides.
  rt::Expected<rt::Recipe> applyTo(rt::Recipe recipe) const;
};

/// What the recipe says, else the statistics of the training set.
rt::Expected<rt::Normalisation> chooseNormalisation(const rt::Recipe &recipe, const rt::Dataset &trainSet);

/// Says how many damaged samples of a set were left out, if any were.
void warnOfSkipped(const Console &console, const rt::Dataset &dataset);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_RECIPEFLAGS_H
