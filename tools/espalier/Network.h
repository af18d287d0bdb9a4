//===- Network.h - which network a verb works on ----------------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_NETWORK_H
#define ESPALIER_TOOLS_ESPALIER_NETWORK_H

#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Frontend/DSL.h"
#include "espalier/Pipelines/Step.h"
#include "espalier/Runtime/Core/Status.h"
#include "espalier/Runtime/Data/Image.h"

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
  /// Whether a flag chooses an architecture or a size.
  bool areGiven() const { return !arch.empty() || !bindings.empty() || batch; }

  /// The rule of all verbs: the numbers that the flags give to the symbolic sizes of `graph`; what they leave open
  /// takes the default that the graph names, a batch `N` without one is 1. A usage error names a size that the graph
  /// does not have, that has two numbers or, unless `mayStayOpen`, none; with `mayStayOpen` all that is not given stays
  /// open.
  rt::Expected<SizeBindings> bindSizes(cg::GraphOp graph, bool mayStayOpen = false) const;
  /// These flags, with height and width of `image` for the symbolic sizes of the first input that no flag gives.
  NetworkFlags forImages(cg::GraphOp graph, const rt::ImageShape &image) const;
};

/// A context with all dialects, and a module in it whose diagnostics show source lines.
class Network {
public:
  Network();
  ~Network();

  /// Reads the file. `losses`, for an architecture file: fns to apply to every architecture, each of which gives a
  /// graph `@<arch>.<fn>`.
  rt::Status load(const std::string &file, std::vector<std::string> losses = {});
  /// Reads the file with all that can be said of losses.
  rt::Status load(const std::string &file, const ArchitectureOptions &options);
  /// The graph named `arch`, or the only architecture of the module. A usage error lists what the file has.
  rt::Expected<cg::GraphOp> choose(const std::string &arch);

  mlir::MLIRContext &context() { return mlirContext; }
  mlir::ModuleOp module() { return *loaded; }

private:
  mlir::MLIRContext mlirContext;
  llvm::SourceMgr sources;
  std::unique_ptr<mlir::SourceMgrDiagnosticHandler> handler;
  std::string fileName;
  mlir::OwningOpRef<mlir::ModuleOp> loaded;
};

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_NETWORK_H
