//===- Passes.h - From kernels to LLVM --------------------------*- C++ -*-===//

#ifndef ESPALIER_CODEGEN_PASSES_H
#define ESPALIER_CODEGEN_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir::affine {
class AffineDialect;
}
namespace mlir::arith {
class ArithDialect;
}
namespace mlir::bufferization {
class BufferizationDialect;
}
namespace mlir::linalg {
class LinalgDialect;
}
namespace mlir::LLVM {
class LLVMDialect;
}
namespace mlir::math {
class MathDialect;
}
namespace mlir::memref {
class MemRefDialect;
}
namespace mlir::scf {
class SCFDialect;
}
namespace mlir::vector {
class VectorDialect;
}

namespace espalier::codegen {

#define GEN_PASS_DECL
#include "espalier/CodeGen/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "espalier/CodeGen/Passes.h.inc"

/// Expansions of exp, expm1, log, log1p, tanh and erf (and of functions that reduce to them) into arithmetic.
void populateExpandMathPatterns(mlir::RewritePatternSet &patterns);

/// Options of the pipeline from the `kernels` phase to the `llvm` phase.
struct KernelsToLLVMOptions {
  /// Fail when a matmul or convolution reaches scalar loops, instead of a remark.
  bool forbidScalarContractions = false;
  /// Vector registers of the processor: how wide, and how many.
  int64_t vectorBytes = 64, vectorRegisters = 32;
  /// Does it round f32 to bf16 by itself?
  bool roundsToBFloat16 = false;
};

/// `kernels` -> `llvm`: drops the programs, bufferizes kernel by kernel, lowers to the LLVM dialect.
void buildKernelsToLLVMPipeline(mlir::OpPassManager &manager, const KernelsToLLVMOptions &options = {});

/// Registers the passes above and the pipeline `espalier-kernels-to-llvm-pipeline`.
void registerCodeGen();

/// Registers what the pipeline needs to know about upstream dialects: bufferization of linalg, tensor, scf and arith,
/// and translation to LLVM IR.
void registerCodeGenDependencies(mlir::DialectRegistry &registry);

} // namespace espalier::codegen

#endif // ESPALIER_CODEGEN_PASSES_H
