//===- Verbs.h - the commands, one file each --------------------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_VERBS_H
#define ESPALIER_TOOLS_ESPALIER_VERBS_H

#include "Verb.h"

namespace espalier::tools {

std::unique_ptr<Verb> createCheckVerb();
std::unique_ptr<Verb> createCostVerb();

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_VERBS_H
