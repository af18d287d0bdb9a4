//===- CGTensorOps.td - constants, random, shapes, reductions -*- tablegen -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGTENSOROPS_TD
#define ESPALIER_DIALECT_CG_IR_CGTENSOROPS_TD

include "espalier/Dialect/CG/IR/CGBase.td"

//===----------------------------------------------------------------------===//
// Sources
//===----------------------------------------------------------------------===//

def CG_ConstantOp : CG_ValueOp<"constant", [ConstantLike]> {
  let summary = "a literal tensor";
  let description = [{
    C1. `value` is a dense tensor of numbers.

    ```mlir
    %two = cg.constant dense<2.0> : tensor<f32>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "attr-dict $value";
  let hasFolder = 1;
}

def CG_IotaOp : CG_ValueOp<"iota"> {
  let summary = "0, 1, 2, ... as a vector";
  let description = [{
    C1. `size` >= 0.
    C2. `type` is i32, i64 or a float type.

    ```mlir
    %i = cg.iota {size = 10 : i64, type = i64}
    ```
  }];
  let arguments = (ins I64Attr:$size, TypeAttr:$type);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "attr-dict";
}

def CG_SeedTensor : TypeConstraint<And<[CG_ScalarTensor.predicate, CG_IndexTensor.predicate]>,
                                   "tensor of rank 0 of i32 or i64", "::mlir::RankedTensorType">;
class CG_RandomOp<string mnemonic> : CG_ValueOp<mnemonic> {
  let arguments = (ins CG_SeedTensor:$seed, CG_FloatTensor:$like, StrAttr:$key);
  let results = (outs CG_FloatTensor:$result);
  let assemblyFormat = "$key $seed `like` $like attr-dict `:` type($seed) `,` type($like)";
}
def CG_RandomUniformOp : CG_RandomOp<"random_uniform"> {
  let summary = "uniform in [0, 1), shaped like an operand";
  let description = [{
    Element i is word i mod 4 of Philox4x32-10 (Salmon et al. 2011) with the counter {i div 4 (64 bits), seed (64 bits)}
    and the 64-bit FNV-1a hash of `key` as key; the word's upper 24 bits times 2^-24. So numbers depend on key, seed
    and place alone: not on device, threads, or how a batch is split.

    ```mlir
    %u = cg.random_uniform "dropout1" %seed like %x : tensor<i64>, tensor<8x16xf32>
    ```
  }];
}
def CG_RandomNormalOp : CG_RandomOp<"random_normal"> {
  let summary = "standard normal, shaped like an operand";
  let description = [{
    Elements 2j and 2j+1 are the Box-Muller pair of uniforms 2j and 2j+1 of `cg.random_uniform`, in the form
    `sqrt(-2 log(1 - u)) * {cos, sin}(2 pi v)`.

    ```mlir
    %n = cg.random_normal "noise" %seed like %x : tensor<i64>, tensor<8x16xf32>
    ```
  }];
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

def CG_ReshapeOp : CG_ValueOp<"reshape", [CG_Differentiable, CG_Linear]> {
  let summary = "same elements in row-major order, other extents";
  let description = [{
    One entry of `shape` may be -1: it takes what is left. An entry -2 - i is the extent of the input's dimension i,
    so that several extents may be symbolic.

    C1. Entries are >= -1, or -2 - i for dimensions i, each at most once. One at most is -1, and then no extent is 0.
    C2. The number of elements stays.

    ```mlir
    %y = cg.reshape %x {shape = array<i64: -2, 16, -1>} : tensor<?x16x?x?xf32>
    ```
  }];
  let arguments = (ins CG_Tensor:$input, DenseI64ArrayAttr:$shape);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
  let hasFolder = 1;
}
def CG_ReshapeLikeOp : CG_ValueOp<"reshape_like", [CG_Differentiable, CG_Linear]> {
  let summary = "same elements in row-major order, with the extents of another tensor";
  let description = [{
    C1. Both operands have the same number of elements.

    ```mlir
    %y = cg.reshape_like %x, %z : tensor<?x400xf32>, tensor<?x16x5x5xf32>
    ```
  }];
  let arguments = (ins CG_Tensor:$input, CG_Tensor:$like);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$input `,` $like attr-dict `:` type($input) `,` type($like)";
  let hasCanonicalizeMethod = 1;
}
def CG_BroadcastLikeOp : CG_ValueOp<"broadcast_like", [CG_Differentiable, CG_Linear]> {
  let summary = "repeats elements to the extents of another tensor";
  let description = [{
    C1. Aligned at the right, each extent of the input is 1, missing, or equal to that of `like`.

    ```mlir
    %y = cg.broadcast_like %b, %x : tensor<10xf32>, tensor<8x10xf32>
    ```
  }];
  let arguments = (ins CG_Tensor:$input, CG_Tensor:$like);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$input `,` $like attr-dict `:` type($input) `,` type($like)";
  let hasFolder = 1;
}
def CG_TransposeOp : CG_ValueOp<"transpose", [CG_Differentiable, CG_Linear]> {
  let summary = "permutes dimensions: result dimension i is input dimension `permutation[i]`";
  let description = [{
    C1. `permutation` is a permutation of the input's dimensions.

    ```mlir
    %y = cg.transpose %x {permutation = array<i64: 0, 2, 3, 1>} : tensor<8x3x32x32xf32>
    ```
  }];
  let arguments = (ins CG_Tensor:$input, DenseI64ArrayAttr:$permutation);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
  let hasFolder = 1;
}
def CG_SliceOp : CG_ValueOp<"slice", [CG_Differentiable, CG_Linear]> {
  let summary = "every `stride`-th element of [start, end) along one dimension";
  let description = [{
    A negative `start` or `end` counts from the end: -1 stands for the extent, -2 for the extent less 1.

    C1. `axis` is a dimension of the input.
    C2. 0 <= `start` <= `end` <= extent, `stride` >= 1.

    ```mlir
    %y = cg.slice %x {axis = 1 : i64, start = 0 : i64, end = 8 : i64, stride = 1 : i64} : tensor<8x16xf32>
    ```
  }];
  let arguments = (ins CG_Tensor:$input, I64Attr:$axis, I64Attr:$start, I64Attr:$end, I64Attr:$stride);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
  let extraClassDeclaration = shapeFunction # [{
    /// The place of the first element taken along `axis`, of a static extent.
    int64_t getFirst();
  }];
}
def CG_SliceGradientOp : CG_ValueOp<"slice_gradient", [CG_Differentiable, CG_Linear]> {
  let summary = "cotangent of `cg.slice`: zeros like the input, with `cotangent` at the places that were taken";
  let description = [{
    C1. `cotangent` has the shape that slicing `like` gives.

    ```mlir
    %dx = cg.slice_gradient %dy, %x {axis = 1 : i64, start = 0 : i64, end = 8 : i64, stride = 1 : i64} : tensor<8x8xf32>, tensor<8x16xf32>
    ```
  }];
  let arguments = (ins CG_Tensor:$cotangent, CG_Tensor:$like, I64Attr:$axis, I64Attr:$start, I64Attr:$end,
                       I64Attr:$stride);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$cotangent `,` $like attr-dict `:` type($cotangent) `,` type($like)";
  let extraClassDeclaration = shapeFunction # [{
    /// The place of the first element taken along `axis`, of a static extent.
    int64_t getFirst();
  }];
}
def CG_PadOp : CG_ValueOp<"pad", [CG_Differentiable, CG_Linear]> {
  let summary = "surrounds a tensor with one value";
  let description = [{
    C1. `low` and `high` have one entry >= 0 for each dimension.

    ```mlir
    %y = cg.pad %x {low = array<i64: 0, 1>, high = array<i64: 0, 2>, value = 0.000000e+00 : f64} : tensor<8x16xf32>
    ```
  }];
  let arguments = (ins CG_Tensor:$input, DenseI64ArrayAttr:$low, DenseI64ArrayAttr:$high, F64Attr:$value);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}
def CG_ConcatOp : CG_ValueOp<"concat", [CG_Differentiable]> {
  let summary = "joins tensors along one dimension";
  let description = [{
    C1. There is an input, and `axis` is a dimension of the inputs.
    C2. Inputs agree in element type, rank and all extents but the joined one.

    ```mlir
    %y = cg.concat %a, %b {axis = 1 : i64} : tensor<8x3xf32>, tensor<8x5xf32>
    ```
  }];
  let arguments = (ins Variadic<CG_Tensor>:$inputs, I64Attr:$axis);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$inputs attr-dict `:` type($inputs)";
}
def CG_ConcatGradientOp : CG_ValueOp<"concat_gradient", [CG_Differentiable, CG_Linear]> {
  let summary = "cotangent of one input of `cg.concat`: the part of `cotangent` that stands in its place";
  let description = [{
    `inputs` are those that were joined, the one in question at `index`. Only their extents are read, so that the place
    is known even where several of them are symbolic. Where it is a number, the op is a `cg.slice`.

    C1. `index` names an input.
    C2. `cotangent` has the shape that joining `inputs` along `axis` gives.

    ```mlir
    %da = cg.concat_gradient %dy, %a, %b {axis = 0 : i64, index = 1 : i64}
      : tensor<?x5xf32>, tensor<?x5xf32>, tensor<?x5xf32>
    ```
  }];
  let arguments = (ins CG_Tensor:$cotangent, Variadic<CG_Tensor>:$inputs, I64Attr:$axis, I64Attr:$index);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$cotangent `,` $inputs attr-dict `:` type($cotangent) `,` type($inputs)";
  let extraClassDeclaration = shapeFunction # [{
    /// The `start` and `end` of a `cg.slice` of the cotangent that is the result; nothing while extents on either side
    /// are unknown.
    ::std::optional<::std::pair<int64_t, int64_t>> getSliceBounds();
  }];
  let hasCanonicalizeMethod = 1;
}
def CG_GatherOp : CG_ValueOp<"gather", [CG_Differentiable, CG_Linear]> {
  let summary = "takes slices at `indices` along one dimension, as NumPy's take";
  let description = [{
    The extents of `indices` stand in the place of dimension `axis`. An index outside the extent gives zeros.

    C1. `axis` is a dimension of the input.

    ```mlir
    %y = cg.gather %table, %i {axis = 0 : i64} : tensor<100x16xf32>, tensor<8xi64>
    ```
  }];
  let arguments = (ins CG_Tensor:$input, CG_IndexTensor:$indices, I64Attr:$axis);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$input `,` $indices attr-dict `:` type($input) `,` type($indices)";
}
def CG_ScatterAddOp : CG_ValueOp<"scatter_add", [CG_Differentiable, CG_ComputesWide]> {
  let summary = "adds slices of `updates` to `input` at `indices` along one dimension";
  let description = [{
    The transpose of `cg.gather`: repeated indices add up, in row-major order; an index outside the extent is dropped.

    C1. `axis` is a dimension of the input.
    C2. `updates` has the element type and shape that `cg.gather` of `input` at `indices` gives.

    ```mlir
    %y = cg.scatter_add %zero, %i, %u {axis = 0 : i64} : tensor<100x16xf32>, tensor<8xi64>, tensor<8x16xf32>
    ```
  }];
  let arguments = (ins CG_Tensor:$input, CG_IndexTensor:$indices, CG_Tensor:$updates, I64Attr:$axis);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$input `,` $indices `,` $updates attr-dict `:` type($input) `,` type($indices) `,` type($updates)";
}
def CG_ExtentOp : CG_ValueOp<"extent"> {
  let summary = "product of the extents along some dimensions, as a number";
  let description = [{
    C1. `axes` are distinct dimensions of the input.
    C2. `type` is i32, i64 or a float type.

    ```mlir
    %n = cg.extent %x {axes = array<i64: 0, 2, 3>, type = f32} : tensor<?x16x8x8xf32>
    ```
  }];
  let arguments = (ins CG_Tensor:$input, DenseI64ArrayAttr:$axes, TypeAttr:$type);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
  let hasFolder = 1;
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

class CG_ReductionOp<string mnemonic, list<Trait> traits = []> : CG_ValueOp<mnemonic, traits> {
  let arguments = (ins CG_Tensor:$input, DenseI64ArrayAttr:$axes, UnitAttr:$keep_dims);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
  string constraints = "    C1. `axes` are distinct dimensions of the input. With `keep_dims` they stay, with extent 1.";
}
def CG_ReduceSumOp : CG_ReductionOp<"reduce_sum", [CG_Differentiable, CG_Linear, CG_ComputesWide]> {
  let summary = "sum over dimensions; 0 over no elements";
  let description = constraints # [{

    ```mlir
    %y = cg.reduce_sum %x {axes = array<i64: 0>} : tensor<8x10xf32>
    ```
  }];
}
def CG_ReduceMeanOp : CG_ReductionOp<"reduce_mean", [CG_Differentiable, CG_Linear, CG_ComputesWide]> {
  let summary = "mean over dimensions; NaN over no elements";
  let arguments = (ins CG_FloatTensor:$input, DenseI64ArrayAttr:$axes, UnitAttr:$keep_dims);
  let results = (outs CG_FloatTensor:$result);
  let description = constraints # [{

    ```mlir
    %y = cg.reduce_mean %x {axes = array<i64: 2, 3>, keep_dims} : tensor<8x16x7x7xf32>
    ```
  }];
}
def CG_ReduceMaxOp : CG_ReductionOp<"reduce_max", [CG_Differentiable]> {
  let summary = "maximum over dimensions; tied elements share the derivative equally";
  let description = constraints # [{

    NaN wins. Over no elements it is -inf, or the lowest integer.

    ```mlir
    %y = cg.reduce_max %x {axes = array<i64: 1>} : tensor<8x10xf32>
    ```
  }];
}
def CG_ArgmaxOp : CG_ValueOp<"argmax"> {
  let summary = "index of the first maximum along one dimension, which is dropped";
  let description = [{
    NaN counts as larger than any number.

    C1. `axis` is a dimension of the input, with an extent that is not 0.

    ```mlir
    %i = cg.argmax %x {axis = 1 : i64} : tensor<8x10xf32>
    ```
  }];
  let arguments = (ins CG_Tensor:$input, I64Attr:$axis);
  let results = (outs CG_IndexTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

class CG_SoftmaxLikeOp<string mnemonic> : CG_ValueOp<mnemonic, [CG_Differentiable, CG_ComputesWide]> {
  let arguments = (ins CG_FloatTensor:$input, I64Attr:$axis);
  let results = (outs CG_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}
def CG_SoftmaxOp : CG_SoftmaxLikeOp<"softmax"> {
  let summary = "`exp(x - max) / sum(exp(x - max))` along one dimension";
  let description = [{
    C1. `axis` is a dimension of the input.

    ```mlir
    %p = cg.softmax %x {axis = 1 : i64} : tensor<8x10xf32>
    ```
  }];
}
def CG_LogSoftmaxOp : CG_SoftmaxLikeOp<"log_softmax"> {
  let summary = "`x - max - log(sum(exp(x - max)))` along one dimension";
  let description = [{
    C1. `axis` is a dimension of the input.

    ```mlir
    %p = cg.log_softmax %x {axis = 1 : i64} : tensor<8x10xf32>
    ```
  }];
}

#endif // ESPALIER_DIALECT_CG_IR_CGTENSOROPS_TD
