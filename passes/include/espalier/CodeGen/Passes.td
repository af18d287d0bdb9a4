//===- Passes.td - From kernels to LLVM ---------------------*- tablegen -*-===//

#ifndef ESPALIER_CODEGEN_PASSES_TD
#define ESPALIER_CODEGEN_PASSES_TD

include "mlir/Pass/PassBase.td"

def IsolateKernels : Pass<"plan-isolate-kernels", "::mlir::ModuleOp"> {
  let summary = "Keep the kernels that programs dispatch, and drop the programs";
  let description = [{
    Marks the arguments of a kernel `llvm.noalias` if no dispatch passes it two places that share a byte, erases kernels
    that nothing dispatches (unless the module has no program at all), then erases the programs. What remains needs no
    runtime, and is what the rest of code generation works on.
  }];
}

def BufferizeKernels : Pass<"plan-bufferize-kernels", "::mlir::func::FuncOp"> {
  let summary = "Bufferize a kernel and place its temporaries on the stack";
  let description = [{
    One-shot bufferization of one kernel. Temporaries of static size become stack slots, of `max-stack-bytes` together; a
    kernel that needs more, or one whose temporaries have a dynamic size, is an error: kernels never allocate.
    Functions without `plan.kernel` are left alone.
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect", "::mlir::memref::MemRefDialect"];
  let options = [Option<"maxStackBytes", "max-stack-bytes", "int64_t", "256 * 1024",
                        "Bytes of stack that the temporaries of one kernel may take">];
}

def VectorizeContractions : Pass<"plan-vectorize-contractions", "::mlir::func::FuncOp"> {
  let summary = "Register tiles for matmuls and convolutions on memory";
  let description = [{
    A linalg operation `out += lhs * rhs` of static shape, into f32 or f64 (inputs may be narrower), whose output is contiguous along a parallel loop
    that at least one input follows and no input crosses (a matmul with row-major operands, a convolution of NHWC images
    with an HWCF filter and no padding, depthwise or not) becomes loops around a tile of vector accumulators. All others
    are left to `plan-lower-kernel-loops`, which reports them.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
  let options = [
    Option<"vectorBytes", "vector-bytes", "int64_t", "64", "Bytes of a vector register">,
    Option<"vectorRegisters", "vector-registers", "int64_t", "32", "Number of vector registers">];
}

def LowerKernelLoops : Pass<"plan-lower-kernel-loops", "::mlir::func::FuncOp"> {
  let summary = "Lower linalg operations on memrefs to loop nests that vectorize";
  let description = [{
    Moves the loop that leaves the fewest operands strided innermost, lets f32 reductions reassociate (without that
    they cannot vectorize; f64 stays in order), and emits loops. A matmul or convolution that arrives here becomes scalar
    loops, 10 to 100 times slower than a tiled kernel: it is reported as a missed remark of category
    `plan-lower-kernel-loops`, and as an error with `forbid-scalar-contractions`. Contractions of less than
    `min-contraction-macs` multiply-accumulates are too small to matter, unless they are marked `plan.tile`.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
  let options = [
    Option<"forbidScalarContractions", "forbid-scalar-contractions", "bool", "false",
           "Fail when a matmul or convolution reaches scalar loops">,
    Option<"minContractionMacs", "min-contraction-macs", "int64_t", "65536",
           "Multiply-accumulates below which a contraction is not reported">];
}

def ExpandMath : Pass<"plan-expand-math", "::mlir::func::FuncOp"> {
  let summary = "Expand elementary functions into polynomials";
  let description = [{
    exp, expm1, log, log1p, tanh and erf on f32 and f64, scalars and vectors, become plain arithmetic without branches,
    within 4 units in the last place; bf16 and f16 compute in f32.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def ExpandBFloat16 : Pass<"plan-expand-bfloat16", "::mlir::func::FuncOp"> {
  let summary = "Spell conversions between bf16 and f32 in integers";
  let description = [{
    Scalars and vectors. Rounds to the nearest, ties to even; infinities stay, and NaN stays NaN. With `has-rounding` the
    processor has an instruction that rounds (it takes subnormal numbers for zero), and `arith.truncf` is left to it.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
  let options = [Option<"hasRounding", "has-rounding", "bool", "false",
                        "The processor rounds f32 to bf16 by itself (AVX512-BF16)">];
}

def KernelsToLLVM : Pass<"plan-kernels-to-llvm", "::mlir::ModuleOp"> {
  let summary = "Convert kernels of loops and scalars to the LLVM dialect";
  let description = [{
    Each kernel `@k` becomes an internal function on bare pointers and an exported one that the runtime calls,
    `void k(void *const *places, int64_t begin, int64_t end)`. An elementary function without an expansion is an error.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // ESPALIER_CODEGEN_PASSES_TD
