//===- ParameterPaths.h - what parameters are called ------------*- C++ -*-===//

#ifndef ESPALIER_TRANSFORMS_PARAMETERPATHS_H
#define ESPALIER_TRANSFORMS_PARAMETERPATHS_H

#include "mlir/IR/Operation.h"

#include <string>

namespace espalier::cg {

/// \name The path of a parameter or state.
/// @{
llvm::StringRef pathOf(mlir::Operation *stored);
llvm::StringRef pathOf(mlir::Value stored);
/// @}

/// "layer1.conv1" of "layer1.conv1.weight": what the paths beside that of a filter begin with; empty for "weight".
llvm::StringRef convolutionPath(llvm::StringRef filter);

/// Two paths with a dot between, unless one is empty.
std::string joinPaths(llvm::StringRef first, llvm::StringRef second);

/// Is `path` this one, or one that goes on from it after a dot?
bool isUnderPath(llvm::StringRef path, llvm::StringRef above);

} // namespace espalier::cg

#endif // ESPALIER_TRANSFORMS_PARAMETERPATHS_H
