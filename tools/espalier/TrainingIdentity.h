//===- TrainingIdentity.h - What a run computes with ------------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_TRAININGIDENTITY_H
#define ESPALIER_TOOLS_ESPALIER_TRAININGIDENTITY_H

#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Runtime/Data/Dataset.h"
#include "espalier/Runtime/Train/Checkpoint.h"

namespace espalier::tools {

/// SHA-256 of the text of two graphs, network and loss, without source locations.
std::string digestOf(cg::GraphOp network, cg::GraphOp loss);

/// SHA-256 of the number, shape, classes and labels of a set's samples, and of the content of up to 256 of them, spread
/// over the set: reading all would take as long as an epoch.
rt::Expected<std::string> digestOf(const rt::Dataset &dataset);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_TRAININGIDENTITY_H
