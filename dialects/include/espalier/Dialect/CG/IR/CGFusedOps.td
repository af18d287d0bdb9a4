//===- CGFusedOps.td - the fused phase ---------------------*- tablegen -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGFUSEDOPS_TD
#define ESPALIER_DIALECT_CG_IR_CGFUSEDOPS_TD

include "espalier/Dialect/CG/IR/CGBase.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

def CG_GroupOp : CG_Op<"group", [Pure, IsolatedFromAbove, SingleBlock]> {
  let summary = "operations that run as one kernel";
  let description = [{
    `candidates` name the ways to run the group, which the target provides: `onednn`, a row that this library computes;
    `tile`, generated register tiles; `loops`, generated loops. `chosen` is the one that runs, absent: the first;
    `reason` says why. `layouts` give the order of each result's dimensions in memory, outermost first; absent, or empty
    for one result, it is the order of the type.

    C1. Operands and results have static shapes.
    C2. The body's arguments have the types of the operands, and it yields values of the results' types.
    C3. `candidates` holds at least one name, each once, and `chosen`, when present, is one of them.
    C4. `layouts`, when present, has one entry for each result: empty, or a permutation of its dimensions.

    ```mlir
    %y = cg.group(%x) {candidates = ["loops"]} : (tensor<8x10xf32>) -> tensor<8x10xf32> {
    ^bb0(%a: tensor<8x10xf32>):
      %e = cg.exp %a : tensor<8x10xf32>
      %r = cg.relu %e : tensor<8x10xf32>
      cg.yield %r : tensor<8x10xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<CG_Tensor>:$inputs, StrArrayAttr:$candidates, OptionalAttr<StrAttr>:$chosen,
    OptionalAttr<StrAttr>:$reason, OptionalAttr<ArrayAttr>:$layouts);
  let results = (outs Variadic<CG_Tensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "`(` $inputs `)` attr-dict `:` functional-type($inputs, $results) $body";
  let extraClassDeclaration = [{
    /// The candidate that runs the group.
    ::llvm::StringRef getChosenCandidate();
    /// Order of dimensions in memory of result `index`, outermost first; empty for the order of the type.
    ::llvm::ArrayRef<int64_t> getLayout(unsigned index);
    /// The operation that ends the body.
    ::mlir::Operation *getYield() { return getBody().front().getTerminator(); }
  }];
  let builders = [OpBuilder<(ins "::mlir::TypeRange":$results, "::mlir::ValueRange":$inputs,
    "::llvm::ArrayRef<::llvm::StringRef>":$candidates, CArg<"::mlir::ArrayAttr", "{}">:$layouts)>];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def CG_YieldOp : CG_Op<"yield", [Pure, Terminator, ReturnLike, HasParent<"GroupOp">]> {
  let summary = "the results of a group";
  let description = [{
    ```mlir
    %y = cg.group(%x) {candidates = ["loops"]} : (tensor<8x10xf32>) -> tensor<8x10xf32> {
    ^bb0(%a: tensor<8x10xf32>):
      %r = cg.relu %a : tensor<8x10xf32>
      cg.yield %r : tensor<8x10xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<CG_Tensor>:$operands);
  let assemblyFormat = "($operands^ `:` type($operands))? attr-dict";
}

#endif // ESPALIER_DIALECT_CG_IR_CGFUSEDOPS_TD
