//===- FusePasses.td - from step functions to groups -------*- tablegen -*-===//

#ifndef ESPALIER_TRANSFORMS_FUSEPASSES_TD
#define ESPALIER_TRANSFORMS_FUSEPASSES_TD

include "mlir/Pass/PassBase.td"

def Decompose : Pass<"cg-decompose", "::espalier::cg::GraphOp"> {
  let summary = "Split composite operations into what kernels fuse";
  let description = [{
    Batch normalisation, softmax and means become sums, maxima and elementwise ops. Statistics of a batch take one pass
    over the input: sums of `d` and `d^2` with `d = x - x0`, where `x0` is the channel's mean in the first sample, so
    that nothing cancels. Sums over the batch become sums of sums: along rows, over the rows of a sample, and over
    samples. Short sums round less, and there is parallel work that does not depend on the number of threads. Operands that lend their extents alone become
    literals, so that their values need not live.

    With `fold-scales`, for graphs whose weights are constant: a convolution times a factor by channel that depends on
    weights alone becomes a convolution with scaled filters.
  }];
  let options = [Option<"foldScales", "fold-scales", "bool", "false", "Move scales by channel into constant filters">];
  let dependentDialects = ["::espalier::cg::CGDialect"];
}

def SplitWeights : Pass<"cg-split-weights", "::mlir::ModuleOp"> {
  let summary = "Compute what depends on weights alone in a graph of its own";
  let description = [{
    For every graph without tied results: what depends on parameters, states and literals alone moves to the graph
    `<prefix>_<name>`, or `<prefix>` where the module has one graph. Its results become arguments of the first graph, with the
    role `packed` and the names of the results. Weights that nothing else reads are no arguments of the graph any more.
    Where there is nothing to move the graph stays as it is.
  }];
  let options = [Option<"prefix", "prefix", "std::string", "\"prepare\"", "Name of the graph that is made">];
}

def Rematerialize : Pass<"cg-rematerialize", "::espalier::cg::GraphOp"> {
  let summary = "Compute activations again in the backward pass instead of keeping them";
  let description = [{
    Values that are read on both sides of the place where most memory is in use, which is where the forward pass ends,
    are computed once more for their readers beyond it: if that takes a few instructions for each element, from at most two
    large tensors that live as long anyway. An activation behind a batch normalisation is such a value. The backward
    kernels that read the tensor anyway compute it on the fly; for others, such as a filter's gradient, it is in
    memory for a moment.
  }];
}

def HoistUpdates : Pass<"cg-hoist-updates", "::espalier::cg::GraphOp"> {
  let summary = "Update parameters as soon as their gradients are there";
  let description = [{
    The elementwise ops behind each result that is tied to an argument move up to where their operands are computed and
    nothing reads the old value any more. A gradient then lives for a moment only, and is updated with while it is in the
    cache. What waits for all gradients, such as clipping by their norm, stays where it is.
  }];
}

def Fuse : Pass<"cg-fuse", "::espalier::cg::GraphOp"> {
  let summary = "Form groups that run as one kernel";
  let description = [{
    Afterwards a graph holds `cg.group`, `cg.reshape` and a return. Elementwise ops join the only group that reads
    them, or are computed again in each of two groups where that saves memory traffic; reductions join what follows them on their
    small results, siblings over the same tensor share a kernel, and convolutions and matrix products in f32 and f64 take
    a bias, a residual and a clamp that follow. Takes time linear in the number of ops.
  }];
  let options = [Option<"maxOps", "max-ops", "int64_t", "48", "Most ops of one group">];
}

def AssignLayout : Pass<"cg-assign-layout", "::espalier::cg::GraphOp"> {
  let summary = "Choose the order of dimensions in memory for every value";
  let description = [{
    Images around convolutions are channels last (NHWC); what is elementwise with them follows. Arguments,
    results, gradients of filters and what is reshaped are in the order of their type; groups that copy are put
    between where needed.
    Channels are not padded.
  }];
}

def ChooseKernels : Pass<"cg-choose-kernels", "::mlir::ModuleOp"> {
  let summary = "Choose how each group with a contraction runs, by measured times";
  let description = [{
    Sets `candidates` of a group around a convolution, one of its gradients or a matrix product to those that can run it
    in its layout, and `chosen` and `reason`. The fastest is chosen where the table has a time of each (but for loops,
    which run only what nothing else does) on this kind of processor, by the contraction's signature; else, and where
    the times differ by less than a tenth, the first of `onednn`, `tile`, `loops`. `kernel-table` names a file whose entries come before those of the compiler's own table;
    `espalier tune` writes one. `prefer` names a candidate to choose wherever it is legal. Nothing is timed here, so that
    equal inputs give equal programs.
  }];
  let options = [
    Option<"cpu", "cpu", "std::string", "\"host\"", "Processor that code is made for">,
    Option<"kernelTable", "kernel-table", "std::string", "\"\"", "File of measured times">,
    Option<"prefer", "prefer", "std::string", "\"\"", "Candidate to choose wherever it is legal">];
}

def PackOperands : Pass<"cg-pack-operands", "::mlir::ModuleOp"> {
  let summary = "Bring operands into the order in memory that the chosen candidates read";
  let description = [{
    A contraction whose candidate wants its second operand in another order of dimensions, such as a filter with
    contiguous output channels, reads a copy in that order, which a group before it makes; groups share copies. With
    `prepare-weights`, for graphs whose weights are constant, the copy of a weight is made once, in the graph that
    `cg-split-weights` has split off, or in a new one of that name.
  }];
  let options = [Option<"prepareWeights", "prepare-weights", "bool", "false", "Copy weights in a graph of their own">,
                 Option<"prefix", "prefix", "std::string", "\"prepare\"", "Name of the graph for weights">];
  let dependentDialects = ["::espalier::cg::CGDialect"];
}

#endif // ESPALIER_TRANSFORMS_FUSEPASSES_TD
