// RUN: espalier cost %s --by op --precision bf16 | FileCheck %s
// RUN: espalier cost %s --by op | FileCheck %s --check-prefix=F32
// RUN: espalier cost %s --by op --precision f64 | FileCheck %s --check-prefix=F64
// RUN: espalier cost %s --by graph --precision bf16 --train --loss square | FileCheck %s --check-prefix=TRAIN

// Images of 2 x 4 x 8 x 8 take 1 KiB in bf16. Casts beside an op are free, and what lies between them is never stored in
// f32; the casts of the input and of weights are real.
// CHECK:      conv cg.cast 0 512 0 2.000 KiB 1.000 KiB
// CHECK:      conv cg.cast 0 144 0 576 B 288 B
// CHECK:      conv cg.conv2d {{.*}} 1.281 KiB 1.000 KiB
// CHECK-NEXT: cg.cast 0 0 0 0 B 0 B 1.000 KiB
// CHECK:      cg.batch_norm {{.*}} 1.062 KiB 1.000 KiB 2.000 KiB
// CHECK-NEXT: cg.cast 0 0 0 0 B 0 B 1.000 KiB
// CHECK-NEXT: cg.relu 0 512 0 1.000 KiB 1.000 KiB 2.000 KiB
// The caller gets f32.
// CHECK-NEXT: cg.cast 0 512 0 1.000 KiB 2.000 KiB 3.000 KiB
// CHECK:      peak activation bytes

// F32:        cg.conv2d {{.*}} 2.562 KiB 2.000 KiB
// F32-NOT:    cg.cast
// F64:        cg.conv2d {{.*}} 5.125 KiB 4.000 KiB
// F64-NOT:    cg.cast

// TRAIN:      parameter bytes 592
// TRAIN:      One step of training
cg.graph @net(%x: tensor<2x4x8x8xf32>) -> tensor<2x4x8x8xf32> {
  %w = cg.parameter "conv.weight" : tensor<4x4x3x3xf32>
  %s = cg.parameter "bn.weight" : tensor<4xf32>
  %m = cg.state "bn.running_mean" : tensor<4xf32>
  %v = cg.state "bn.running_var" : tensor<4xf32>
  %y = cg.conv2d %x, %w pads [1, 1, 1, 1] {cg.scope = "conv"} : tensor<2x4x8x8xf32>, tensor<4x4x3x3xf32>
  %n = cg.batch_norm %y, %s, %s, %m, %v {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<2x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  %r = cg.relu %n : tensor<2x4x8x8xf32>
  cg.return %r : tensor<2x4x8x8xf32>
}
cg.graph @net.square(%z: tensor<2x4x8x8xf32>) -> tensor<f32> attributes {cg.fn} {
  %0 = cg.mul %z, %z : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>
  %1 = cg.reduce_mean %0 {axes = array<i64: 0, 1, 2, 3>} : tensor<2x4x8x8xf32>
  cg.return %1 : tensor<f32>
}
