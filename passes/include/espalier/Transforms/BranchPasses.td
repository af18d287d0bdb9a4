//===- BranchPasses.td - the algebra of branches -----------*- tablegen -*-===//

#ifndef ESPALIER_TRANSFORMS_BRANCHPASSES_TD
#define ESPALIER_TRANSFORMS_BRANCHPASSES_TD

include "mlir/Pass/PassBase.td"

def InsertGradientScaling : Pass<"cg-insert-gradient-scaling", "::espalier::cg::GraphOp"> {
  let summary = "Multiply the gradients of convolution filters by a matrix over their window";
  let description = [{
    A convolution that is trained as a sum of linear branches, each with a constant factor and a part of the window,
    learns as one convolution does whose filter's gradient is multiplied by a matrix G over the window: with factors a_b
    and supports M_b, G is the sum of a_b^2 M_b (Detkov et al. 2023, "Reparameterization through Spatial Gradient
    Scaling"). This pass multiplies the gradient g of every filter W that can be scaled: a parameter that is the filter of
    a `cg.conv2d`, directly or through a cast, and whose window has an odd number of rows and of columns, at least 3 of
    each. Filters of depthwise and grouped convolutions are among them. A filter of several convolutions is scaled once.
    Biases and norms are not scaled. A remark names each convolution whose filter is not scaled, and the reason.

    G is the slot "gradient_scale" of the filter's path: a state of shape [rows, columns], or [outputs, 1, rows, columns]
    where every output has its own. It starts as

    | `source` | G |
    |---|---|
    | `mutual-information` | ones, until an estimate replaces them |
    | `fixed` | the attribute `cg.gradient_scale` of the parameter, a `tensor` literal of either shape; else `matrix` as it is; else that of `block`, whose mean is 1; else the filter is not scaled |

    The attribute of a parameter counts for either source. `acnet` stands for branches KxK, 1xK and Kx1; `repvgg` for KxK
    and 1x1.

    Runs after the passes that sum and clip gradients, and before the optimizer, which adds weight decay to the product:
    `v = momentum v + (G g + weight_decay W)`. With `target=update`, for optimizers that take the size out of a gradient
    (Adam, RMSprop), G multiplies what the optimizer subtracts from the parameter; branches that are trained by Adam
    correspond to a G that is the sum of a_b M_b then.
  }];
  let options = [
    Option<"source", "source", "::espalier::cg::GradientScaleSource",
           "::espalier::cg::GradientScaleSource::MutualInformation", "Where the matrices come from", [{
      ::llvm::cl::values(clEnumValN(::espalier::cg::GradientScaleSource::MutualInformation, "mutual-information",
                                    "Estimated from the inputs of convolutions, while training"),
                         clEnumValN(::espalier::cg::GradientScaleSource::Fixed, "fixed", "Given"))
    }]>,
    ListOption<"matrix", "matrix", "std::string", "Rows of the matrix, each NUMBER:NUMBER:..., all above 0">,
    Option<"block", "block", "::espalier::cg::GradientScaleBlock", "::espalier::cg::GradientScaleBlock::None",
           "Branches that a fixed matrix stands for", [{
      ::llvm::cl::values(clEnumValN(::espalier::cg::GradientScaleBlock::None, "none", "None"),
                         clEnumValN(::espalier::cg::GradientScaleBlock::ACNet, "acnet", "KxK + 1xK + Kx1"),
                         clEnumValN(::espalier::cg::GradientScaleBlock::RepVGG, "repvgg", "KxK + 1x1"))
    }]>,
    Option<"target", "target", "::espalier::cg::GradientScaleTarget", "::espalier::cg::GradientScaleTarget::Gradient",
           "What is multiplied", [{
      ::llvm::cl::values(clEnumValN(::espalier::cg::GradientScaleTarget::Gradient, "gradient", "The gradient"),
                         clEnumValN(::espalier::cg::GradientScaleTarget::Update, "update", "What the optimizer subtracts"))
    }]>];
  let dependentDialects = ["::espalier::cg::CGDialect"];
}

#endif // ESPALIER_TRANSFORMS_BRANCHPASSES_TD
