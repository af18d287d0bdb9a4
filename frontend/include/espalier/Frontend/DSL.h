//===- DSL.h - Architecture files to cg graphs ------------------*- C++ -*-===//

#ifndef ESPALIER_FRONTEND_DSL_H
#define ESPALIER_FRONTEND_DSL_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/SourceMgr.h"
#include <string>
#include <utility>
#include <vector>

namespace espalier {

/// Largest architecture file that is read, in bytes; the main file and each import.
inline constexpr size_t maxArchitectureFileBytes = 4u << 20;

struct ArchitectureOptions {
  /// fns, of the file, its imports or the prelude (`cross_entropy`, `accuracy`, ...), to apply to every arch: their
  /// leading parameters take the arch's results, further ones (`labels: i64[N]`) their declared types, with the same
  /// names for the same extents. Each gives a graph `@<arch>.<fn>`.
  std::vector<std::string> losses;
  /// Numbers for parameters of the first of them, by name: `smoothing` of `cross_entropy`.
  std::vector<std::pair<std::string, double>> lossNumbers;
  /// Where the first of them is named, for errors about its name; without a file they are at the begin of the main
  /// file.
  std::string lossFile;
  unsigned lossLine = 0, lossColumn = 0;
  /// Applies the losses to this arch alone; empty means all.
  std::string lossArch;
};

/// Reads the architecture file that is the main buffer of `sources` (see docs/language.md) and returns a verified
/// module with one `cg.graph` for every arch of the file, and for every fn of the file whose parameters are tensors of
/// declared shape; the latter carry the attribute `cg.fn`. Imported files are added to `sources`, so that diagnostics
/// can show their lines.
///
/// Errors go to the context's diagnostic engine, located; then the result is null. Loads the cg dialect.
mlir::OwningOpRef<mlir::ModuleOp> parseArchitecture(llvm::SourceMgr &sources, mlir::MLIRContext *context,
                                                    const ArchitectureOptions &options = {});

/// The files that come with the library, which `import "espalier:NAME"` reads: blocks of branches, each with the name
/// of its file. Files of parts of them, whose names begin with '_', are not among these.
std::vector<std::string> libraryFileNames();

} // namespace espalier

#endif // ESPALIER_FRONTEND_DSL_H
