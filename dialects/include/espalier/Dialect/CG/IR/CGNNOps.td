//===- CGNNOps.td - convolution, matmul, norms, pools ------*- tablegen -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGNNOPS_TD
#define ESPALIER_DIALECT_CG_IR_CGNNOPS_TD

include "espalier/Dialect/CG/IR/CGBase.td"

/// An op with a sliding window.
class CG_WindowOp<string mnemonic, list<Trait> traits = []> : CG_ValueOp<mnemonic, traits> {
  let extraClassDeclaration = shapeFunction # [{
    /// How the window slides, with defaults for the attributes that are absent.
    ::espalier::cg::WindowAttrs getWindow();
  }];
}

//===----------------------------------------------------------------------===//
// Convolution and matrix product
//===----------------------------------------------------------------------===//

defvar CG_ConvAttrs = (ins OptionalAttr<DenseI64ArrayAttr>:$strides, OptionalAttr<DenseI64ArrayAttr>:$pads,
                           OptionalAttr<DenseI64ArrayAttr>:$dilations, OptionalAttr<I64Attr>:$groups);

def CG_Conv2dOp : CG_WindowOp<"conv2d", [CG_Differentiable, CG_Linear, CG_ComputesNarrow]> {
  let summary = "2-D convolution (correlation), NCHW input and OIHW filter, no bias";
  let description = [{
    Absent `strides` and `dilations` mean 1, absent `pads` mean 0, absent `groups` means 1. `pads` are top, left,
    bottom, right; padding is with zeros.

    C1. `strides` and `dilations` have two entries >= 1, `pads` four >= 0, `groups` is >= 1.
    C2. Element types are equal, and channels(input) = channels(filter) * groups.
    C3. features(filter) is a multiple of `groups`.
    C4. The padded input covers the dilated filter, which has a tap: extent(result, d) =
        floor((extent(input, d) + pads - dilation * (extent(filter, d) - 1) - 1) / stride) + 1.

    ```mlir
    %y = cg.conv2d %x, %w strides [2, 2] pads [1, 1, 1, 1] : tensor<1x3x32x32xf32>, tensor<16x3x3x3xf32>
    ```
  }];
  let arguments = !con((ins CG_FloatTensorOfRank<4>:$input, CG_FloatTensorOfRank<4>:$filter), CG_ConvAttrs);
  let results = (outs CG_FloatTensorOfRank<4>:$result);
  let assemblyFormat = [{
    $input `,` $filter (`strides` $strides^)? (`pads` $pads^)? (`dilations` $dilations^)? (`groups` $groups^)?
    attr-dict `:` type($input) `,` type($filter)
  }];
}
def CG_Conv2dInputGradientOp
    : CG_WindowOp<"conv2d_input_gradient", [CG_Differentiable, CG_Linear, CG_ComputesNarrow]> {
  let summary = "cotangent of `cg.conv2d`'s input (the transposed convolution)";
  let description = [{
    `like` gives the extents of the result; its values are not read.

    C1. `cotangent` has the shape that `cg.conv2d` of `like` and `filter` gives.

    ```mlir
    %dx = cg.conv2d_input_gradient %dy, %w, %x pads [1, 1, 1, 1] : tensor<1x16x32x32xf32>, tensor<16x3x3x3xf32>, tensor<1x3x32x32xf32>
    ```
  }];
  let arguments = !con((ins CG_FloatTensorOfRank<4>:$cotangent, CG_FloatTensorOfRank<4>:$filter,
                            CG_FloatTensorOfRank<4>:$like), CG_ConvAttrs);
  let results = (outs CG_FloatTensorOfRank<4>:$result);
  let assemblyFormat = [{
    $cotangent `,` $filter `,` $like (`strides` $strides^)? (`pads` $pads^)? (`dilations` $dilations^)?
    (`groups` $groups^)? attr-dict `:` type($cotangent) `,` type($filter) `,` type($like)
  }];
}
def CG_Conv2dFilterGradientOp
    : CG_WindowOp<"conv2d_filter_gradient", [CG_Differentiable, CG_Linear, CG_ComputesNarrow]> {
  let summary = "cotangent of `cg.conv2d`'s filter";
  let description = [{
    `like` gives the type of the result; its values are not read. The sums over the batch need not be rounded to a narrow
    type that the images have: the result may be f32.

    C1. `cotangent` has the shape that `cg.conv2d` of `input` and `like` gives.
    C2. `input` and `cotangent` have one element type; `like` has that one too, or f32 where that one is narrower.

    ```mlir
    %dw = cg.conv2d_filter_gradient %x, %dy, %w pads [1, 1, 1, 1] : tensor<1x3x32x32xf32>, tensor<1x16x32x32xf32>, tensor<16x3x3x3xf32>
    %dv = cg.conv2d_filter_gradient %u, %dz, %v pads [1, 1, 1, 1] : tensor<1x3x32x32xbf16>, tensor<1x16x32x32xbf16>, tensor<16x3x3x3xf32>
    ```
  }];
  let arguments = !con((ins CG_FloatTensorOfRank<4>:$input, CG_FloatTensorOfRank<4>:$cotangent,
                            CG_FloatTensorOfRank<4>:$like), CG_ConvAttrs);
  let results = (outs CG_FloatTensorOfRank<4>:$result);
  let assemblyFormat = [{
    $input `,` $cotangent `,` $like (`strides` $strides^)? (`pads` $pads^)? (`dilations` $dilations^)?
    (`groups` $groups^)? attr-dict `:` type($input) `,` type($cotangent) `,` type($like)
  }];
}

def CG_MatmulOp : CG_ValueOp<"matmul", [CG_Differentiable, CG_Linear, CG_ComputesNarrow]> {
  let summary = "matrix product of the last two dimensions";
  let description = [{
    `transpose_a` and `transpose_b` read that operand with its last two dimensions swapped.

    C1. Operands have rank >= 2. `rhs` has rank 2, or the leading extents of `lhs`.
    C2. The contracted extents are equal, and so are the element types.
    C3. `result_type`, when present, is the element type of the operands, or f32 where that one is narrower: the sums are
        not rounded then.

    ```mlir
    %y = cg.matmul %x, %w transpose_b : tensor<8x64xf32>, tensor<10x64xf32>
    %z = cg.matmul %u, %v {result_type = f32} : tensor<8x64xbf16>, tensor<64x10xbf16>
    ```
  }];
  let arguments = (ins CG_FloatTensor:$lhs, CG_FloatTensor:$rhs, UnitAttr:$transpose_a, UnitAttr:$transpose_b,
                       OptionalAttr<TypeAttr>:$result_type);
  let results = (outs CG_FloatTensor:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs (`transpose_a` $transpose_a^)? (`transpose_b` $transpose_b^)? attr-dict `:` type($lhs) `,` type($rhs)
  }];
}

//===----------------------------------------------------------------------===//
// Batch normalisation and dropout
//===----------------------------------------------------------------------===//

def CG_BatchNormOp : CG_ValueOp<"batch_norm", [CG_NormalisesWide]> {
  let summary = "batch normalisation that does not say whether it trains";
  let description = [{
    Replaced by `cg-specialize`: by `cg.batch_norm_inference`, or by `cg.batch_norm_training` and an update of the
    states behind `mean` and `variance`, `new = (1 - momentum) * old + momentum * batch`, where the batch variance is the
    unbiased one. Evaluation and cost are those of inference.

    C1. `input` has rank >= 2; the other operands are vectors over its dimension 1, of its element type.
    C2. `epsilon` >= 0 and `momentum` lies in [0, 1].

    ```mlir
    %y = cg.batch_norm %x, %scale, %shift, %mean, %var {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
      : tensor<8x16x4x4xf32>, tensor<16xf32>, tensor<16xf32>, tensor<16xf32>, tensor<16xf32>
    ```
  }];
  let arguments = (ins CG_FloatTensor:$input, CG_FloatTensorOfRank<1>:$scale, CG_FloatTensorOfRank<1>:$shift,
                       CG_FloatTensorOfRank<1>:$mean, CG_FloatTensorOfRank<1>:$variance, F64Attr:$epsilon,
                       F64Attr:$momentum);
  let results = (outs CG_FloatTensor:$result);
  let assemblyFormat = [{
    $input `,` $scale `,` $shift `,` $mean `,` $variance attr-dict `:` type($input) `,` type($scale) `,` type($shift)
    `,` type($mean) `,` type($variance)
  }];
  let hasVerifier = 1;
}
def CG_BatchNormInferenceOp : CG_ValueOp<"batch_norm_inference", [CG_Differentiable, CG_NormalisesWide]> {
  let summary = "`(x - mean) / sqrt(variance + epsilon) * scale + shift`, by channel";
  let description = [{
    C1. `input` has rank >= 2; the other operands are vectors over its dimension 1, of its element type.
    C2. `epsilon` >= 0.

    ```mlir
    %y = cg.batch_norm_inference %x, %scale, %shift, %mean, %var {epsilon = 1.0e-05 : f64}
      : tensor<8x16x4x4xf32>, tensor<16xf32>, tensor<16xf32>, tensor<16xf32>, tensor<16xf32>
    ```
  }];
  let arguments = (ins CG_FloatTensor:$input, CG_FloatTensorOfRank<1>:$scale, CG_FloatTensorOfRank<1>:$shift,
                       CG_FloatTensorOfRank<1>:$mean, CG_FloatTensorOfRank<1>:$variance, F64Attr:$epsilon);
  let results = (outs CG_FloatTensor:$result);
  let assemblyFormat = [{
    $input `,` $scale `,` $shift `,` $mean `,` $variance attr-dict `:` type($input) `,` type($scale) `,` type($shift)
    `,` type($mean) `,` type($variance)
  }];
  let hasVerifier = 1;
}
def CG_BatchNormTrainingOp : CG_ValueOp<"batch_norm_training", [CG_Differentiable, CG_NormalisesWide]> {
  let summary = "batch normalisation with the batch's own statistics, which are results too";
  let description = [{
    `mean` and `variance` (the biased one, divided by the number of elements) are over all dimensions but 1. Cotangents
    of the statistics are followed as well.

    C1. `input` has rank >= 2; the other operands are vectors over its dimension 1, of its element type.
    C2. `epsilon` >= 0.

    ```mlir
    %y, %mean, %var = cg.batch_norm_training %x, %scale, %shift {epsilon = 1.0e-05 : f64}
      : tensor<8x16x4x4xf32>, tensor<16xf32>, tensor<16xf32>
    ```
  }];
  let arguments = (ins CG_FloatTensor:$input, CG_FloatTensorOfRank<1>:$scale, CG_FloatTensorOfRank<1>:$shift,
                       F64Attr:$epsilon);
  let results = (outs CG_FloatTensor:$result, CG_FloatTensorOfRank<1>:$mean, CG_FloatTensorOfRank<1>:$variance);
  let assemblyFormat = [{
    $input `,` $scale `,` $shift attr-dict `:` type($input) `,` type($scale) `,` type($shift)
  }];
  let hasVerifier = 1;
}
def CG_DropoutOp : CG_ValueOp<"dropout"> {
  let summary = "dropout that does not say whether it trains";
  let description = [{
    Replaced by `cg-specialize`: by its input in inference; in training by zeros with probability `rate` and
    `x / (1 - rate)` elsewhere, drawn from `cg.random_uniform` under `key`. Evaluation and cost are those of inference.

    C1. `rate` lies in [0, 1).

    ```mlir
    %y = cg.dropout "classifier.2" %x {rate = 0.5 : f64} : tensor<8x64xf32>
    ```
  }];
  let arguments = (ins StrAttr:$key, CG_FloatTensor:$input, F64Attr:$rate);
  let results = (outs CG_FloatTensor:$result);
  let assemblyFormat = "$key $input attr-dict `:` type($input)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Pools
//===----------------------------------------------------------------------===//

defvar CG_PoolAttrs = (ins DenseI64ArrayAttr:$kernel, OptionalAttr<DenseI64ArrayAttr>:$strides,
                           OptionalAttr<DenseI64ArrayAttr>:$pads, UnitAttr:$ceil_mode);

class CG_PoolOp<string mnemonic, list<Trait> traits> : CG_WindowOp<mnemonic, traits> {
  let arguments = !con((ins CG_FloatTensorOfRank<4>:$input), CG_PoolAttrs);
  let results = (outs CG_FloatTensorOfRank<4>:$result);
  let assemblyFormat = [{
    $input `kernel` $kernel (`strides` $strides^)? (`pads` $pads^)? (`ceil_mode` $ceil_mode^)? attr-dict
    `:` type($input)
  }];
}
class CG_PoolGradientOp<string mnemonic, list<Trait> traits> : CG_WindowOp<mnemonic, traits> {
  let arguments = !con((ins CG_FloatTensorOfRank<4>:$cotangent, CG_FloatTensorOfRank<4>:$input), CG_PoolAttrs);
  let results = (outs CG_FloatTensorOfRank<4>:$result);
  let assemblyFormat = [{
    $cotangent `,` $input `kernel` $kernel (`strides` $strides^)? (`pads` $pads^)? (`ceil_mode` $ceil_mode^)? attr-dict
    `:` type($cotangent) `,` type($input)
  }];
}

def CG_MaxPool2dOp : CG_PoolOp<"max_pool2d", [CG_Differentiable]> {
  let summary = "maximum over windows, NCHW; padding never wins";
  let description = [{
    Absent `strides` equal `kernel`, absent `pads` (top, left, bottom, right) are 0. With `ceil_mode` the last window may
    reach beyond the padded input, if it starts before the padding at the end does.

    C1. `kernel` and `strides` have two entries >= 1; `pads` four in [0, kernel / 2].
    C2. The padded input covers the window.

    ```mlir
    %y = cg.max_pool2d %x kernel [3, 3] strides [2, 2] pads [1, 1, 1, 1] : tensor<1x64x112x112xf32>
    ```
  }];
}
def CG_MaxPool2dGradientOp : CG_PoolGradientOp<"max_pool2d_gradient", [CG_Differentiable, CG_Linear]> {
  let summary = "cotangent of `cg.max_pool2d`: goes to the first maximum of each window, in row-major order";
  let description = [{
    Which maximum wins does not change with `input` but where elements are equal: its derivative there is taken as 0.

    C1. `cotangent` has the shape that pooling `input` gives.

    ```mlir
    %dx = cg.max_pool2d_gradient %dy, %x kernel [2, 2] : tensor<1x64x16x16xf32>, tensor<1x64x32x32xf32>
    ```
  }];
}
def CG_MaxPool2dSelectOp : CG_WindowOp<"max_pool2d_select", [CG_Differentiable, CG_Linear]> {
  let summary = "elements of one tensor at the places where `cg.max_pool2d` finds the maxima of another";
  let description = [{
    The transpose of `cg.max_pool2d_gradient`, which second derivatives need. The first maximum of a window counts, in
    row-major order; a window of padding alone gives 0.

    C1. `values` has the type of `input`.
    C2. The attributes fit `input` as those of `cg.max_pool2d` do.

    ```mlir
    %y = cg.max_pool2d_select %v, %x kernel [2, 2] : tensor<1x64x32x32xf32>, tensor<1x64x32x32xf32>
    ```
  }];
  let arguments = !con((ins CG_FloatTensorOfRank<4>:$values, CG_FloatTensorOfRank<4>:$input), CG_PoolAttrs);
  let results = (outs CG_FloatTensorOfRank<4>:$result);
  let assemblyFormat = [{
    $values `,` $input `kernel` $kernel (`strides` $strides^)? (`pads` $pads^)? (`ceil_mode` $ceil_mode^)? attr-dict
    `:` type($values) `,` type($input)
  }];
}
def CG_AvgPool2dOp : CG_PoolOp<"avg_pool2d", [CG_Differentiable, CG_Linear]> {
  let summary = "mean over windows, NCHW; padding counts as zeros";
  let description = [{
    Attributes as in `cg.max_pool2d`. Every window divides by kernel height times width, but windows that `ceil_mode`
    lets reach beyond the padded input divide by the part inside it, as in PyTorch.

    C1. `kernel` and `strides` have two entries >= 1; `pads` four in [0, kernel / 2].
    C2. The padded input covers the window.

    ```mlir
    %y = cg.avg_pool2d %x kernel [2, 2] : tensor<1x64x32x32xf32>
    ```
  }];
}
def CG_AvgPool2dGradientOp : CG_PoolGradientOp<"avg_pool2d_gradient", [CG_Differentiable, CG_Linear]> {
  let summary = "cotangent of `cg.avg_pool2d`: spread evenly over each window";
  let description = [{
    Only the extents of `input` are read.

    C1. `cotangent` has the shape that pooling `input` gives.

    ```mlir
    %dx = cg.avg_pool2d_gradient %dy, %x kernel [2, 2] : tensor<1x64x16x16xf32>, tensor<1x64x32x32xf32>
    ```
  }];
}
def CG_AdaptiveAvgPool2dOp : CG_ValueOp<"adaptive_avg_pool2d", [CG_Differentiable, CG_Linear]> {
  let summary = "mean over as many windows as asked for, whatever the extents of the image, NCHW";
  let description = [{
    Along a dimension of extent e, window i of n reaches from floor(i * e / n) to ceil((i + 1) * e / n), as in PyTorch.
    So windows cover the image and may overlap or repeat; where n divides e they are those of a plain pool.

    C1. `extents` has two entries >= 1.
    C2. The image has rows and columns.

    ```mlir
    %y = cg.adaptive_avg_pool2d %x extents [7, 7] : tensor<1x512x9x8xf32>
    ```
  }];
  let arguments = (ins CG_FloatTensorOfRank<4>:$input, DenseI64ArrayAttr:$extents);
  let results = (outs CG_FloatTensorOfRank<4>:$result);
  let assemblyFormat = "$input `extents` $extents attr-dict `:` type($input)";
  let hasFolder = 1;
}
def CG_AdaptiveAvgPool2dGradientOp : CG_ValueOp<"adaptive_avg_pool2d_gradient", [CG_Differentiable, CG_Linear]> {
  let summary = "cotangent of `cg.adaptive_avg_pool2d`: spread evenly over each window";
  let description = [{
    Only the extents of `input` are read.

    C1. `cotangent` has the batch, channels and element type of `input`, and rows and columns of known number.
    C2. The image has rows and columns.

    ```mlir
    %dx = cg.adaptive_avg_pool2d_gradient %dy, %x : tensor<1x512x7x7xf32>, tensor<1x512x9x8xf32>
    ```
  }];
  let arguments = (ins CG_FloatTensorOfRank<4>:$cotangent, CG_FloatTensorOfRank<4>:$input);
  let results = (outs CG_FloatTensorOfRank<4>:$result);
  let assemblyFormat = "$cotangent `,` $input attr-dict `:` type($cotangent) `,` type($input)";
}

//===----------------------------------------------------------------------===//
// Statistics of images
//===----------------------------------------------------------------------===//

def CG_MutualInformationOp : CG_ValueOp<"mutual_information"> {
  let summary = "how much neighbouring pixels tell of each other, by channel and offset, NCHW";
  let description = [{
    Element (c, i, j) is `I(a; b) / H(a, b)` in [0, 1] of the pairs of pixels of channel c that lie
    `dilation * (i - window[0] / 2)` rows and `dilation * (j - window[1] / 2)` columns apart, all of them that the images
    hold; the centre is 1. I is mutual information, H joint entropy, both of a histogram (Detkov et al. 2023, "Reparameterization
    through Spatial Gradient Scaling"): of P pairs, `1 + ceil(log2(P))` bins for each of a and b (Sturges), of one width
    from the least to the largest value, which belongs to the last bin. With one value alone H is 0, and the element NaN; so
    it is where a value is not finite.

    With `remove_diagonal`, only pairs without a zero count, P is their number, bins (k, k) are emptied, and
    where nothing is left the element is 0.

    Each image has a dilation of rows and of columns in `dilations`, which are 1 when absent. Computed in f64 from the
    values as they are.

    C1. `window` has two odd entries >= 1.
    C2. `dilations` has two entries >= 1 for each image.
    C3. There is an image; images have rank 4, and agree in element type and channels.
    C4. Images reach further than half the dilated window.

    ```mlir
    %d = cg.mutual_information %x window [3, 3] : tensor<256x16x34x34xf32>
    %e = cg.mutual_information %u, %v window [5, 3] dilations [1, 1, 2, 2] remove_diagonal
      : tensor<8x16x34x34xbf16>, tensor<8x16x19x19xbf16>
    ```
  }];
  let arguments = (ins Variadic<CG_FloatTensor>:$images, DenseI64ArrayAttr:$window,
                       OptionalAttr<DenseI64ArrayAttr>:$dilations, UnitAttr:$remove_diagonal);
  let results = (outs CG_FloatTensorOfRank<3>:$result);
  let assemblyFormat = [{
    $images `window` $window (`dilations` $dilations^)? (`remove_diagonal` $remove_diagonal^)? attr-dict
    `:` type($images)
  }];
  let extraClassDeclaration = shapeFunction # [{
    /// Rows and columns between neighbouring offsets in image `index`.
    ::std::array<int64_t, 2> getDilation(unsigned index);
    /// The offsets whose values are computed, half of the window; the others follow by symmetry, and the centre is 1.
    int64_t getNumOffsets() { return getWindow()[0] * getWindow()[1] / 2; }
  }];
}

#endif // ESPALIER_DIALECT_CG_IR_CGNNOPS_TD
