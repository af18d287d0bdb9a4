//===- Parse.h - Architecture text in tests ---------------------*- C++ -*-===//

#ifndef ESPALIER_TEST_UNIT_FRONTEND_PARSE_H
#define ESPALIER_TEST_UNIT_FRONTEND_PARSE_H

#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Frontend/DSL.h"
#include "mlir/IR/MLIRContext.h"
#include <string>
#include <vector>

namespace espalier::test {

struct Message {
  unsigned line;
  bool isNote;
  std::string text;
};

/// A parsed text and what was said about it. The context goes last.
struct Parsed {
  std::unique_ptr<mlir::MLIRContext> context =
      std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
  std::vector<Message> messages;
  mlir::OwningOpRef<mlir::ModuleOp> module;

  std::string firstError() const { return messages.empty() ? "" : messages.front().text; }
  cg::GraphOp graph(llvm::StringRef name) const {
    for (cg::GraphOp graph : module.get().getOps<cg::GraphOp>())
      if (graph.getSymName() == name)
        return graph;
    return {};
  }
};

/// `name` is the path that imports are relative to.
inline Parsed parse(llvm::StringRef text, llvm::StringRef name = "test.esp", const ArchitectureOptions &options = {}) {
  Parsed parsed;
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, name), llvm::SMLoc());
  mlir::ScopedDiagnosticHandler handler(parsed.context.get(), [&](mlir::Diagnostic &diag) {
    auto note = [&](mlir::Diagnostic &part, bool isNote) {
      auto loc = part.getLocation()->findInstanceOf<mlir::FileLineColLoc>();
      parsed.messages.push_back({loc ? loc.getLine() : 0, isNote, part.str()});
    };
    note(diag, false);
    for (mlir::Diagnostic &part : diag.getNotes())
      note(part, true);
  });
  parsed.module = parseArchitecture(sources, parsed.context.get(), options);
  return parsed;
}

/// The file's text; fails the test if it cannot be read.
std::string readFile(const std::string &path);

} // namespace espalier::test

#endif // ESPALIER_TEST_UNIT_FRONTEND_PARSE_H
