//===- Branches.h - networks with blocks of branches ------------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_BRANCHES_H
#define ESPALIER_TOOLS_ESPALIER_BRANCHES_H

#include "Console.h"
#include "Network.h"

#include "espalier/Transforms/BranchPasses.h"

namespace espalier::tools {

/// Runs `cg-expand-branches` on the module of a network, and says how many convolutions became blocks; with --verbose
/// also why others did not. An error if none did.
rt::Status expandBranches(Network &network, cg::ExpandBranchesOptions options, const Console &console);

/// Runs `cg-fold-branches` for training on the module of a network, and says how many convolutions are left. An error
/// if there was nothing to fold.
rt::Status foldBranchesOnline(Network &network, cg::BranchNorms norms, const Console &console);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_BRANCHES_H
