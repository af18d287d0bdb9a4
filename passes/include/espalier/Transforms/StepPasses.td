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

def ClipGradients : Pass<"cg-clip-gradients", "::espalier::cg::GraphOp"> {
  let summary = "Scale all gradients so that their joint norm stays below a bound";
  let description = [{
    Multiplies every gradient by `min(1, norm / (n + 1e-6))`, n being the Euclidean norm of all of them together
    (Pascanu et al. 2013, as PyTorch's clip_grad_norm_). Runs between differentiation and the optimiser.
  }];
  let options = [Option<"norm", "norm", "double", "1.0", "Largest norm, > 0">];
}

def ApplyOptimizer : Pass<"cg-apply-optimizer", "::espalier::cg::GraphOp"> {
  let summary = "Update every parameter that has a gradient";
  let description = [{
    Ends each `cg.parameter_gradient` in a `cg.parameter_update`, with the rules and constants of PyTorch's optimisers. The
    learning rate and, for Adam, the number of the step (from 1) are `cg.hyper` values; slots are `cg.state`.

    | kind | rule, with g the gradient and p the parameter |
    |---|---|
    | sgd | g += weight_decay p; v = momentum v + g; p -= rate v, with Nesterov p -= rate (g + momentum v) |
    | adam | g += weight_decay p; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; p -= rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) |
    | adamw | p *= 1 - rate weight_decay; then as adam without weight decay |
  }];
  let options = [
    Option<"kind", "kind", "::espalier::cg::OptimizerKind", "::espalier::cg::OptimizerKind::SGD", "Rule", [{
      ::llvm::cl::values(clEnumValN(::espalier::cg::OptimizerKind::SGD, "sgd", "Stochastic gradient descent"),
                         clEnumValN(::espalier::cg::OptimizerKind::Adam, "adam", "Kingma and Ba 2015"),
                         clEnumValN(::espalier::cg::OptimizerKind::AdamW, "adamw", "Loshchilov and Hutter 2019"))
    }]>,
    Option<"momentum", "momentum", "double", "0.0", "Momentum of sgd">,
    Option<"nesterov", "nesterov", "bool", "false", "Nesterov's momentum in sgd">,
    Option<"weightDecay", "weight-decay", "double", "0.0", "L2 penalty, or the decoupled decay of adamw">,
    Option<"beta1", "beta1", "double", "0.9", "Decay of adam's first moment">,
    Option<"beta2", "beta2", "double", "0.999", "Decay of adam's second moment">,
    Option<"epsilon", "epsilon", "double", "1e-8", "Added to adam's denominator">];
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
