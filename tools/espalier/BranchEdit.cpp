//===- BranchEdit.cpp - changes of a network's branches -------------------===//

#include "BranchEdit.h"

#include "../common/Compile.h"

#include "espalier/Runtime/Core/Text.h"
#include "espalier/Transforms/BranchPasses.h"

#include "mlir/Pass/PassManager.h"

#include <nlohmann/json.hpp>

using namespace espalier;
using namespace espalier::tools;
using Json = nlohmann::json;

std::string BranchEdit::str() const {
  Json object = kind == Kind::Cut ? Json{{"cut", path}} : Json{{"expand", path}, {"block", block}, {"scope", scope}};
  return object.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

rt::Expected<BranchEdit> BranchEdit::parse(const std::string &text) {
  Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  auto read = [&](const char *key) -> std::optional<std::string> {
    if (!object.is_object() || !object.contains(key) || !object[key].is_string())
      return std::nullopt;
    return object[key].get<std::string>();
  };
  if (auto path = read("cut"))
    return cut(*std::move(path));
  auto filter = read("expand"), block = read("block"), scope = read("scope");
  if (filter && block && scope)
    return expand(*std::move(filter), *std::move(block), *std::move(scope));
  return rt::invalidInput("expects an edit of a network, but got {}", rt::quote(text));
}

/// A pattern that matches `path` alone.
static std::string escapePattern(llvm::StringRef path) {
  std::string pattern;
  for (char c : path) {
    if (llvm::StringRef("*?[]{}^!\\").contains(c))
      pattern += '\\';
    pattern += c;
  }
  return pattern;
}

rt::Status BranchEdit::apply(cg::GraphOp graph) const {
  mlir::PassManager manager(graph.getContext());
  if (kind == Kind::Cut) {
    cg::CutBranchesOptions options;
    options.paths = {path};
    manager.addNestedPass<cg::GraphOp>(cg::createCutBranches(std::move(options)));
  } else {
    cg::ExpandBranchesOptions options;
    options.paths = {escapePattern(path)};
    options.block = block;
    options.scope = scope;
    options.initialize = cg::BranchInitialization::Grow;
    manager.addPass(cg::createExpandBranches(std::move(options)));
  }
  // Another graph may have equal paths.
  mlir::Block *home = graph->getBlock();
  mlir::Operation *next = graph->getNextNode();
  mlir::OwningOpRef<mlir::ModuleOp> alone = mlir::ModuleOp::create(graph.getLoc());
  graph->moveBefore(alone->getBody(), alone->getBody()->end());
  bool succeeded = mlir::succeeded(manager.run(*alone));
  graph->moveBefore(home, next ? mlir::Block::iterator(next) : home->end());
  return succeeded ? rt::Status() : reported();
}
