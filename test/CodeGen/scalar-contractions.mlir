// RUN: espalier-opt %s --plan-lower-kernel-loops="forbid-scalar-contractions=true" --split-input-file --verify-diagnostics
// RUN: espalier-opt %s --plan-lower-kernel-loops --split-input-file --remark-format=emitRemark --remarks-filter-missed=plan-lower-kernel-loops 2>&1 >/dev/null | FileCheck %s

// CHECK: remark: [Missed] scalar-contraction | Category:plan-lower-kernel-loops | Function=matmul
// CHECK-SAME: Macs=262144
func.func private @matmul(%a: memref<64x64xf32>, %b: memref<64x64xf32>, %c: memref<64x64xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 1>} {
  // expected-error@+1 {{reaches scalar loops in kernel 'matmul': 262144 multiply-accumulates would run unvectorized}}
  linalg.matmul ins(%a, %b : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  return
}

// -----

// CHECK: Function=convolution
func.func private @convolution(%x: memref<1x16x16x8xf32>, %w: memref<3x3x8x16xf32>, %y: memref<1x14x14x16xf32>,
                               %begin: index, %end: index) attributes {plan.kernel = #plan.kernel<extent = 1>} {
  // expected-error@+1 {{reaches scalar loops in kernel 'convolution': 225792 multiply-accumulates would run unvectorized}}
  linalg.conv_2d_nhwc_hwcf ins(%x, %w : memref<1x16x16x8xf32>, memref<3x3x8x16xf32>) outs(%y : memref<1x14x14x16xf32>)
  return
}

// -----

// A small part of a contraction that should have become register tiles.
// CHECK: Function=tile
func.func private @tile(%a: memref<4x4xf32>, %b: memref<4x4xf32>, %c: memref<4x4xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 1>} {
  // expected-error@+1 {{reaches scalar loops in kernel 'tile': 64 multiply-accumulates would run unvectorized}}
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>,
                                   affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<4x4xf32>, memref<4x4xf32>) outs(%c : memref<4x4xf32>) attrs = {plan.tile} {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// Too small to matter, a sum, and a pool: none is reported.
// CHECK-NOT: remark
func.func private @others(%a: memref<4x4xf32>, %b: memref<4x4xf32>, %c: memref<4x4xf32>, %x: memref<512x512xf32>,
                          %y: memref<512xf32>, %image: memref<1x64x64x16xf32>, %window: memref<2x2xf32>,
                          %pooled: memref<1x32x32x16xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 1>} {
  linalg.matmul ins(%a, %b : memref<4x4xf32>, memref<4x4xf32>) outs(%c : memref<4x4xf32>)
  linalg.reduce { arith.addf } ins(%x : memref<512x512xf32>) outs(%y : memref<512xf32>) dimensions = [1]
  linalg.pooling_nhwc_max {strides = dense<2> : tensor<2xi64>} ins(%image, %window : memref<1x64x64x16xf32>, memref<2x2xf32>)
      outs(%pooled : memref<1x32x32x16xf32>)
  return
}
