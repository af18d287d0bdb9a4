//===- StepPasses.td - from mode-free graphs to pure step functions -*- tablegen -*-===//

#ifndef ESPALIER_TRANSFORMS_STEPPASSES_TD
#define ESPALIER_TRANSFORMS_STEPPASSES_TD

include "mlir/Pass/PassBase.td"

def BindSizes : Pass<"cg-bind-sizes", "::mlir::ModuleOp"> {
  let summary = "Give symbolic sizes a number";
  let description = [{
    Replaces each size named in `sizes` in the signature of every graph and infers all types anew. With `use-defaults`,
    sizes that are not named take the number that the graph's `cg.default_sizes` gives them. Fails where a graph does
    not fit the numbers. The module notes the sizes that were bound in its attribute `cg.bindings`, but one to which the
    defaults of two graphs give different numbers.
  }];
  let options = [ListOption<"sizes", "sizes", "std::string", "Bindings, each NAME=NUMBER">,
                 Option<"useDefaults", "use-defaults", "bool", "false", "Bind the other sizes to their defaults">];
}

def KeepGraph : Pass<"cg-keep-graph", "::mlir::ModuleOp"> {
  let summary = "Reduce a module to one graph";
  let description = [{
    Erases every graph but the one named, and gives it the name `rename`, if one is given. Fails, listing the graphs,
    where there is none of that name.
  }];
  let options = [Option<"graph", "graph", "std::string", "", "Name of the graph that stays">,
                 Option<"rename", "rename", "std::string", "", "Its name afterwards">];
}

def ConvertFloats : Pass<"cg-convert-floats", "::mlir::ModuleOp"> {
  let summary = "Change the floating-point type of whole graphs";
  let description = [{
    Every f32 becomes f64: signatures, parameters, constants and casts. Gradient checks and comparisons of whole
    training runs are made in float64.
  }];
}

def MixedPrecision : Pass<"cg-mixed-precision", "::mlir::ModuleOp"> {
  let summary = "Compute in bf16 what may be, and in f32 what must be";
  let description = [{
    The signature of a graph stays, and so do its parameters and states: master weights are f32. Inside, values that
    depend on an input of the graph ("activations") take the type that the op's trait asks for, with a `cg.cast` where
    types change, one for each value:

    | trait | ops | operands | results |
    |---|---|---|---|
    | `ComputesNarrow` | convolutions, matrix products | `type` | `type` |
    | `NormalisesWide` | batch norms | f32 | f32; the first goes on in the type of the first operand |
    | `ComputesWide` | sums and means over dimensions, softmax, exp, log, roots, powers | f32 | f32 |
    | none | everything else: elementwise ops, pools, views | `type` if all activations come in it, else f32 | as the operands |

    What depends on weights alone is computed in f32, and cast where an activation meets it. Losses that are attached
    later stay in f32 entirely. Runs before differentiation: casts have derivatives. The module notes the type in its
    attribute `cg.precision`. A graph with other floating-point types than f32 and `type` is an error.
  }];
  let options = [Option<"type", "type", "std::string", "\"bf16\"", "The narrow type: bf16">,
                 Option<"graph", "graph", "std::string", "", "Name of the graph to rewrite; empty: every graph">];
}

def WidenGradients : Pass<"cg-widen-gradients", "::espalier::cg::GraphOp"> {
  let summary = "Keep gradients of parameters in f32 where they come from narrow activations";
  let description = [{
    For graphs of mixed precision, after differentiation. Sums that vector-Jacobian products take over narrow values are
    taken in f32. Where the gradient of a parameter is cast to f32 from a narrow value without other uses, the op that
    makes it gives f32 itself: `cg.conv2d_filter_gradient` by an f32 `like`, `cg.matmul` by `result_type`; ops that follow
    their operands take them cast, and so on towards the activations. So no gradient of a parameter is ever rounded to the
    narrow type.
  }];
}

def AttachLoss : Pass<"cg-attach-loss", "::mlir::ModuleOp"> {
  let summary = "Join a network, a loss and metrics in one graph";
  let description = [{
    Makes the graph `result` by calling `network`, then `loss` and each of `metrics` on its first result. What the
    loss and the metrics take besides (labels) becomes an input, shared by name. The results are the loss, which has
    rank 0 and the name "loss", and the metrics, named after their graphs (what follows the last dot).
  }];
  let options = [
    Option<"network", "network", "std::string", "", "Graph of the network">,
    Option<"loss", "loss", "std::string", "", "Graph of the loss: prediction first">,
    ListOption<"metrics", "metrics", "std::string", "Graphs of the metrics: prediction first">,
    Option<"result", "result", "std::string", "\"step\"", "Name of the graph that is made">];
}

def Specialize : Pass<"cg-specialize", "::espalier::cg::GraphOp"> {
  let summary = "Decide between training and inference";
  let description = [{
    `cg.batch_norm` becomes `cg.batch_norm_training` with updates of its running statistics, or
    `cg.batch_norm_inference`; `cg.dropout` becomes a seeded random mask, or its input.
  }];
  let options = [Option<"mode", "mode", "::espalier::cg::Mode", "::espalier::cg::Mode::Inference", "What the graph is for", [{
    ::llvm::cl::values(clEnumValN(::espalier::cg::Mode::Training, "training", "Batch statistics and dropout"),
                       clEnumValN(::espalier::cg::Mode::Inference, "inference", "Running statistics, no dropout"))
  }]>];
}

def Differentiate : Pass<"cg-differentiate", "::espalier::cg::GraphOp"> {
  let summary = "Reverse-mode derivative of the first result with respect to all parameters";
  let description = [{
    Adds to each graph whose first result is a floating-point number the cotangent of every parameter that the result
    depends on, each ended in `cg.parameter_gradient`. Only what lies between a parameter and the result is
    differentiated. An op without a derivative on the way is an error.
  }];
}

def GroupParameters : Pass<"cg-group-parameters", "::espalier::cg::GraphOp"> {
  let summary = "Choose weight decay and learning rate by parameter, and freeze parameters";
  let description = [{
    Each entry of `groups` is a pattern for paths, then settings, with colons between: `head.*:rate=10:weight-decay=0`,
    `*:frozen`. In patterns, `*` stands for any characters, `?` for one, `[ab]` for one of these. The first group that
    matches a parameter decides: its settings become the attributes `cg.weight_decay` and `cg.rate` of the
    `cg.parameter_gradient`, which the optimizer reads. The gradient of a frozen parameter vanishes, and so does what
    computed it. A pattern that matches no parameter is an error, and so are groups that freeze all of them.

    With `decay-norms-and-biases=false`, parameters of rank 0 and 1 have no weight decay, unless their group says so.
  }];
  let options = [
    ListOption<"groups", "groups", "std::string", "Groups, each PATTERN[:weight-decay=NUMBER][:rate=NUMBER][:frozen]">,
    Option<"decayNormsAndBiases", "decay-norms-and-biases", "bool", "true",
           "Whether parameters of rank 0 and 1 have weight decay">];
}

def AccumulateGradients : Pass<"cg-accumulate-gradients", "::espalier::cg::GraphOp"> {
  let summary = "Sum gradients over parts of a batch";
  let description = [{
    A batch of `count` equal parts takes `count - 1` runs of a graph made with `part=early`, then one of a graph made with
    `part=last`. Every gradient is divided by `count` and added to the slot "accumulated" of its parameter; the last part
    reads the sum from there, and clears the slot. For a loss that is a mean over samples, the sum is the gradient of the
    whole batch. Graphs of early parts have nothing to clip or optimize: their gradients end in the slot.
  }];
  let options = [
    Option<"count", "count", "int64_t", "1", "Number of parts, at least 1">,
    Option<"part", "part", "::espalier::cg::BatchPart", "::espalier::cg::BatchPart::Last", "Which parts the graph is for", [{
      ::llvm::cl::values(clEnumValN(::espalier::cg::BatchPart::Early, "early", "All but the last"),
                         clEnumValN(::espalier::cg::BatchPart::Last, "last", "The last"))
    }]>];
}

def ClipGradients : Pass<"cg-clip-gradients", "::espalier::cg::GraphOp"> {
  let summary = "Bound the joint norm of all gradients, or each of their elements";
  let description = [{
    With `norm`, multiplies every gradient by `min(1, norm / (n + 1e-6))`, n being the Euclidean norm of all of them
    together (Pascanu et al. 2013, as PyTorch's clip_grad_norm_). With `value`, moves every element into
    [-value, value], as clip_grad_value_. Runs between differentiation and the optimizer.
  }];
  let options = [Option<"norm", "norm", "double", "0.0", "Largest norm, > 0">,
                 Option<"value", "value", "double", "0.0", "Largest absolute value of an element, > 0">];
}

def ApplyOptimizer : Pass<"cg-apply-optimizer", "::espalier::cg::GraphOp"> {
  let summary = "Update every parameter that has a gradient";
  let description = [{
    Ends each `cg.parameter_gradient` in a `cg.parameter_update`, with the rules and constants of PyTorch's optimisers. The
    learning rate and, for Adam, the number of the step (from 1) are `cg.hyper` values; slots are `cg.state`. The
    attributes `cg.weight_decay` and `cg.rate` of a gradient replace the weight decay, and multiply the learning rate, of
    its parameter. The attribute `cg.update_scale` names a slot whose value multiplies what is subtracted at the end (the
    term with `rate`), but not the decay of adamw.

    | kind | rule, with g the gradient and p the parameter |
    |---|---|
    | sgd | g += weight_decay p; v = momentum v + g; p -= rate v, with Nesterov p -= rate (g + momentum v) |
    | adam | g += weight_decay p; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; p -= rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) |
    | adamw | p *= 1 - rate weight_decay; then as adam without weight decay |
    | rmsprop | g += weight_decay p; v = alpha v + (1 - alpha) g^2; centered: m = alpha m + (1 - alpha) g, and v - m^2 in place of v; d = g / (sqrt(v) + epsilon); u = momentum u + d; p -= rate u |
  }];
  let options = [
    Option<"kind", "kind", "::espalier::cg::OptimizerKind", "::espalier::cg::OptimizerKind::SGD", "Rule", [{
      ::llvm::cl::values(clEnumValN(::espalier::cg::OptimizerKind::SGD, "sgd", "Stochastic gradient descent"),
                         clEnumValN(::espalier::cg::OptimizerKind::Adam, "adam", "Kingma and Ba 2015"),
                         clEnumValN(::espalier::cg::OptimizerKind::AdamW, "adamw", "Loshchilov and Hutter 2019"),
                         clEnumValN(::espalier::cg::OptimizerKind::RMSprop, "rmsprop", "Tieleman and Hinton 2012"))
    }]>,
    Option<"momentum", "momentum", "double", "0.0", "Momentum of sgd and rmsprop">,
    Option<"nesterov", "nesterov", "bool", "false", "Nesterov's momentum in sgd">,
    Option<"weightDecay", "weight-decay", "double", "0.0", "L2 penalty, or the decoupled decay of adamw">,
    Option<"beta1", "beta1", "double", "0.9", "Decay of adam's first moment">,
    Option<"beta2", "beta2", "double", "0.999", "Decay of adam's second moment">,
    Option<"alpha", "alpha", "double", "0.99", "Decay of rmsprop's moments">,
    Option<"centered", "centered", "bool", "false", "Subtract the squared mean in rmsprop">,
    Option<"epsilon", "epsilon", "double", "1e-8", "Added to the denominator of adam and rmsprop">];
}

def AverageParameters : Pass<"cg-average-parameters", "::espalier::cg::GraphOp"> {
  let summary = "Keep an exponential moving average of parameters and states";
  let description = [{
    Every parameter and floating-point state that the graph writes gets a slot "average", `a = d a + (1 - d) new`. At
    step t, the hyper-value "step" (from 1), d is `min(decay, t - 1)`: the first step copies, as in PyTorch's
    AveragedModel. With `warmup`, d is `min(decay, 1 - t^(-2/3))`, as in timm's ModelEmaV3. Runs after the optimizer.
  }];
  let options = [Option<"decay", "decay", "double", "0.999", "Weight of the old average, at least 0 and below 1">,
                 Option<"warmup", "warmup", "bool", "false", "Average over fewer steps at first">];
}

def Functionalize : Pass<"cg-functionalize", "::espalier::cg::GraphOp"> {
  let summary = "Turn parameters, states and updates into arguments and results";
  let description = [{
    The graph becomes a pure function. Arguments and results carry `cg.role` (input, parameter, state, slot, hyper;
    output, gradient), `cg.path` or `cg.name`, and `cg.init` where a value has one. A result that is the new value of an argument carries
    its index as `cg.tied`, so that memory can be reused. With several updates of a path, the last one counts.
  }];
  let options = [Option<"returnGradients", "return-gradients", "bool", "false",
                        "Return the gradients of parameters after the other results">];
}

#endif // ESPALIER_TRANSFORMS_STEPPASSES_TD
