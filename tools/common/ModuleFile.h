//===- ModuleFile.h - input files of the compiler's tools -------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_COMMON_MODULEFILE_H
#define ESPALIER_TOOLS_COMMON_MODULEFILE_H

#include "espalier/Frontend/DSL.h"

#include "mlir/IR/Dialect.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/LogicalResult.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>

namespace espalier::tools {

/// Reads a module from a file of any kind: MLIR text and bytecode ("-" is standard input), or an architecture file
/// (.esp), for which `options` are. Files are added to `sources`, errors go to the context's diagnostics. Null on
/// failure.
mlir::OwningOpRef<mlir::ModuleOp> loadModule(llvm::StringRef path, const ArchitectureOptions &options,
                                             llvm::SourceMgr &sources, mlir::MLIRContext &context);

/// The bytes of such a file as MLIR: text and bytecode as they are, an architecture file compiled to the bytecode of
/// its `cg` module, which keeps all source locations. What comes back is safe to parse in this process. Prints errors.
llvm::FailureOr<std::unique_ptr<llvm::MemoryBuffer>> openModuleFile(llvm::StringRef path,
                                                                    const mlir::DialectRegistry &registry);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_COMMON_MODULEFILE_H
