//===- Initializers.h - how parameters and states start ---------*- C++ -*-===//

#ifndef ESPALIER_LIB_PIPELINES_INITIALIZERS_H
#define ESPALIER_LIB_PIPELINES_INITIALIZERS_H

#include "mlir/IR/BuiltinOps.h"

namespace espalier {

/// How each stored argument of a module at `Step` starts, as the runtime reads it, and what the module computes in:
/// {"initializers": {name: [kind, a, b]}, "precision": "bf16"}.
std::string describeInitializers(mlir::ModuleOp module);

} // namespace espalier

#endif // ESPALIER_LIB_PIPELINES_INITIALIZERS_H
