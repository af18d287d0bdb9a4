//===- espalier-docs.cpp - the reference page of recipes ------------------===//

#include "espalier/Runtime/Train/Recipe.h"

#include <fmt/core.h>

int main() {
  fmt::print("# Recipes\n\nA recipe is a TOML file that says how to train. Every key is optional.\n\n"
             "| key | type | range | default | meaning |\n|---|---|---|---|---|\n");
  for (const espalier::rt::RecipeKey &key : espalier::rt::recipeKeys())
    fmt::print("| `{}` | {} | {} | `{}` | {} |\n", key.name, key.type, key.range, key.defaultValue, key.summary);
}
