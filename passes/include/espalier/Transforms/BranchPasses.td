//===- BranchPasses.td - the algebra of branches -----------*- tablegen -*-===//

#ifndef ESPALIER_TRANSFORMS_BRANCHPASSES_TD
#define ESPALIER_TRANSFORMS_BRANCHPASSES_TD

include "mlir/Pass/PassBase.td"

def ExpandBranches : Pass<"cg-expand-branches", "::mlir::ModuleOp"> {
  let summary = "Train convolutions as blocks of several branches";
  let description = [{
    Replaces convolutions, each with the batch normalisation that follows, by a block of branches that is written in the
    architecture language: `acnet`, `dbb`, `dyrep_*`, `mobileone`, `orepa`, `repvgg`, or one of your own, see
    docs/branches.md.
    Batch normalisations are mode-free, so the pass runs before specialisation. It expands every `cg.conv2d` whose

    - window has an odd number of rows and of columns, at least 3 of each,
    - padding is the same on opposite sides,
    - filter is a parameter without other uses,
    - norm, if it has one, is a `cg.batch_norm` of two parameters and two states.

    A remark names each convolution that stays, and the reason. With `paths`, only convolutions whose filters match one
    of the patterns are considered; a pattern that matches none is an error.

    The parameter `conv.weight` of the block, and `norm.weight`, `norm.bias`, `norm.running_mean` and `norm.running_var`
    become those of the convolution and the norm, and keep their paths in the network; the norm keeps its constants too.
    All others stand under the path of the convolution: `layer1.conv1.weight` gets `layer1.conv1.row.norm.bias` beside it.
    A bias between convolution and norm goes before that norm of the block; one of a convolution without a norm stays
    behind the block.

    With `initialize=preserve`, parameters that were there before start as they did, and the branches beside the main one
    start at zero: in inference mode the expanded network computes what the network did, for all values of the parameters
    and states that it had. With `initialize=grow`, parameters that were there before start as they did, and all others as
    the block says: for networks that have learnt, whose main filter makes up for what the new branches add.

    A convolution that was expanded is the main one of its block, and can be expanded again: what is new is added to the sum.
    `scope` keeps the paths apart: with `scope=g3`, `layer1.conv1.weight` gets `layer1.conv1.g3.row.norm.bias` beside it.
  }];
  let options = [
    Option<"block", "block", "std::string", "", "The block: a name, FILE.esp or FILE.esp:BLOCK">,
    ListOption<"paths", "paths", "std::string", "Patterns for the paths of filters; empty: all filters">,
    Option<"initialize", "initialize", "::espalier::cg::BranchInitialization",
           "::espalier::cg::BranchInitialization::Paper", "How parameters start", [{
      ::llvm::cl::values(clEnumValN(::espalier::cg::BranchInitialization::Paper, "paper", "As the block says"),
                         clEnumValN(::espalier::cg::BranchInitialization::Preserve, "preserve",
                                    "So that the network computes what it did"),
                         clEnumValN(::espalier::cg::BranchInitialization::Grow, "grow",
                                    "What was there as it did, what is new as the block says"))
    }]>,
    Option<"scope", "scope", "std::string", "",
           "What new paths have between the path of the convolution and that in the block">];
  let dependentDialects = ["::espalier::cg::CGDialect"];
}

def CutBranches : Pass<"cg-cut-branches", "::espalier::cg::GraphOp"> {
  let summary = "Remove branches from sums";
  let description = [{
    From every sum `main + branch` of two images of one type, removes the summand all of whose parameters and states lie
    under `paths`: their paths are one of these, or go on from it after a dot. What is computed for the summand alone
    belongs to it; what has other uses too, such as the image that both summands read, does not. Of nested sums the outermost one
    is cut. What is dead then goes, its parameters and states included. A remark names each summand that is cut.

    A path under which no summand lies is an error, and so is a sum both of whose summands do.
  }];
  let options = [ListOption<"paths", "paths", "std::string", "Paths that the parameters of the branches lie under">];
  let statistics = [Statistic<"numCut", "num-cut", "Summands that were removed">];
}

def ScoreFilters : Pass<"cg-score-filters", "::espalier::cg::GraphOp"> {
  let summary = "Sum up how much filters matter to the loss";
  let description = [{
    For every filter W with the gradient g that can be scaled, see `cg-insert-gradient-scaling`, and has as many rows as
    columns, adds a number to the slot "score" of the filter's path, a state of rank 0 that starts as 0:

    | `score` | what is added |
    |---|---|
    | `synflow` | the sum of W g (Tanaka et al. 2020, arXiv:2006.05467) |
    | `snip` | the sum of the absolute values of W g (Lee et al. 2019, arXiv:1810.02340) |
    | `gradient-norm` | the Euclidean norm of g |

    Sums are taken in f32, of f64 in f64. W is what the step begins with. A remark names each convolution whose filter has no score, and
    the reason. Runs after the passes that sum gradients, and before those that clip and scale them.
  }];
  let options = [
    Option<"score", "score", "::espalier::cg::FilterScore", "::espalier::cg::FilterScore::SynFlow", "What is summed up", [{
      ::llvm::cl::values(clEnumValN(::espalier::cg::FilterScore::SynFlow, "synflow", "W g"),
                         clEnumValN(::espalier::cg::FilterScore::SNIP, "snip", "Absolute values of W g"),
                         clEnumValN(::espalier::cg::FilterScore::GradientNorm, "gradient-norm",
                                    "The Euclidean norm of g"))
    }]>];
  let dependentDialects = ["::espalier::cg::CGDialect"];
}

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

def FoldBranches : Pass<"cg-fold-branches"> {
  let summary = "Replace branches of convolutions by one convolution";
  let description = [{
    In every function inside, finds regions by their structure: sub-graphs that are affine in one image, made of convolutions of any window, stride,
    dilation, padding and number of groups, average pools, batch norms with given statistics, constant scales and
    summands by channel, zero padding, crops, sums, and concatenations and slices along the channels. Each becomes one
    `cg.conv2d`, and a `cg.add` if it has a bias, whose filter and bias are expressions of the region's parameters: the
    pass reads no weights. The result is equal up to rounding.

    A region is folded if the convolution takes no more multiply-accumulates (at any of several sizes of the image, where
    those are symbolic) and no more weights than the region; where the widest region does not pay, its best parts are
    folded. Nothing is folded across an image that is read from outside the region, nor what is not affine: a product of
    two images, a scale that changes with the position, batch norms with the statistics of the batch. Where a convolution
    pads an intermediate image with zeros, that image must be zero there by itself: biased ones are not, unless the graph pads them
    with their own bias, as `pad(y - b) + b`. A remark names each op that hinders folding, and the reason.

    In a graph that does not say whether it trains, batch norms count as those of inference, and dropout as the identity;
    with `online`, as those of training: then the expressions stay in the training step, and gradients flow through them to
    the parameters of the branches. Branches that end in a norm each cannot be folded in training. With `norms=after`, where
    several of one image are added up, one norm comes behind their sum, that of the branch with the largest window; of all others, those between the
    convolutions of a branch included, the scales are left as trainable factors. That is another network, and the one
    that OREPA trains (Hu et al. 2022, arXiv:2204.00826).
  }];
  let options = [
    Option<"online", "online", "bool", "false", "Fold for training: what depends on the mode stays">,
    Option<"norms", "norms", "::espalier::cg::BranchNorms", "::espalier::cg::BranchNorms::Keep",
           "Batch norms at the ends of branches", [{
      ::llvm::cl::values(clEnumValN(::espalier::cg::BranchNorms::Keep, "keep", "Stay"),
                         clEnumValN(::espalier::cg::BranchNorms::After, "after", "Become one behind the sum"))
    }]>];
  let statistics = [Statistic<"numFolded", "num-folded", "Regions that became one convolution">];
  let dependentDialects = ["::espalier::cg::CGDialect"];
}

def BranchesToGradientScaling : Pass<"cg-branches-to-gradient-scaling", "::mlir::ModuleOp"> {
  let summary = "Replace branches by one convolution that learns as they do";
  let description = [{
    A sum of convolutions of one image, each with a trainable filter and constant factors for its outputs, becomes one
    convolution. Its filter is a parameter with the path of the largest branch; what it starts as, the sum of the branches'
    filters, is computed by the graph `<graph><suffix>`, as in `cg-materialize-weights`. The parameter carries the matrix
    G, the sum of the squared factors of the branches that have each tap, in the attribute `cg.gradient_scale`:
    `cg-insert-gradient-scaling` multiplies its gradient by it. Trained by SGD, with momentum, Nesterov's or not, and weight
    decay, the function goes through the same values as that of the branches (Detkov et al. 2023).

    Only where that is true: a remark gives the reason for each sum that stays. Batch norms inside branches, factors that may
    be trained, filters that are shared or computed, the image itself among the summands (weight decay would shrink it in
    one filter), different groups, and taps that no branch has are such reasons. Clipping by the norm of all gradients is not the
    same for both.
  }];
  let options = [Option<"suffix", "suffix", "std::string", "\".weights\"", "Added to a graph's name">];
  let statistics = [Statistic<"numCollapsed", "num-collapsed", "Sums that became one convolution">];
}

def MaterializeWeights : Pass<"cg-materialize-weights", "::mlir::ModuleOp"> {
  let summary = "Make parameters of what is computed from parameters";
  let description = [{
    What a graph computes from parameters and states alone, such as the filters that `cg-fold-branches` leaves, becomes
    a parameter. The graph `<graph><suffix>` takes over the computation: it has no arguments, and each result is the value
    of a new parameter, whose path is the result's `cg.name`. A filter gets the path of the largest filter that went into
    it, a bias that of its filter with "bias" for the last part; where a parameter of that path stays, ".folded" is
    added. Graphs without such expressions stay as they are.
  }];
  let options = [Option<"suffix", "suffix", "std::string", "\".weights\"", "Added to a graph's name">];
}

def EstimateGradientScaling : Pass<"cg-estimate-gradient-scaling", "::espalier::cg::GraphOp"> {
  let summary = "Turn a network into the estimate of how the gradients of its filters are scaled";
  let description = [{
    For every filter that `cg-insert-gradient-scaling` scales, adds an update of its slot "gradient_scale" by a matrix G
    over its window, made from the images that its convolutions read, zeros around them included (Detkov et al. 2023): the
    dependences d of `cg.mutual_information`, with the dilation of the convolution; k d / ((k - 1) d + 1) with
    the `temperature` k; the mean over channels, those with a NaN left out; and that divided by its mean over the window.
    Pixels of all convolutions that share a filter count together. Strides and groups do not matter. Where a filter has no
    channel without a NaN (each has one value only), its slot keeps its value.

    A filter whose parameter has an attribute `cg.gradient_scale` is left out: its matrix is given. With `filters`, only
    filters of these paths are estimated, and one that cannot be is an error. A remark names each convolution without an
    estimate, and the reason.

    The results of the graph go; what no image depends on is dead then. Runs after `cg-specialize{mode=inference}`.
  }];
  let options = [
    Option<"temperature", "temperature", "double", "5.0", "k, above 0: 1 leaves dependences, large ones make G flat">,
    Option<"removeDiagonal", "remove-diagonal", "bool", "false",
           "Count only pairs of pixels that are not 0 and lie in different bins">,
    ListOption<"filters", "filters", "std::string", "Paths of the filters; none: all that can be scaled">];
}

#endif // ESPALIER_TRANSFORMS_BRANCHPASSES_TD
