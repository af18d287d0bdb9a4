//===- PlanOps.td - Operations of the `plan` dialect --------*- tablegen -*-===//

#ifndef ESPALIER_DIALECT_PLAN_IR_PLANOPS_TD
#define ESPALIER_DIALECT_PLAN_IR_PLANOPS_TD

include "espalier/Dialect/Plan/IR/PlanDialect.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Plan_Op<string mnemonic, list<Trait> traits = []> : Op<PlanDialect, mnemonic, traits>;

/// A place that a row reads or writes.
def Plan_Place : StaticShapeMemRefOf<[F32, F64, BF16, F16, I1, I8, UI8, I32, I64]>;
/// A place of a row that a vendor library computes.
def Plan_LibraryPlace : StaticShapeMemRefOf<[F32, BF16]>;

//===----------------------------------------------------------------------===//
// Programs and places
//===----------------------------------------------------------------------===//

def Plan_ProgramOp : Plan_Op<"program", [
    IsolatedFromAbove, Symbol, NoTerminator, SingleBlock, NoRegionArguments]> {
  let summary = "A dispatch table: places, then rows in execution order";
  let description = [{
    C1. The body holds operations of this dialect only.
    C2. Argument names are unique among the arguments with role `output` and unique among the others. (An output may
        carry the name of the parameter that it updates.)

    ```mlir
    plan.program @forward {
      %x = plan.argument "x" input : memref<8x16xf32>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name)>];
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// Bytes of the arena: the end of the last `plan.buffer`, rounded up to the alignment of a place.
    int64_t getArenaBytes();
  }];
}

def Plan_ArgumentOp : Plan_Op<"argument", [ParentOneOf<["ProgramOp"]>]> {
  let summary = "A place that the caller provides";
  let description = [{
    `tied` names the argument whose memory an output takes over: the program updates it in place, and the caller binds
    one buffer for both. The caller sees the argument with shape `logical`, when given; dimension `i` in memory is then
    logical dimension `permutation[i]` (absent: the identity), and its extent may exceed the logical one, the excess
    being zero.

    C1. `tied` names an argument of the same program and type whose role is not `output`; the tied argument itself is
        an output.
    C2. `permutation` permutes the dimensions, and no logical extent exceeds the extent in memory.

    ```mlir
    plan.program @step {
      %w = plan.argument "fc.weight" parameter : memref<10x64xf32>
      %u = plan.argument "fc.weight" output tied %w : memref<10x64xf32> : memref<10x64xf32>
      %x = plan.argument "x" input logical [8, 3, 32, 32] permutation [0, 2, 3, 1] : memref<8x32x32x3xf32>
    }
    ```
  }];
  let arguments = (ins StrAttr:$name, Plan_RoleAttr:$role, Optional<Plan_Place>:$tied,
    OptionalAttr<DenseI64ArrayAttr>:$logical, OptionalAttr<DenseI64ArrayAttr>:$permutation);
  let results = (outs Plan_Place:$result);
  let assemblyFormat = [{
    $name $role (`tied` $tied^ `:` type($tied))? (`logical` $logical^)? (`permutation` $permutation^)? attr-dict
    `:` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The shape that the caller sees.
    ::llvm::ArrayRef<int64_t> getLogicalShape();
    /// Memory dimension -> logical dimension.
    ::llvm::SmallVector<int64_t> getPermutationOrIdentity();
  }];
}

def Plan_BufferOp : Plan_Op<"buffer", [ParentOneOf<["ProgramOp"]>]> {
  let summary = "A place in the program's arena";
  let description = [{
    Places may overlap: the planner reuses the memory of a dead value.

    C1. `offset` is a non-negative multiple of 64 bytes, and the end of the place is below 2^46.

    ```mlir
    plan.program @forward {
      %t = plan.buffer offset 128 : memref<8x16xf32>
    }
    ```
  }];
  let arguments = (ins I64Attr:$offset);
  let results = (outs Plan_Place:$result);
  let assemblyFormat = "`offset` $offset attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Plan_ViewOp : Plan_Op<"view", [ParentOneOf<["ProgramOp"]>]> {
  let summary = "The same bytes under another type";
  let description = [{
    C1. `offset` is a non-negative multiple of 64 bytes, and the view ends inside `source`.

    ```mlir
    plan.program @forward {
      %x = plan.argument "x" input : memref<8x16xf32>
      %flat = plan.view %x offset 0 : memref<8x16xf32> to memref<128xf32>
    }
    ```
  }];
  let arguments = (ins Plan_Place:$source, I64Attr:$offset);
  let results = (outs Plan_Place:$result);
  let assemblyFormat = "$source `offset` $offset attr-dict `:` type($source) `to` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

def Plan_DispatchOp : Plan_Op<"dispatch", [
    ParentOneOf<["ProgramOp"]>, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "A row that runs a kernel over its whole extent";
  let description = [{
    `scope` is the block of the architecture that the row belongs to, for reports.

    C1. The callee is a function with a `plan.kernel` attribute.
    C2. The operands' types are those of the kernel's arguments before `begin` and `end`.

    ```mlir
    func.func private @k(memref<8xf32>, index, index) attributes {plan.kernel = #plan.kernel<extent = 8>}
    plan.program @forward {
      %x = plan.argument "x" output : memref<8xf32>
      plan.dispatch @k(%x) scope "layer1.0" : memref<8xf32>
    }
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<Plan_Place>:$places, OptionalAttr<StrAttr>:$scope);
  let assemblyFormat = "$kernel `(` $places `)` (`scope` $scope^)? attr-dict (`:` type($places)^)?";
}

/// A row that a vendor library computes.
class Plan_LibraryOp<string mnemonic, list<Trait> traits = []>
    : Plan_Op<mnemonic, !listconcat([ParentOneOf<["ProgramOp"]>], traits)> {
  let hasVerifier = 1;
}

defvar convArguments = (ins DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations,
                        ConfinedAttr<I64Attr, [IntPositive]>:$groups);
defvar convDescription = [{
    Images are in `layout`, filters are always OIHW with `I = channels / groups`; `pads` are top, left, bottom, right.

    C1. `strides` and `dilations` hold 2 positive numbers, `pads` 4 that are not negative.
    C2. Images and filter have rank 4, and `groups` divides the channels of both images.
    C3. The filter is O x (I / groups) x kh x kw for O output and I input channels, and both batches are equal.
    C4. The output extent is (input + pads - dilation * (kernel - 1) - 1) / stride + 1, and positive.
    C5. What is multiplied has one element type; the result has that one too, or f32.
}];

def Plan_Conv2DOp : Plan_LibraryOp<"conv2d", [AttrSizedOperandSegments]> {
  let summary = "2-D convolution with fused bias, residual and clamp";
  let description = !strconcat([{
    `output = clamp(conv(input, filter) + bias + residual)`. The residual may be the output's own place.
    `constant_filter` says that the filter changes only when the caller says so: the executor then packs it once.
}], convDescription, [{    C6. `bias` has one element per output channel; `residual` has the output's type; `min <= max`.
    C7. A constant filter is an argument that is no output, or a view of one.

    ```mlir
    plan.program @forward {
      %x = plan.argument "x" input : memref<1x8x8x16xf32>
      %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
      %y = plan.argument "y" output : memref<1x8x8x32xf32>
      plan.conv2d nhwc %x : memref<1x8x8x16xf32>, %w : memref<32x16x3x3xf32> into %y : memref<1x8x8x32xf32>
        strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1 min 0.0 constant_filter
    }
    ```
  }]);
  let arguments = !con((ins Plan_ImageLayoutAttr:$layout, Plan_LibraryPlace:$input, Plan_LibraryPlace:$filter,
    Optional<Plan_LibraryPlace>:$bias, Optional<Plan_LibraryPlace>:$residual, Plan_LibraryPlace:$output), convArguments,
    (ins OptionalAttr<F64Attr>:$min, OptionalAttr<F64Attr>:$max, UnitAttr:$constant_filter,
         OptionalAttr<StrAttr>:$scope));
  let assemblyFormat = [{
    $layout $input `:` type($input) `,` $filter `:` type($filter) (`bias` $bias^ `:` type($bias))?
    (`residual` $residual^ `:` type($residual))? `into` $output `:` type($output)
    `strides` $strides `pads` $pads `dilations` $dilations `groups` $groups (`min` $min^)? (`max` $max^)?
    (`constant_filter` $constant_filter^)? (`scope` $scope^)? attr-dict
  }];
}

def Plan_Conv2DInputGradientOp : Plan_LibraryOp<"conv2d_input_gradient"> {
  let summary = "Gradient of a 2-D convolution with respect to its input";
  let description = !strconcat("\n", convDescription, [{
    ```mlir
    plan.program @step {
      %dy = plan.argument "dy" input : memref<1x8x8x32xf32>
      %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
      %dx = plan.argument "dx" output : memref<1x8x8x16xf32>
      plan.conv2d_input_gradient nhwc %dy : memref<1x8x8x32xf32>, %w : memref<32x16x3x3xf32>
        into %dx : memref<1x8x8x16xf32> strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
    }
    ```
  }]);
  let arguments = !con((ins Plan_ImageLayoutAttr:$layout, Plan_LibraryPlace:$output_gradient, Plan_LibraryPlace:$filter,
    Plan_LibraryPlace:$input_gradient), convArguments, (ins OptionalAttr<StrAttr>:$scope));
  let assemblyFormat = [{
    $layout $output_gradient `:` type($output_gradient) `,` $filter `:` type($filter)
    `into` $input_gradient `:` type($input_gradient)
    `strides` $strides `pads` $pads `dilations` $dilations `groups` $groups (`scope` $scope^)? attr-dict
  }];
}

def Plan_Conv2DFilterGradientOp : Plan_LibraryOp<"conv2d_filter_gradient"> {
  let summary = "Gradient of a 2-D convolution with respect to its filter";
  let description = !strconcat("\n", convDescription, [{
    ```mlir
    plan.program @step {
      %x = plan.argument "x" input : memref<1x8x8x16xf32>
      %dy = plan.argument "dy" input : memref<1x8x8x32xf32>
      %dw = plan.argument "dw" output : memref<32x16x3x3xf32>
      plan.conv2d_filter_gradient nhwc %x : memref<1x8x8x16xf32>, %dy : memref<1x8x8x32xf32>
        into %dw : memref<32x16x3x3xf32> strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
    }
    ```
  }]);
  let arguments = !con((ins Plan_ImageLayoutAttr:$layout, Plan_LibraryPlace:$input, Plan_LibraryPlace:$output_gradient,
    Plan_LibraryPlace:$filter_gradient), convArguments, (ins OptionalAttr<StrAttr>:$scope));
  let assemblyFormat = [{
    $layout $input `:` type($input) `,` $output_gradient `:` type($output_gradient)
    `into` $filter_gradient `:` type($filter_gradient)
    `strides` $strides `pads` $pads `dilations` $dilations `groups` $groups (`scope` $scope^)? attr-dict
  }];
}

def Plan_MatmulOp : Plan_LibraryOp<"matmul"> {
  let summary = "Matrix product, batched when the operands have rank 3";
  let description = [{
    `output = clamp(op(lhs) * op(rhs) + bias)`, where `op` swaps the last two dimensions if `transpose_lhs` or
    `transpose_rhs` is given. `constant_rhs` says that `rhs` changes only when the caller says so.

    C1. All three have rank 2, or all three rank 3 with equal first extents.
    C2. The output is M x N for an M x K `op(lhs)` and a K x N `op(rhs)`.
    C3. `bias` has N elements; `min <= max`.
    C4. A constant `rhs` is an argument that is no output, or a view of one.
    C5. `lhs` and `rhs` have one element type; the output has that one too, or f32.

    ```mlir
    plan.program @forward {
      %x = plan.argument "x" input : memref<8x64xf32>
      %w = plan.argument "fc.weight" parameter : memref<10x64xf32>
      %b = plan.argument "fc.bias" parameter : memref<10xf32>
      %y = plan.argument "y" output : memref<8x10xf32>
      plan.matmul %x : memref<8x64xf32>, %w : memref<10x64xf32> bias %b : memref<10xf32>
        into %y : memref<8x10xf32> transpose_rhs constant_rhs
    }
    ```
  }];
  let arguments = (ins Plan_LibraryPlace:$lhs, Plan_LibraryPlace:$rhs, Optional<Plan_LibraryPlace>:$bias, Plan_LibraryPlace:$output,
    UnitAttr:$transpose_lhs, UnitAttr:$transpose_rhs, OptionalAttr<F64Attr>:$min, OptionalAttr<F64Attr>:$max,
    UnitAttr:$constant_rhs, OptionalAttr<StrAttr>:$scope);
  let assemblyFormat = [{
    $lhs `:` type($lhs) `,` $rhs `:` type($rhs) (`bias` $bias^ `:` type($bias))? `into` $output `:` type($output)
    (`transpose_lhs` $transpose_lhs^)? (`transpose_rhs` $transpose_rhs^)? (`min` $min^)? (`max` $max^)?
    (`constant_rhs` $constant_rhs^)? (`scope` $scope^)? attr-dict
  }];
}

#endif // ESPALIER_DIALECT_PLAN_IR_PLANOPS_TD
