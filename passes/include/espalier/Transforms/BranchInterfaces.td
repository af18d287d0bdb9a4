//===- BranchInterfaces.td - ops as convolutions -----------*- tablegen -*-===//

#ifndef ESPALIER_TRANSFORMS_BRANCHINTERFACES_TD
#define ESPALIER_TRANSFORMS_BRANCHINTERFACES_TD

include "mlir/IR/OpBase.td"

def CG_ConvMapOpInterface : OpInterface<"ConvMapOpInterface"> {
  let cppNamespace = "::espalier::cg";
  let description = [{
    An op that can be affine in images: then it is a convolution, if perhaps a trivial one. Attached as an external model
    (lib/Transforms/Branches/ConvMapModels.cpp), so that the dialect knows nothing of the algebra.
  }];
  let methods = [
    InterfaceMethod<
      [{The first result as a map of the image of which each operand is `operands[i]`; null stands for an operand that
        depends on weights alone. The operands that are maps have rank 4 and a known number of channels. Fails, with a
        reason in `algebra`, where the op is not affine in the image.}],
      "::llvm::FailureOr<::espalier::cg::ConvMap>", "mapResult",
      (ins "::espalier::cg::ConvAlgebra &":$algebra, "::llvm::ArrayRef<const ::espalier::cg::ConvMap *>":$operands)>];
}

#endif // ESPALIER_TRANSFORMS_BRANCHINTERFACES_TD
