//===- CGBase.td - base classes and types of cg ops --------*- tablegen -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGBASE_TD
#define ESPALIER_DIALECT_CG_IR_CGBASE_TD

include "espalier/Dialect/CG/IR/CGAttributes.td"
include "espalier/Dialect/CG/IR/CGDialect.td"
include "espalier/Dialect/CG/IR/CGInterfaces.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def CG_Tensor : RankedTensorOf<[F16, BF16, F32, F64, I1, I8, I32, I64]>;
def CG_FloatTensor : RankedTensorOf<[F16, BF16, F32, F64]>;
def CG_BoolTensor : RankedTensorOf<[I1]>;
def CG_IndexTensor : RankedTensorOf<[I32, I64]>;
def CG_ScalarTensor : TypeConstraint<And<[CG_Tensor.predicate, CPred<"::llvm::cast<::mlir::RankedTensorType>($_self).getRank() == 0">]>,
                                     "tensor of rank 0", "::mlir::RankedTensorType">;
class CG_FloatTensorOfRank<int rank>
    : TypeConstraint<And<[CG_FloatTensor.predicate,
                          CPred<"::llvm::cast<::mlir::RankedTensorType>($_self).getRank() == " # rank>]>,
                     "floating-point tensor of rank " # rank, "::mlir::RankedTensorType">;

class CG_Op<string mnemonic, list<Trait> traits = []> : Op<CGDialect, mnemonic, traits>;

/// A value computed from its operands alone: shape, cost and reference evaluation are never optional.
class CG_ValueOp<string mnemonic, list<Trait> traits = []>
    : CG_Op<mnemonic, [Pure, InferTypeOpInterface, CG_ShapeOpInterface,
                       DeclareOpInterfaceMethods<CG_CostOpInterface>,
                       DeclareOpInterfaceMethods<CG_ReferenceOpInterface>] # traits> {
  code shapeFunction = [{
    static ::llvm::LogicalResult inferShapes(Adaptor adaptor, ::espalier::cg::ShapeContext &shapes,
                                             ::llvm::SmallVectorImpl<::espalier::cg::TensorShape> &results);
  }];
  let extraClassDeclaration = shapeFunction;
}

defvar CG_Differentiable = DeclareOpInterfaceMethods<CG_DifferentiableOpInterface>;
defvar CG_Linear = DeclareOpInterfaceMethods<CG_LinearOpInterface>;

#endif // ESPALIER_DIALECT_CG_IR_CGBASE_TD
