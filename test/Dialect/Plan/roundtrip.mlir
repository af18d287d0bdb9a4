// RUN: espalier-opt %s --verify-roundtrip | FileCheck %s

// CHECK: func.func private @k(memref<8xf32>, memref<8xf32>, index, index) attributes {plan.kernel = #plan.kernel<extent = 8, grain = 2>}
func.func private @k(memref<8xf32>, memref<8xf32>, index, index)
    attributes {plan.kernel = #plan.kernel<extent = 8, grain = 2>}

// CHECK-LABEL: plan.program @forward {
plan.program @forward {
  // CHECK: %[[X:.+]] = plan.argument "x" input logical [2, 3] permutation [1, 0] : memref<4x2xf32>
  %x = plan.argument "x" input logical [2, 3] permutation [1, 0] : memref<4x2xf32>
  // CHECK: %[[W:.+]] = plan.argument "w" parameter : memref<8xf32>
  %w = plan.argument "w" parameter : memref<8xf32>
  // CHECK: %[[U:.+]] = plan.argument "w" output tied %[[W]] : memref<8xf32> : memref<8xf32>
  %u = plan.argument "w" output tied %w : memref<8xf32> : memref<8xf32>
  // CHECK: %[[T:.+]] = plan.buffer offset 128 : memref<8xf32>
  %t = plan.buffer offset 128 : memref<8xf32>
  // CHECK: %[[V:.+]] = plan.view %[[X]] offset 0 : memref<4x2xf32> to memref<8xf32>
  %v = plan.view %x offset 0 : memref<4x2xf32> to memref<8xf32>
  // CHECK: plan.dispatch @k(%[[V]], %[[T]]) scope "block.0" : memref<8xf32>, memref<8xf32>
  plan.dispatch @k(%v, %t) scope "block.0" : memref<8xf32>, memref<8xf32>
  // CHECK: plan.dispatch @k(%[[T]], %[[U]]) : memref<8xf32>, memref<8xf32>
  plan.dispatch @k(%t, %u) : memref<8xf32>, memref<8xf32>
}

// CHECK-LABEL: plan.program @library {
plan.program @library {
  %x = plan.argument "x" input : memref<1x8x8x16xf32>
  %w = plan.argument "w" parameter : memref<32x16x3x3xf32>
  %b = plan.argument "b" parameter : memref<32xf32>
  %r = plan.argument "r" state : memref<1x8x8x32xf32>
  %y = plan.argument "y" output : memref<1x8x8x32xf32>
  // CHECK: plan.conv2d nhwc %{{.+}} : memref<1x8x8x16xf32>, %{{.+}} : memref<32x16x3x3xf32>
  // CHECK-SAME: bias %{{.+}} : memref<32xf32> residual %{{.+}} : memref<1x8x8x32xf32> into %{{.+}} : memref<1x8x8x32xf32>
  // CHECK-SAME: strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1 min 0.000000e+00 max 6.000000e+00 constant_filter scope "stem"
  plan.conv2d nhwc %x : memref<1x8x8x16xf32>, %w : memref<32x16x3x3xf32> bias %b : memref<32xf32>
    residual %r : memref<1x8x8x32xf32> into %y : memref<1x8x8x32xf32>
    strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1 min 0.0 max 6.0 constant_filter scope "stem"
  %dx = plan.buffer offset 0 : memref<1x8x8x16xf32>
  // CHECK: plan.conv2d_input_gradient nhwc
  plan.conv2d_input_gradient nhwc %y : memref<1x8x8x32xf32>, %w : memref<32x16x3x3xf32>
    into %dx : memref<1x8x8x16xf32> strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
  %dw = plan.buffer offset 4096 : memref<32x16x3x3xf32>
  // CHECK: plan.conv2d_filter_gradient nhwc
  plan.conv2d_filter_gradient nhwc %x : memref<1x8x8x16xf32>, %y : memref<1x8x8x32xf32>
    into %dw : memref<32x16x3x3xf32> strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
  %l = plan.argument "l" hyper : memref<2x4x8xf32>
  %p = plan.argument "p" packed : memref<2x6x8xf32>
  %z = plan.argument "z" output : memref<2x4x6xf32>
  // CHECK: plan.matmul %{{.+}} : memref<2x4x8xf32>, %{{.+}} : memref<2x6x8xf32> into %{{.+}} : memref<2x4x6xf32> transpose_rhs constant_rhs
  plan.matmul %l : memref<2x4x8xf32>, %p : memref<2x6x8xf32> into %z : memref<2x4x6xf32> transpose_rhs constant_rhs
}
