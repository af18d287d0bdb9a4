//===- PlanDialect.td - The `plan` dialect ------------------*- tablegen -*-===//

#ifndef ESPALIER_DIALECT_PLAN_IR_PLANDIALECT_TD
#define ESPALIER_DIALECT_PLAN_IR_PLANDIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/DialectBase.td"
include "mlir/IR/EnumAttr.td"

def PlanDialect : Dialect {
  let name = "plan";
  let cppNamespace = "::espalier::plan";
  let summary = "Kernels and the dispatch tables that run them";
  let description = [{
    The `kernels` phase: isolated kernels (`func.func` with a `plan.kernel` attribute) and programs, which are tables
    of rows in execution order over arguments and places in one arena.

    ```mlir
    func.func private @double(%x: memref<8x16xf32>, %y: memref<8x16xf32>, %begin: index, %end: index)
        attributes {plan.kernel = #plan.kernel<extent = 8>} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c16 = arith.constant 16 : index
      scf.for %i = %begin to %end step %c1 {
        scf.for %j = %c0 to %c16 step %c1 {
          %v = memref.load %x[%i, %j] : memref<8x16xf32>
          %w = arith.addf %v, %v : f32
          memref.store %w, %y[%i, %j] : memref<8x16xf32>
        }
      }
      return
    }
    plan.program @forward {
      %x = plan.argument "x" input : memref<8x16xf32>
      %y = plan.argument "y" output : memref<8x16xf32>
      %t = plan.buffer offset 0 : memref<8x16xf32>
      plan.dispatch @double(%x, %t) : memref<8x16xf32>, memref<8x16xf32>
      plan.dispatch @double(%t, %y) : memref<8x16xf32>, memref<8x16xf32>
    }
    ```
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::memref::MemRefDialect"];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
}

//===----------------------------------------------------------------------===//
// Enumerations
//===----------------------------------------------------------------------===//

def Plan_Role : I32Enum<"Role", "what an argument is to the caller", [
    I32EnumCase<"Input", 0, "input">,
    I32EnumCase<"Parameter", 1, "parameter">,
    I32EnumCase<"State", 2, "state">,
    I32EnumCase<"Slot", 3, "slot">,
    I32EnumCase<"Hyper", 4, "hyper">,
    I32EnumCase<"Packed", 5, "packed">,
    I32EnumCase<"Output", 6, "output">]> {
  let cppNamespace = "::espalier::plan";
}
def Plan_RoleAttr : EnumAttr<PlanDialect, Plan_Role, "role"> {
  let assemblyFormat = "$value";
}

def Plan_ImageLayout : I32Enum<"ImageLayout", "order of an image's dimensions in memory", [
    I32EnumCase<"NCHW", 0, "nchw">,
    I32EnumCase<"NHWC", 1, "nhwc">]> {
  let cppNamespace = "::espalier::plan";
}
def Plan_ImageLayoutAttr : EnumAttr<PlanDialect, Plan_ImageLayout, "image_layout"> {
  let assemblyFormat = "$value";
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

def Plan_KernelAttr : AttrDef<PlanDialect, "Kernel"> {
  let mnemonic = "kernel";
  let summary = "Marks a function as a kernel and says how far its parallel dimension reaches";
  let description = [{
    A kernel is a `func.func` without results whose arguments are memrefs of static shape and identity layout followed
    by two indices, the half-open range `[begin, end)` of its outermost parallel dimension that one call computes. The
    calls of one dispatch cover `[0, extent)` without overlap, in any order and at the same time. `grain`, when given,
    is the number of iterations that one call receives; otherwise it follows from the bytes that the kernel touches,
    so that it never depends on the number of threads.

    C1. `extent` is positive; `grain`, when present, is in `[1, extent]`.
    C2. The function has no results, and its last two arguments are `begin` and `end`, of type `index`.
    C3. All other arguments are memrefs of static shape, identity layout and default memory space.
  }];
  let parameters = (ins "int64_t":$extent, OptionalParameter<"std::optional<int64_t>">:$grain);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

#endif // ESPALIER_DIALECT_PLAN_IR_PLANDIALECT_TD
