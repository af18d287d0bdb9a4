//===- Network.h - which network a verb works on ----------------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_NETWORK_H
#define ESPALIER_TOOLS_ESPALIER_NETWORK_H

#include "espalier/Dialect/CG/IR/CGOps.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/SourceMgr.h"

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <vector>

namespace espalier::tools {

/// The flags that choose a network and its sizes.
struct NetworkFlags {
  std::string file;
  std::string arch;
  std::vector<std::string> bindings;
  std::optional<int64_t> batch;

  void declare(CLI::App &flags);
  /// `--bind` and `--batch` as NAME=NUMBER.
  std::vector<std::string> sizes() const;
};

/// A context with all dialects, and a module in it whose diagnostics show source lines.
class Network {
public:
  Network();
  ~Network();

  /// Reads the file; prints errors and fails. `losses`, for an architecture file: fns to apply to every architecture,
  /// each of which gives a graph `@<arch>.<fn>`.
  mlir::LogicalResult load(const std::string &file, std::vector<std::string> losses = {});
  /// The graph named `arch`, or the only architecture of the module; prints the choice and fails where there is none.
  mlir::FailureOr<cg::GraphOp> choose(const std::string &arch);

  mlir::MLIRContext &context() { return mlirContext; }
  mlir::ModuleOp module() { return *loaded; }

private:
  mlir::MLIRContext mlirContext;
  llvm::SourceMgr sources;
  std::unique_ptr<mlir::SourceMgrDiagnosticHandler> handler;
  mlir::OwningOpRef<mlir::ModuleOp> loaded;
};

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_NETWORK_H
