//===- CGElementwiseOps.td - elementwise operations --------*- tablegen -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGELEMENTWISEOPS_TD
#define ESPALIER_DIALECT_CG_IR_CGELEMENTWISEOPS_TD

include "espalier/Dialect/CG/IR/CGBase.td"
include "espalier/Dialect/CG/IR/CGElementwiseInterface.td"

class CG_ElementwiseOp<string mnemonic, list<Trait> traits = []>
    : CG_Op<mnemonic, [Pure, InferTypeOpInterface, CG_ShapeOpInterface, CG_CostOpInterface, CG_ReferenceOpInterface,
                       DeclareOpInterfaceMethods<CG_ElementwiseOpInterface, ["evaluateScalar"]>] # traits>;

class CG_UnaryOp<string mnemonic, list<Trait> traits = []> : CG_ElementwiseOp<mnemonic, traits # [CG_Differentiable]> {
  let arguments = (ins CG_FloatTensor:$input);
  let results = (outs CG_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
  let description = "```mlir\n%y = cg." # mnemonic # " %x : tensor<4xf32>\n```\n";
}

class CG_BinaryOp<string mnemonic, list<Trait> traits = []> : CG_ElementwiseOp<mnemonic, traits # [CG_Differentiable]> {
  let arguments = (ins CG_Tensor:$lhs, CG_Tensor:$rhs);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs)";
  let description = "```mlir\n%y = cg." # mnemonic # " %a, %b : tensor<8x10xf32>, tensor<10xf32>\n```\n";
}

def CG_NegOp : CG_UnaryOp<"neg", [CG_Linear]> { let summary = "negation: `-x`"; }
def CG_AbsOp : CG_UnaryOp<"abs"> { let summary = "absolute value: `|x|`; derivative `sign(x)`"; }
def CG_SignOp : CG_UnaryOp<"sign"> { let summary = "`-1`, `0` or `1`; derivative 0"; }
def CG_ExpOp : CG_UnaryOp<"exp", [CG_ComputesWide]> { let summary = "exponential: `e^x`"; }
def CG_LogOp : CG_UnaryOp<"log", [CG_ComputesWide]> { let summary = "natural logarithm; -inf at 0, NaN below"; }
def CG_SqrtOp : CG_UnaryOp<"sqrt", [CG_ComputesWide]> { let summary = "square root; NaN below 0"; }
def CG_RsqrtOp : CG_UnaryOp<"rsqrt", [CG_ComputesWide]> { let summary = "reciprocal square root: `1 / sqrt(x)`"; }
def CG_TanhOp : CG_UnaryOp<"tanh"> { let summary = "hyperbolic tangent"; }
def CG_ErfOp : CG_UnaryOp<"erf"> { let summary = "Gauss error function"; }
def CG_SigmoidOp : CG_UnaryOp<"sigmoid"> { let summary = "logistic function: `1 / (1 + e^-x)`"; }
def CG_ReluOp : CG_UnaryOp<"relu"> { let summary = "`max(x, 0)`; derivative 0 at 0"; }
def CG_LeakyReluOp : CG_UnaryOp<"leaky_relu"> {
  let summary = "`x` above 0, else `slope * x`; derivative `slope` at 0";
  let description = [{
    ```mlir
    %y = cg.leaky_relu %x {slope = 1.000000e-02 : f64} : tensor<4xf32>
    ```
  }];
  let arguments = (ins CG_FloatTensor:$input, F64Attr:$slope);
}
def CG_ClampOp : CG_UnaryOp<"clamp"> {
  let summary = "`min(max(x, low), high)`; derivative 0 at and beyond the bounds";
  let description = [{
    ReLU6 is `low = 0, high = 6`.

    C1. `low` <= `high`.

    ```mlir
    %y = cg.clamp %x {low = 0.000000e+00 : f64, high = 6.000000e+00 : f64} : tensor<4xf32>
    ```
  }];
  let arguments = (ins CG_FloatTensor:$input, F64Attr:$low, F64Attr:$high);
  let hasVerifier = 1;
}
def CG_StopGradientOp : CG_UnaryOp<"stop_gradient"> { let summary = "the identity, with derivative 0"; }

def CG_AddOp : CG_BinaryOp<"add", [Commutative]> {
  let summary = "sum, operands broadcast: `a + b`";
  let hasFolder = 1;
}
def CG_SubOp : CG_BinaryOp<"sub"> { let summary = "difference, operands broadcast: `a - b`"; let hasFolder = 1; }
def CG_MulOp : CG_BinaryOp<"mul", [Commutative, CG_Linear]> {
  let summary = "product, operands broadcast: `a * b`";
  let hasFolder = 1;
}
def CG_DivOp : CG_BinaryOp<"div", [CG_Linear]> {
  let summary = "quotient, operands broadcast: `a / b`; integers round towards zero";
  let hasFolder = 1;
}
def CG_MaximumOp : CG_BinaryOp<"maximum", [Commutative]> {
  let summary = "larger operand, broadcast; NaN wins; at a tie each operand takes half of the derivative";
}
def CG_MinimumOp : CG_BinaryOp<"minimum", [Commutative]> {
  let summary = "smaller operand, broadcast; NaN wins; at a tie each operand takes half of the derivative";
}
def CG_PowerOp : CG_BinaryOp<"power", [CG_ComputesWide]> { let summary = "`a ^ b`, operands broadcast, as C's pow"; }

def CG_CompareOp : CG_ElementwiseOp<"compare"> {
  let summary = "comparison, operands broadcast, to booleans";
  let description = [{
    Comparisons with NaN are false, but for `ne`.

    ```mlir
    %m = cg.compare lt %a, %b : tensor<4xf32>, tensor<f32>
    ```
  }];
  let arguments = (ins CG_ComparePredicateAttr:$predicate, CG_Tensor:$lhs, CG_Tensor:$rhs);
  let results = (outs CG_BoolTensor:$result);
  let assemblyFormat = "$predicate $lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs)";
  let extraClassDeclaration = [{
    static ::llvm::LogicalResult inferShapes(Adaptor adaptor, ::espalier::cg::ShapeContext &shapes,
                                             ::llvm::SmallVectorImpl<::espalier::cg::TensorShape> &results);
  }];
}
def CG_WhereOp : CG_ElementwiseOp<"where", [CG_Differentiable]> {
  let summary = "choice by element: `condition ? on_true : on_false`, operands broadcast";
  let description = [{
    ```mlir
    %y = cg.where %m, %a, %b : tensor<4xi1>, tensor<4xf32>, tensor<f32>
    ```
  }];
  let arguments = (ins CG_BoolTensor:$condition, CG_Tensor:$on_true, CG_Tensor:$on_false);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$condition `,` $on_true `,` $on_false attr-dict `:` "
                       "type($condition) `,` type($on_true) `,` type($on_false)";
}
def CG_CastOp : CG_ElementwiseOp<"cast", [CG_Differentiable, CG_Linear]> {
  let summary = "element type conversion; floats to integers round towards zero";
  let description = [{
    ```mlir
    %y = cg.cast %x {type = f32} : tensor<4xi1>
    ```
  }];
  let arguments = (ins CG_Tensor:$input, TypeAttr:$type);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
  let extraClassDeclaration = [{
    static ::llvm::LogicalResult inferShapes(Adaptor adaptor, ::espalier::cg::ShapeContext &shapes,
                                             ::llvm::SmallVectorImpl<::espalier::cg::TensorShape> &results);
  }];
  let hasFolder = 1;
}

#endif // ESPALIER_DIALECT_CG_IR_CGELEMENTWISEOPS_TD
