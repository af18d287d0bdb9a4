//===- Verbs.cpp - the commands, in the order of the help page ------------===//

#include "Verbs.h"

std::vector<std::unique_ptr<espalier::tools::Verb>> espalier::tools::createVerbs() {
  std::vector<std::unique_ptr<Verb>> verbs;
  verbs.push_back(createCheckVerb());
  verbs.push_back(createCostVerb());
  verbs.push_back(createDataVerb());
  verbs.push_back(createTrainVerb());
  verbs.push_back(createReportVerb());
  verbs.push_back(createSweepVerb());
  verbs.push_back(createRunVerb());
  verbs.push_back(createBenchVerb());
  verbs.push_back(createExplainVerb());
  verbs.push_back(createExpandVerb());
  verbs.push_back(createCompileVerb());
  verbs.push_back(createTuneVerb());
  verbs.push_back(createFoldVerb());
  verbs.push_back(createVerifyVerb());
  verbs.push_back(createRenameVerb());
  verbs.push_back(createCompletionVerb());
  return verbs;
}
