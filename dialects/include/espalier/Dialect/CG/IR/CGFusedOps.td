//===- CGFusedOps.td - the fused phase ---------------------*- tablegen -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGFUSEDOPS_TD
#define ESPALIER_DIALECT_CG_IR_CGFUSEDOPS_TD

include "espalier/Dialect/CG/IR/CGBase.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

def CG_GroupOp : CG_Op<"group", [Pure, IsolatedFromAbove, SingleBlock]> {
  let summary = "operations that run as one kernel";
  let description = [{
    `candidates` are the ways to run the group, the chosen one first: `library`, a row that a vendor library computes,
    or `loops`, a generated kernel. `layouts` give the order of each result's dimensions in memory, outermost first;
    absent, or empty for one result, it is the order of the type.

    C1. Operands and results have static shapes.
    C2. The body's arguments have the types of the operands, and it yields values of the results' types.
    C3. `candidates` holds at least one of `library` and `loops`, each once.
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
  let arguments = (ins Variadic<CG_Tensor>:$inputs, StrArrayAttr:$candidates, OptionalAttr<ArrayAttr>:$layouts);
  let results = (outs Variadic<CG_Tensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "`(` $inputs `)` attr-dict `:` functional-type($inputs, $results) $body";
  let extraClassDeclaration = [{
    static constexpr ::llvm::StringLiteral libraryCandidate = "library";
    static constexpr ::llvm::StringLiteral loopsCandidate = "loops";

    /// Is the chosen candidate a library call?
    bool isLibrary();
    /// Order of dimensions in memory of result `index`, outermost first; empty for the order of the type.
    ::llvm::ArrayRef<int64_t> getLayout(unsigned index);
    /// The operation that ends the body.
    ::mlir::Operation *getYield() { return getBody().front().getTerminator(); }
  }];
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
