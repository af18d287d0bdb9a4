//===- InitAll.h - registration of all dialects and passes ------*- C++ -*-===//

#ifndef ESPALIER_PIPELINES_INITALL_H
#define ESPALIER_PIPELINES_INITALL_H

namespace mlir {
class DialectRegistry;
}

namespace espalier {

/// Everything a module may hold at any phase: our dialects and the upstream ones they are lowered to.
void registerAllDialects(mlir::DialectRegistry &registry);

/// All passes and pipelines of the project.
void registerOwnPasses();

/// These, and upstream's general ones: canonicalize, cse, inline, symbol-dce and the like.
void registerAllPasses();

} // namespace espalier

#endif // ESPALIER_PIPELINES_INITALL_H
