//===- BranchBlocks.h - blocks of branches, in the language -----*- C++ -*-===//

#ifndef ESPALIER_TOOLS_COMMON_BRANCHBLOCKS_H
#define ESPALIER_TOOLS_COMMON_BRANCHBLOCKS_H

namespace mlir {
class DialectRegistry;
}

namespace espalier::tools {

/// Lets `cg-expand-branches` take its blocks from architecture files. A block is named by the file of the library that
/// holds it (`repvgg`), or by a path, `FILE.esp` for the block that has the name of the file, or `FILE.esp:BLOCK`.
void registerBranchBlocks(mlir::DialectRegistry &registry);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_COMMON_BRANCHBLOCKS_H
