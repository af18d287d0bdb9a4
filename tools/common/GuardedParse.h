//===- GuardedParse.h - MLIR from strangers ---------------------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_COMMON_GUARDEDPARSE_H
#define ESPALIER_TOOLS_COMMON_GUARDEDPARSE_H

#include "espalier/Runtime/Core/Status.h"

#include "mlir/IR/Dialect.h"
#include "llvm/Support/MemoryBuffer.h"

namespace espalier::tools {

/// Parses `buffer` once in a forked child. Upstream's parsers of text and bytecode recurse, and die on some damaged
/// input; the child dies in our stead. Succeeds when the child lived, whatever it thought of the input, so that the
/// caller's own parse reports ordinary errors; when it died, the failure names the file.
rt::Status parseInChildFirst(llvm::MemoryBufferRef buffer, const mlir::DialectRegistry &registry);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_COMMON_GUARDEDPARSE_H
