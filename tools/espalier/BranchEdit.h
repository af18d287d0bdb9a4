//===- BranchEdit.h - changes of a network's branches -----------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_BRANCHEDIT_H
#define ESPALIER_TOOLS_ESPALIER_BRANCHEDIT_H

#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Runtime/Core/Status.h"

namespace espalier::tools {

/// A change of a graph that can be made again to an equal one.
struct BranchEdit {
  enum class Kind {
    Expand, ///< the convolution with the filter `path` becomes `block`; new paths have `scope` between
    Cut,    ///< the branch goes whose parameters lie under `path`
  } kind;
  std::string path, block, scope;

  static BranchEdit expand(std::string filter, std::string block, std::string scope) {
    return {Kind::Expand, std::move(filter), std::move(block), std::move(scope)};
  }
  static BranchEdit cut(std::string path) { return {Kind::Cut, std::move(path), "", ""}; }

  /// \name As JSON text.
  /// @{
  std::string str() const;
  static rt::Expected<BranchEdit> parse(const std::string &text);
  /// @}

  /// Changes the graph, and no other one of its module.
  rt::Status apply(cg::GraphOp graph) const;
};

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_BRANCHEDIT_H
