//===- ModuleFile.h - input files of the compiler's tools -------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_COMMON_MODULEFILE_H
#define ESPALIER_TOOLS_COMMON_MODULEFILE_H

#include "espalier/Frontend/DSL.h"
#include "espalier/Runtime/Core/Status.h"

#include "mlir/IR/Dialect.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>

namespace espalier::tools {

/// Reads a module from a file of any kind: MLIR text and bytecode ("-" is standard input), or an architecture file
/// (.esp), for which `options` are. Files are added to `sources`; errors in the content go to the context's diagnostics
/// and are `reported()`.
rt::Expected<mlir::OwningOpRef<mlir::ModuleOp>> loadModule(llvm::StringRef path, const ArchitectureOptions &options,
                                                           llvm::SourceMgr &sources, mlir::MLIRContext &context);

/// The bytes of such a file as MLIR: text and bytecode as they are, an architecture file compiled to the bytecode of
/// its `cg` module, which keeps all source locations. What comes back is safe to parse in this process. Errors in an
/// architecture file are printed.
rt::Expected<std::unique_ptr<llvm::MemoryBuffer>> openModuleFile(llvm::StringRef path,
                                                                 const mlir::DialectRegistry &registry);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_COMMON_MODULEFILE_H
