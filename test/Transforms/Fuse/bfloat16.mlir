// RUN: espalier-opt %s --split-input-file --cg-decompose --cg-fuse | FileCheck %s

// A cast never is a pass over memory of its own: the statistics and the result read bf16, the result is stored as bf16.
// CHECK-LABEL: cg.graph @norm(
// CHECK-NOT:     -> {{.*}}tensor<64x16x8x8xf32>{{.*}} {
// CHECK:         cg.slice {{.*}} : tensor<64x16x8x8xbf16>
// CHECK-NEXT:    cg.cast
// CHECK-NOT:     -> {{.*}}tensor<64x16x8x8xf32>{{.*}} {
// CHECK:         cg.group({{.*}} : (tensor<64x16x8x8xbf16>, tensor<16x1x1xf32>, tensor<16x1x1xf32>) -> tensor<64x16x8x8xbf16> {
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      cg.cast
// CHECK:           cg.relu
// CHECK-NEXT:      cg.yield
cg.graph @norm(%x: tensor<64x16x8x8xbf16>, %scale: tensor<16xf32>, %shift: tensor<16xf32>) -> tensor<64x16x8x8xbf16> {
  %0 = cg.cast %x {type = f32} : tensor<64x16x8x8xbf16>
  %y, %m, %v = cg.batch_norm_training %0, %scale, %shift {epsilon = 1.0e-5 : f64} : tensor<64x16x8x8xf32>, tensor<16xf32>, tensor<16xf32>
  %1 = cg.cast %y {type = bf16} : tensor<64x16x8x8xf32>
  %2 = cg.relu %1 : tensor<64x16x8x8xbf16>
  cg.return %2 : tensor<64x16x8x8xbf16>
}

// -----

// Neither tiles nor loops can sum this in f32 and give bf16: it runs in f32.
// CHECK-LABEL: cg.graph @wide(
// CHECK:         cg.conv2d %{{.*}} : tensor<1x1x1x200000xf32>, tensor<1x1x1x100xf32>
// CHECK-LABEL: cg.graph @narrow(
// CHECK:         cg.conv2d %{{.*}} : tensor<1x1x8x8xbf16>, tensor<1x1x3x3xbf16>
cg.graph @wide(%x: tensor<1x1x1x200000xbf16>, %w: tensor<1x1x1x100xbf16>) -> tensor<1x1x1x199901xbf16> {
  %0 = cg.conv2d %x, %w : tensor<1x1x1x200000xbf16>, tensor<1x1x1x100xbf16>
  cg.return %0 : tensor<1x1x1x199901xbf16>
}
cg.graph @narrow(%x: tensor<1x1x8x8xbf16>, %w: tensor<1x1x3x3xbf16>) -> tensor<1x1x6x6xbf16> {
  %0 = cg.conv2d %x, %w : tensor<1x1x8x8xbf16>, tensor<1x1x3x3xbf16>
  cg.return %0 : tensor<1x1x6x6xbf16>
}
