//===- ModuleFile.h - input files of the compiler's tools -------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_COMMON_MODULEFILE_H
#define ESPALIER_TOOLS_COMMON_MODULEFILE_H

#include "mlir/IR/Dialect.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/LogicalResult.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>

namespace espalier::tools {

/// Opens a file of any kind that holds a module ("-" is standard input): MLIR text and bytecode as they are, an
/// architecture file (.esp) compiled to the bytecode of its `cg` module, which keeps all source locations. What comes
/// back is safe to parse in this process. Prints errors.
llvm::FailureOr<std::unique_ptr<llvm::MemoryBuffer>> openModuleFile(llvm::StringRef path,
                                                                    const mlir::DialectRegistry &registry);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_COMMON_MODULEFILE_H
