//===- Passes.td - from groups to kernels and programs -----*- tablegen -*-===//

#ifndef ESPALIER_CONVERSION_CGTOPLAN_PASSES_TD
#define ESPALIER_CONVERSION_CGTOPLAN_PASSES_TD

include "mlir/Pass/PassBase.td"

def CGToPlan : Pass<"cg-to-plan", "::mlir::ModuleOp"> {
  let summary = "Lower fused graphs to kernels and dispatch tables";
  let description = [{
    Every `cg.graph`, which holds groups, reshapes and a return, becomes a `plan.program` of the same name. A group
    becomes what its chosen candidate makes of it: a library row, or the dispatch of a kernel; groups of equal candidate,
    structure, shapes and layouts share one. The row of a contraction says which candidate it is, and why. A
    reshape is another view of the same bytes. All other values get an offset in one arena by their liveness, best fit,
    and results take over the memory of a dying operand where each element is read before it is written.

    A result with `cg.tied` is computed in the memory of its argument when nothing reads the argument later, else it is
    copied there at the end. A convolution or matrix product in f32 or f64 that becomes loops, 10 to 100 times slower than a
    library call, is reported as a missed remark of this category, or as an error with `forbid-scalar-contractions`.
  }];
  let options = [Option<"forbidScalarContractions", "forbid-scalar-contractions", "bool", "false",
                        "Fail when a convolution or matrix product in f32 or f64 reaches loops">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect", "::espalier::plan::PlanDialect"];
}

#endif // ESPALIER_CONVERSION_CGTOPLAN_PASSES_TD
