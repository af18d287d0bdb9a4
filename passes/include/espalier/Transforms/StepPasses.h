//===- StepPasses.h - from mode-free graphs to pure step functions -*- C++ -*-===//

#ifndef ESPALIER_TRANSFORMS_STEPPASSES_H
#define ESPALIER_TRANSFORMS_STEPPASSES_H

#include "espalier/Dialect/CG/IR/CGOps.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace espalier::cg {

enum class Mode { Training, Inference };
enum class OptimizerKind { SGD, Adam, AdamW, RMSprop };
enum class BatchPart { Early, Last };

/// Attributes that `cg-functionalize` leaves on arguments and results.
inline constexpr llvm::StringLiteral roleAttrName = "cg.role";
inline constexpr llvm::StringLiteral pathAttrName = "cg.path";
inline constexpr llvm::StringLiteral slotAttrName = "cg.slot";
inline constexpr llvm::StringLiteral initAttrName = "cg.init";
inline constexpr llvm::StringLiteral tiedAttrName = "cg.tied";
/// \name Attributes of `cg.parameter_gradient`, which the optimizer reads.
/// @{
inline constexpr llvm::StringLiteral weightDecayAttrName = "cg.weight_decay";
inline constexpr llvm::StringLiteral rateAttrName = "cg.rate";
/// The slot of the parameter that multiplies what the optimizer subtracts from it.
inline constexpr llvm::StringLiteral updateScaleAttrName = "cg.update_scale";
/// @}
/// The module path an op was written in, such as "layer1.0.conv1"; for reports alone.
inline constexpr llvm::StringLiteral scopeAttrName = "cg.scope";

/// Of a module: the floating-point type it computes in, "bf16" or "f64"; one without computes in that of its graphs.
inline constexpr llvm::StringLiteral precisionAttrName = "cg.precision";

/// Of a module: the numbers that its graphs' symbolic sizes were given.
inline constexpr llvm::StringLiteral bindingsAttrName = "cg.bindings";

#define GEN_PASS_DECL
#include "espalier/Transforms/StepPasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "espalier/Transforms/StepPasses.h.inc"

/// The name of an argument or result of a functionalized graph, by its attributes: the path, `<path>#<slot>`, or the
/// name; empty where it has none.
std::string storageName(mlir::DictionaryAttr attributes);

/// Makes `value` the gradient of the parameter of `mark`, for everything that reads the mark or looks for one later.
void replaceGradient(mlir::OpBuilder &builder, ParameterGradientOp mark, mlir::Value value);

/// `value` in another element type, by a `cg.cast` that has the place and the scope of `user`.
mlir::Value castFor(mlir::OpBuilder &builder, mlir::Operation *user, mlir::Value value, mlir::Type element);

/// Infers the element types of the results of `op`, which infers its types, anew; extents stay. Fails, having emitted
/// an error, where the operands do not fit together.
mlir::LogicalResult inferElementTypesAnew(mlir::Operation *op);

/// Infers the type of every op of `graph` anew, in order, from its argument types, and sets the graph's results to
/// match. Fails, having emitted an error, where the ops no longer fit together.
mlir::LogicalResult inferTypesAnew(GraphOp graph);

} // namespace espalier::cg

#endif // ESPALIER_TRANSFORMS_STEPPASSES_H
