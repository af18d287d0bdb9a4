//===- SharedObject.h - LLVM dialect to an ELF shared object ----*- C++ -*-===//

#ifndef ESPALIER_CODEGEN_SHAREDOBJECT_H
#define ESPALIER_CODEGEN_SHAREDOBJECT_H

#include "espalier/CodeGen/CPUTarget.h"
#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace espalier::codegen {

/// Translates a module of the LLVM dialect, optimizes it for `target` and links it into an ELF shared object that
/// imports nothing: a symbol that stays undefined is an error at the module's location. Returns the bytes of the file.
mlir::FailureOr<std::string> emitSharedObject(mlir::ModuleOp module, const CPUTarget &target);

} // namespace espalier::codegen

#endif // ESPALIER_CODEGEN_SHAREDOBJECT_H
