//===- Verbs.h - the commands, one file each --------------------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_VERBS_H
#define ESPALIER_TOOLS_ESPALIER_VERBS_H

#include "Verb.h"

namespace espalier::tools {

std::unique_ptr<Verb> createBenchVerb();
std::unique_ptr<Verb> createCheckVerb();
std::unique_ptr<Verb> createCompileVerb();
std::unique_ptr<Verb> createCompletionVerb();
std::unique_ptr<Verb> createCostVerb();
std::unique_ptr<Verb> createDataVerb();
std::unique_ptr<Verb> createExpandVerb();
std::unique_ptr<Verb> createExplainVerb();
std::unique_ptr<Verb> createFoldVerb();
std::unique_ptr<Verb> createRenameVerb();
std::unique_ptr<Verb> createReportVerb();
std::unique_ptr<Verb> createRunVerb();
std::unique_ptr<Verb> createSweepVerb();
std::unique_ptr<Verb> createTrainVerb();
std::unique_ptr<Verb> createTuneVerb();
std::unique_ptr<Verb> createVerifyVerb();

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_VERBS_H
