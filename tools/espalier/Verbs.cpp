//===- Verbs.cpp - the commands, in the order of the help page ------------===//

#include "Verbs.h"

std::vector<std::unique_ptr<espalier::tools::Verb>> espalier::tools::createVerbs() {
  std::vector<std::unique_ptr<Verb>> verbs;
  verbs.push_back(createCheckVerb());
  verbs.push_back(createCostVerb());
  return verbs;
}
