// RUN: espalier-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{'plan.kernel' attribute expects a positive extent, but got 0}}
func.func private @kernel_c1(index, index) attributes {plan.kernel = #plan.kernel<extent = 0>}

// -----

// expected-error@+1 {{'plan.kernel' attribute expects a grain in [1, 4], but got 5}}
func.func private @kernel_c1(index, index) attributes {plan.kernel = #plan.kernel<extent = 4, grain = 5>}

// -----

// expected-error@+1 {{expects a kernel to have no results and two last arguments of type 'index', but got '(memref<8xf32>, index) -> ()'}}
func.func private @kernel_c2(memref<8xf32>, index) attributes {plan.kernel = #plan.kernel<extent = 1>}

// -----

// expected-error@+1 {{expects argument #1 of a kernel to be a memref of static shape and identity layout, but got 'memref<?xf32>'}}
func.func private @kernel_c3(memref<8xf32>, memref<?xf32>, index, index) attributes {plan.kernel = #plan.kernel<extent = 1>}

// -----

// expected-error@+1 {{expects 'plan.kernel' to be a '#plan.kernel' attribute, but got unit}}
func.func private @kernel_attribute(index, index) attributes {plan.kernel}

// -----

// expected-error@+1 {{has unknown attribute 'plan.size' of dialect 'plan'}}
func.func private @unknown_attribute() attributes {plan.size = 1}

// -----

plan.program @program_c1 {
  // expected-error@+1 {{'arith.constant' op expects to be outside 'plan.program': a program holds 'plan' operations only}}
  %c = arith.constant 0 : index
}

// -----

plan.program @program_c2 {
  // expected-note@+1 {{first argument of this name is here}}
  %a = plan.argument "x" input : memref<8xf32>
  // expected-error@+1 {{'plan.argument' op expects a unique name, but 'x' exists}}
  %b = plan.argument "x" parameter : memref<8xf32>
}

// -----

plan.program @argument_c1 {
  %a = plan.argument "x" input : memref<8xf32>
  // expected-error@+1 {{expects 'tied' to name an argument that is no output, on an argument that is one}}
  %b = plan.argument "y" state tied %a : memref<8xf32> : memref<8xf32>
}

// -----

plan.program @argument_c1_type {
  %a = plan.argument "x" input : memref<8xf32>
  // expected-error@+1 {{expects the type of the argument that it is tied to ('memref<8xf32>'), but got 'memref<2x4xf32>'}}
  %b = plan.argument "y" output tied %a : memref<8xf32> : memref<2x4xf32>
}

// -----

plan.program @argument_c2 {
  // expected-error@+1 {{expects 'permutation' to permute 2 dimensions, but got [0, 2]}}
  %a = plan.argument "x" input permutation [0, 2] : memref<8x4xf32>
}

// -----

plan.program @argument_c2_rank {
  // expected-error@+1 {{expects 'logical' to have rank 2, but got [8]}}
  %a = plan.argument "x" input logical [8] : memref<8x4xf32>
}

// -----

plan.program @argument_c2_extent {
  // expected-error@+1 {{expects logical dimension 1 to be at most 8, its extent in memory, but got 9}}
  %a = plan.argument "x" input logical [4, 9] permutation [1, 0] : memref<8x4xf32>
}

// -----

plan.program @buffer_c1 {
  // expected-error@+1 {{expects offset to be a non-negative multiple of 64, but got 32}}
  %a = plan.buffer offset 32 : memref<8xf32>
}

// -----

plan.program @buffer_c1_size {
  // expected-error@+1 {{expects a place below 2^46 bytes, but got 'memref<4611686018427387904x4xf32>'}}
  %a = plan.buffer offset 0 : memref<4611686018427387904x4xf32>
}

// -----

plan.program @buffer_c1_end {
  // expected-error@+1 {{expects to end below 2^46 bytes, but got offset 9223372036854775744 and 32 bytes}}
  %a = plan.buffer offset 9223372036854775744 : memref<8xf32>
}

// -----

plan.program @view_c1 {
  %a = plan.argument "x" input : memref<32xf32>
  // expected-error@+1 {{expects 80 bytes at offset 64 to end inside 'memref<32xf32>'}}
  %b = plan.view %a offset 64 : memref<32xf32> to memref<20xf32>
}

// -----

func.func private @helper(memref<8xf32>, index, index)
plan.program @dispatch_c1 {
  %a = plan.argument "x" input : memref<8xf32>
  // expected-error@+1 {{expects 'helper' to be a function with a 'plan.kernel' attribute}}
  plan.dispatch @helper(%a) : memref<8xf32>
}

// -----

// expected-note@+1 {{kernel is defined here}}
func.func private @k(memref<8xf32>, index, index) attributes {plan.kernel = #plan.kernel<extent = 8>}
plan.program @dispatch_c2 {
  %a = plan.argument "x" input : memref<8xf64>
  // expected-error@+1 {{expects operands of types ('memref<8xf32>'), but got ('memref<8xf64>')}}
  plan.dispatch @k(%a) : memref<8xf64>
}

// -----

plan.program @conv2d_c1 {
  %x = plan.argument "x" input : memref<1x8x8x16xf32>
  %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
  %y = plan.argument "y" output : memref<1x8x8x32xf32>
  // expected-error@+1 {{expects 2 positive strides, 2 positive dilations and 4 pads, but got [0, 1], [1, 1] and [1, 1, 1, 1]}}
  plan.conv2d nhwc %x : memref<1x8x8x16xf32>, %w : memref<32x16x3x3xf32> into %y : memref<1x8x8x32xf32>
    strides [0, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
}

// -----

plan.program @conv2d_input_gradient_c1 {
  %dy = plan.argument "dy" input : memref<1x8x8x32xf32>
  %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
  %dx = plan.argument "dx" output : memref<1x8x8x16xf32>
  // expected-error@+1 {{expects 2 positive strides, 2 positive dilations and 4 pads, but got [0, 1], [1, 1] and [1, 1, 1, 1]}}
  plan.conv2d_input_gradient nhwc %dy : memref<1x8x8x32xf32>, %w : memref<32x16x3x3xf32> into %dx : memref<1x8x8x16xf32>
    strides [0, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
}

// -----

plan.program @conv2d_filter_gradient_c1 {
  %x = plan.argument "x" input : memref<1x8x8x16xf32>
  %dy = plan.argument "dy" input : memref<1x8x8x32xf32>
  %dw = plan.argument "dw" output : memref<32x16x3x3xf32>
  // expected-error@+1 {{expects 2 positive strides, 2 positive dilations and 4 pads, but got [0, 1], [1, 1] and [1, 1, 1, 1]}}
  plan.conv2d_filter_gradient nhwc %x : memref<1x8x8x16xf32>, %dy : memref<1x8x8x32xf32> into %dw : memref<32x16x3x3xf32>
    strides [0, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
}

// -----

plan.program @conv2d_c2 {
  %x = plan.argument "x" input : memref<8x8x16xf32>
  %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
  %y = plan.argument "y" output : memref<1x8x8x32xf32>
  // expected-error@+1 {{expects images and filter of rank 4, but got 'memref<8x8x16xf32>', 'memref<32x16x3x3xf32>', 'memref<1x8x8x32xf32>'}}
  plan.conv2d nhwc %x : memref<8x8x16xf32>, %w : memref<32x16x3x3xf32> into %y : memref<1x8x8x32xf32>
    strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
}

// -----

plan.program @conv2d_input_gradient_c2 {
  %dy = plan.argument "dy" input : memref<1x8x8x32xf32>
  %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
  %dx = plan.argument "dx" output : memref<8x8x16xf32>
  // expected-error@+1 {{expects images and filter of rank 4, but got 'memref<8x8x16xf32>', 'memref<32x16x3x3xf32>', 'memref<1x8x8x32xf32>'}}
  plan.conv2d_input_gradient nhwc %dy : memref<1x8x8x32xf32>, %w : memref<32x16x3x3xf32> into %dx : memref<8x8x16xf32>
    strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
}

// -----

plan.program @conv2d_filter_gradient_c2 {
  %x = plan.argument "x" input : memref<8x8x16xf32>
  %dy = plan.argument "dy" input : memref<1x8x8x32xf32>
  %dw = plan.argument "dw" output : memref<32x16x3x3xf32>
  // expected-error@+1 {{expects images and filter of rank 4, but got 'memref<8x8x16xf32>', 'memref<32x16x3x3xf32>', 'memref<1x8x8x32xf32>'}}
  plan.conv2d_filter_gradient nhwc %x : memref<8x8x16xf32>, %dy : memref<1x8x8x32xf32> into %dw : memref<32x16x3x3xf32>
    strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
}

// -----

plan.program @conv2d_c2_groups {
  %x = plan.argument "x" input : memref<1x8x8x16xf32>
  %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
  %y = plan.argument "y" output : memref<1x8x8x32xf32>
  // expected-error@+1 {{expects groups (3) to divide the channels, but got 16 and 32}}
  plan.conv2d nhwc %x : memref<1x8x8x16xf32>, %w : memref<32x16x3x3xf32> into %y : memref<1x8x8x32xf32>
    strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 3
}

// -----

plan.program @conv2d_input_gradient_c2_groups {
  %dy = plan.argument "dy" input : memref<1x8x8x32xf32>
  %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
  %dx = plan.argument "dx" output : memref<1x8x8x16xf32>
  // expected-error@+1 {{expects groups (3) to divide the channels, but got 16 and 32}}
  plan.conv2d_input_gradient nhwc %dy : memref<1x8x8x32xf32>, %w : memref<32x16x3x3xf32> into %dx : memref<1x8x8x16xf32>
    strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 3
}

// -----

plan.program @conv2d_filter_gradient_c2_groups {
  %x = plan.argument "x" input : memref<1x8x8x16xf32>
  %dy = plan.argument "dy" input : memref<1x8x8x32xf32>
  %dw = plan.argument "dw" output : memref<32x16x3x3xf32>
  // expected-error@+1 {{expects groups (3) to divide the channels, but got 16 and 32}}
  plan.conv2d_filter_gradient nhwc %x : memref<1x8x8x16xf32>, %dy : memref<1x8x8x32xf32> into %dw : memref<32x16x3x3xf32>
    strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 3
}

// -----

plan.program @conv2d_c3 {
  %x = plan.argument "x" input : memref<1x8x8x16xf32>
  %w = plan.argument "w" parameter : memref<32x8x3x3xf32>
  %y = plan.argument "y" output : memref<1x8x8x32xf32>
  // expected-error@+1 {{expects a 32 x 16 x kh x kw filter and equal batches}}
  plan.conv2d nhwc %x : memref<1x8x8x16xf32>, %w : memref<32x8x3x3xf32> into %y : memref<1x8x8x32xf32>
    strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
}

// -----

plan.program @conv2d_input_gradient_c3 {
  %dy = plan.argument "dy" input : memref<1x8x8x32xf32>
  %w = plan.argument "w" parameter : memref<32x8x3x3xf32>
  %dx = plan.argument "dx" output : memref<1x8x8x16xf32>
  // expected-error@+1 {{expects a 32 x 16 x kh x kw filter and equal batches}}
  plan.conv2d_input_gradient nhwc %dy : memref<1x8x8x32xf32>, %w : memref<32x8x3x3xf32> into %dx : memref<1x8x8x16xf32>
    strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
}

// -----

plan.program @conv2d_filter_gradient_c3 {
  %x = plan.argument "x" input : memref<1x8x8x16xf32>
  %dy = plan.argument "dy" input : memref<1x8x8x32xf32>
  %dw = plan.argument "dw" output : memref<32x8x3x3xf32>
  // expected-error@+1 {{expects a 32 x 16 x kh x kw filter and equal batches}}
  plan.conv2d_filter_gradient nhwc %x : memref<1x8x8x16xf32>, %dy : memref<1x8x8x32xf32> into %dw : memref<32x8x3x3xf32>
    strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
}

// -----

plan.program @conv2d_input_gradient_c4 {
  %x = plan.argument "x" input : memref<1x8x8x16xf32>
  %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
  %y = plan.argument "y" output : memref<1x8x8x32xf32>
  // expected-error@+1 {{expects output width 7, but got 8}}
  plan.conv2d_input_gradient nhwc %y : memref<1x8x8x32xf32>, %w : memref<32x16x3x3xf32> into %x : memref<1x8x8x16xf32>
    strides [1, 1] pads [1, 1, 1, 0] dilations [1, 1] groups 1
}

// -----

plan.program @conv2d_c4 {
  %x = plan.argument "x" input : memref<1x8x8x16xf32>
  %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
  %y = plan.argument "y" output : memref<1x8x8x32xf32>
  // expected-error@+1 {{expects output height 6, but got 8}}
  plan.conv2d nhwc %x : memref<1x8x8x16xf32>, %w : memref<32x16x3x3xf32> into %y : memref<1x8x8x32xf32>
    strides [1, 1] pads [0, 1, 0, 1] dilations [1, 1] groups 1
}

// -----

plan.program @conv2d_filter_gradient_c4 {
  %x = plan.argument "x" input : memref<1x8x8x16xf32>
  %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
  %y = plan.argument "y" output : memref<1x8x8x32xf32>
  // expected-error@+1 {{expects output height 0, but got 8}}
  plan.conv2d_filter_gradient nhwc %x : memref<1x8x8x16xf32>, %y : memref<1x8x8x32xf32> into %w : memref<32x16x3x3xf32>
    strides [1, 1] pads [1, 1, 1, 1] dilations [4611686018427387904, 1] groups 1
}

// -----

plan.program @conv2d_c6 {
  %x = plan.argument "x" input : memref<1x8x8x16xf32>
  %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
  %b = plan.argument "b" parameter : memref<16xf32>
  %y = plan.argument "y" output : memref<1x8x8x32xf32>
  // expected-error@+1 {{expects a bias of 32 elements, but got 'memref<16xf32>'}}
  plan.conv2d nhwc %x : memref<1x8x8x16xf32>, %w : memref<32x16x3x3xf32> bias %b : memref<16xf32>
    into %y : memref<1x8x8x32xf32> strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
}

// -----

plan.program @conv2d_c6_residual {
  %x = plan.argument "x" input : memref<1x8x8x16xf32>
  %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
  %y = plan.argument "y" output : memref<1x8x8x32xf32>
  // expected-error@+1 {{expects the residual to have the output's type ('memref<1x8x8x32xf32>'), but got 'memref<1x8x8x16xf32>'}}
  plan.conv2d nhwc %x : memref<1x8x8x16xf32>, %w : memref<32x16x3x3xf32> residual %x : memref<1x8x8x16xf32>
    into %y : memref<1x8x8x32xf32> strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
}

// -----

plan.program @conv2d_c6_clamp {
  %x = plan.argument "x" input : memref<1x8x8x16xf32>
  %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
  %y = plan.argument "y" output : memref<1x8x8x32xf32>
  // expected-error@+1 {{expects min <= max, but got 1.000000e+00 and 0.000000e+00}}
  plan.conv2d nhwc %x : memref<1x8x8x16xf32>, %w : memref<32x16x3x3xf32>
    into %y : memref<1x8x8x32xf32> strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1 min 1.0 max 0.0
}

// -----

plan.program @conv2d_c7 {
  %x = plan.argument "x" input : memref<1x8x8x16xf32>
  %w = plan.buffer offset 0 : memref<32x16x3x3xf32>
  %y = plan.argument "y" output : memref<1x8x8x32xf32>
  // expected-error@+1 {{expects a constant operand to be an argument that is no output, or a view of one}}
  plan.conv2d nhwc %x : memref<1x8x8x16xf32>, %w : memref<32x16x3x3xf32> into %y : memref<1x8x8x32xf32>
    strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1 constant_filter
}

// -----

plan.program @matmul_c1 {
  %a = plan.argument "a" input : memref<2x4x8xf32>
  %b = plan.argument "b" input : memref<3x8x6xf32>
  %y = plan.argument "y" output : memref<2x4x6xf32>
  // expected-error@+1 {{expects operands of rank 2, or of rank 3 with equal first extents}}
  plan.matmul %a : memref<2x4x8xf32>, %b : memref<3x8x6xf32> into %y : memref<2x4x6xf32>
}

// -----

plan.program @matmul_c2 {
  %a = plan.argument "a" input : memref<4x8xf32>
  %b = plan.argument "b" input : memref<8x6xf32>
  %y = plan.argument "y" output : memref<4x6xf32>
  // expected-error@+1 {{expects (4 x 8) * (8 x 8) = (4 x 8), but got (4 x 8) * (6 x 8) into 'memref<4x6xf32>'}}
  plan.matmul %a : memref<4x8xf32>, %b : memref<8x6xf32> into %y : memref<4x6xf32> transpose_rhs
}

// -----

plan.program @matmul_c3 {
  %a = plan.argument "a" input : memref<4x8xf32>
  %b = plan.argument "b" input : memref<8x6xf32>
  %c = plan.argument "c" input : memref<4xf32>
  %y = plan.argument "y" output : memref<4x6xf32>
  // expected-error@+1 {{expects a bias of 6 elements, but got 'memref<4xf32>'}}
  plan.matmul %a : memref<4x8xf32>, %b : memref<8x6xf32> bias %c : memref<4xf32> into %y : memref<4x6xf32>
}

// -----

plan.program @matmul_c4 {
  %a = plan.argument "a" input : memref<4x8xf32>
  %b = plan.argument "b" output : memref<8x6xf32>
  %y = plan.argument "y" output : memref<4x6xf32>
  // expected-error@+1 {{expects a constant operand to be an argument that is no output, or a view of one}}
  plan.matmul %a : memref<4x8xf32>, %b : memref<8x6xf32> into %y : memref<4x6xf32> constant_rhs
}

// -----

plan.program @conv2d_c5 {
  %x = plan.argument "x" input : memref<1x8x8x16xbf16>
  %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
  %y = plan.argument "y" output : memref<1x8x8x32xf32>
  // expected-error@+1 {{expects to multiply one element type into that one or f32, but got 'bf16' and 'f32' into 'f32'}}
  plan.conv2d nhwc %x : memref<1x8x8x16xbf16>, %w : memref<32x16x3x3xf32> into %y : memref<1x8x8x32xf32>
    strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
}

// -----

plan.program @conv2d_input_gradient_c5 {
  %dy = plan.argument "dy" input : memref<1x8x8x32xf32>
  %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
  %dx = plan.argument "dx" output : memref<1x8x8x16xbf16>
  // expected-error@+1 {{expects to multiply one element type into that one or f32, but got 'f32' and 'f32' into 'bf16'}}
  plan.conv2d_input_gradient nhwc %dy : memref<1x8x8x32xf32>, %w : memref<32x16x3x3xf32> into %dx : memref<1x8x8x16xbf16>
    strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
}

// -----

plan.program @conv2d_filter_gradient_c5 {
  %x = plan.argument "x" input : memref<1x8x8x16xbf16>
  %dy = plan.argument "dy" input : memref<1x8x8x32xf32>
  %dw = plan.argument "dw" output : memref<32x16x3x3xf32>
  // expected-error@+1 {{expects to multiply one element type into that one or f32, but got 'bf16' and 'f32' into 'f32'}}
  plan.conv2d_filter_gradient nhwc %x : memref<1x8x8x16xbf16>, %dy : memref<1x8x8x32xf32> into %dw : memref<32x16x3x3xf32>
    strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
}

// -----

plan.program @matmul_c5 {
  %x = plan.argument "x" input : memref<8x64xbf16>
  %w = plan.argument "w" parameter : memref<64x10xbf16>
  %y = plan.argument "y" output : memref<8x10xf32>
  %z = plan.argument "z" output : memref<8x64xf32>
  plan.matmul %x : memref<8x64xbf16>, %w : memref<64x10xbf16> into %y : memref<8x10xf32>
  // expected-error@+1 {{expects to multiply one element type into that one or f32, but got 'f32' and 'bf16' into 'f32'}}
  plan.matmul %y : memref<8x10xf32>, %w : memref<64x10xbf16> into %z : memref<8x64xf32> transpose_rhs
}
