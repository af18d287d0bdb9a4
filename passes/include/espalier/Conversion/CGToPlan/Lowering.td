//===- Lowering.td - how an op becomes loops ---------------*- tablegen -*-===//

#ifndef ESPALIER_CONVERSION_CGTOPLAN_LOWERING_TD
#define ESPALIER_CONVERSION_CGTOPLAN_LOWERING_TD

include "mlir/IR/OpBase.td"

// An op has one of these interfaces, as an external model (lib/Conversion/CGToPlan/Lower*.cpp), so that the dialect knows
// nothing of kernels. Which one it is decides what the op fuses with. A reshape has none: it is no work.

def CG_PointwiseLoweringOpInterface : OpInterface<"PointwiseLoweringOpInterface"> {
  let cppNamespace = "::espalier::cg";
  let description = [{ Each result element is a function of the operand elements at its place, broadcast. }];
  let methods = [
    InterfaceMethod<"Emits the function on scalars.", "::mlir::Value", "emitScalar",
                    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc, "::mlir::ValueRange":$operands)>,
    InterfaceMethod<"About how many arithmetic instructions that takes.", "int64_t", "getScalarCost", (ins), [{}],
                    [{ return 1; }]>];
}

def CG_ViewLoweringOpInterface : OpInterface<"ViewLoweringOpInterface"> {
  let cppNamespace = "::espalier::cg";
  let description = [{ The result is a strided part of the operand. }];
  let methods = [InterfaceMethod<
    "Where the result's elements are, given where the operand's are.", "::espalier::cg::StridedAccess", "viewAccess",
    (ins "const ::espalier::cg::StridedAccess &":$source)>];
}

def CG_IndexedLoweringOpInterface : OpInterface<"IndexedLoweringOpInterface"> {
  let cppNamespace = "::espalier::cg";
  let description = [{ Each result element is a function of its position and of operand elements anywhere. }];
  let methods = [
    InterfaceMethod<"Emits the result element at `position`, one index for each dimension.", "::mlir::Value",
                    "emitElement", (ins "::espalier::cg::KernelBuilder &":$builder, "::mlir::ValueRange":$position)>];
}

def CG_ReductionLoweringOpInterface : OpInterface<"ReductionLoweringOpInterface"> {
  let cppNamespace = "::espalier::cg";
  let description = [{ Result elements combine the operand's elements along some dimensions, which are dropped. }];
  let methods = [
    InterfaceMethod<"The combined dimensions.", "::llvm::ArrayRef<int64_t>", "getReducedDims">,
    InterfaceMethod<"Emits what combining starts with.", "::mlir::Value", "emitIdentity",
                    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc)>,
    InterfaceMethod<"Emits the combination of two scalars, an associative and commutative function up to rounding.",
                    "::mlir::Value", "emitCombine",
                    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc, "::mlir::Value":$lhs,
                         "::mlir::Value":$rhs)>];
}

def CG_KernelLoweringOpInterface : OpInterface<"KernelLoweringOpInterface"> {
  let cppNamespace = "::espalier::cg";
  let description = [{ The op is a kernel of its own, and fuses with nothing in generated code. }];
  let methods = [
    InterfaceMethod<"Extent of the dimension that is split among threads; at least 1.", "int64_t",
                    "getParallelExtent", (ins "::llvm::ArrayRef<int64_t>":$resultOrder)>,
    InterfaceMethod<[{Emits the kernel's iterations [begin, end) of that dimension. They write every element of the
                      result that belongs to them.}], "void", "emitKernel",
                    (ins "::espalier::cg::KernelBuilder &":$builder)>];
}

#endif // ESPALIER_CONVERSION_CGTOPLAN_LOWERING_TD
