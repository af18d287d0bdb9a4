// RUN: espalier-opt %s --cg-mixed-precision=type=bf16 --split-input-file | FileCheck %s
// RUN: espalier-opt %s --cg-mixed-precision --split-input-file | espalier-opt --split-input-file | FileCheck %s

// The signature stays. Convolutions take and give bf16; norms compute in f32 and give back bf16; what follows is bf16.
// CHECK: cg.precision = "bf16"
// CHECK-LABEL: cg.graph @block(
// CHECK-SAME:    %[[X:.+]]: tensor<2x4x8x8xf32>) -> tensor<2x10xf32>
// CHECK-NEXT:    %[[XN:.+]] = cg.cast %[[X]] {cg.scope = "conv", type = bf16}
// CHECK-NEXT:    %[[W:.+]] = cg.parameter "conv.weight" : tensor<4x4x3x3xf32>
// CHECK-NEXT:    %[[WN:.+]] = cg.cast %[[W]] {cg.scope = "conv", type = bf16}
// CHECK:         %[[Y:.+]] = cg.conv2d %[[XN]], %[[WN]] {{.*}}: tensor<2x4x8x8xbf16>, tensor<4x4x3x3xbf16>
// CHECK-NEXT:    %[[YW:.+]] = cg.cast %[[Y]] {type = f32}
// CHECK-NEXT:    %[[N:.+]], %[[M:[a-z_0-9]+]], %{{.+}} = cg.batch_norm_training %[[YW]], {{.*}}: tensor<2x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>
// CHECK-NEXT:    %[[NN:.+]] = cg.cast %[[N]] {type = bf16} : tensor<2x4x8x8xf32>
// CHECK-NEXT:    cg.update "bn.running_mean", %[[M]] : tensor<4xf32>
// CHECK-NEXT:    %[[R:.+]] = cg.relu %[[NN]] : tensor<2x4x8x8xbf16>
// The input meets an activation in bf16, but is f32 itself: their sum is f32.
// CHECK-NEXT:    %[[RW:.+]] = cg.cast %[[R]] {type = f32}
// CHECK-NEXT:    %[[S:.+]] = cg.add %[[RW]], %[[X]] : tensor<2x4x8x8xf32>
// CHECK-NEXT:    %[[P:.+]] = cg.max_pool2d %[[R]] kernel [8, 8] : tensor<2x4x8x8xbf16>
// CHECK-NEXT:    %[[F:.+]] = cg.reshape %[[P]] {{.*}}: tensor<2x4x1x1xbf16>
// CHECK:         %[[B:.+]] = cg.parameter "fc.bias"
// CHECK-NEXT:    %[[BN:.+]] = cg.cast %[[B]] {type = bf16}
// CHECK-NEXT:    %[[L:.+]] = cg.matmul %[[F]], %{{.+}} : tensor<2x4xbf16>, tensor<4x10xbf16>
// CHECK-NEXT:    %[[Z:.+]] = cg.add %[[L]], %[[BN]] : tensor<2x10xbf16>, tensor<10xbf16>
// CHECK-NEXT:    %[[ZW:.+]] = cg.cast %[[Z]] {type = f32}
// CHECK-NEXT:    cg.return %[[ZW]] : tensor<2x10xf32>
cg.graph @block(%x: tensor<2x4x8x8xf32>) -> tensor<2x10xf32> {
  %w = cg.parameter "conv.weight" : tensor<4x4x3x3xf32>
  %s = cg.parameter "bn.weight" : tensor<4xf32>
  %y = cg.conv2d %x, %w pads [1, 1, 1, 1] {cg.scope = "conv"} : tensor<2x4x8x8xf32>, tensor<4x4x3x3xf32>
  %n, %m, %v = cg.batch_norm_training %y, %s, %s {epsilon = 1.0e-05 : f64} : tensor<2x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>
  cg.update "bn.running_mean", %m : tensor<4xf32>
  %r = cg.relu %n : tensor<2x4x8x8xf32>
  %unused = cg.add %r, %x : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>
  %p = cg.max_pool2d %r kernel [8, 8] : tensor<2x4x8x8xf32>
  %f = cg.reshape %p {shape = array<i64: 2, 4>} : tensor<2x4x1x1xf32>
  %fc = cg.parameter "fc.weight" : tensor<4x10xf32>
  %b = cg.parameter "fc.bias" : tensor<10xf32>
  %l = cg.matmul %f, %fc : tensor<2x4xf32>, tensor<4x10xf32>
  %z = cg.add %l, %b : tensor<2x10xf32>, tensor<10xf32>
  cg.return %z : tensor<2x10xf32>
}

// -----

// Sums, softmax, exp and the like compute in f32 and leave it at that.
// CHECK-LABEL: cg.graph @wide(
// CHECK:         %[[Y:.+]] = cg.matmul {{.*}}bf16>
// CHECK-NEXT:    %[[YW:.+]] = cg.cast %[[Y]] {type = f32}
// CHECK-NEXT:    cg.reduce_sum %[[YW]] {{.*}}xf32>
// CHECK-NEXT:    cg.reduce_mean %[[YW]] {{.*}}xf32>
// CHECK-NEXT:    %[[P:.+]] = cg.softmax %[[YW]] {{.*}}xf32>
// The second product of an attention takes it in bf16 again.
// CHECK-NEXT:    %[[PN:.+]] = cg.cast %[[P]] {type = bf16}
// CHECK-NEXT:    cg.log_softmax %[[YW]] {{.*}}xf32>
// CHECK-NEXT:    cg.exp %[[YW]] : tensor<2x4xf32>
// CHECK-NEXT:    cg.log %[[YW]] : tensor<2x4xf32>
// CHECK-NEXT:    cg.sqrt %[[YW]] : tensor<2x4xf32>
// CHECK-NEXT:    cg.rsqrt %[[YW]] : tensor<2x4xf32>
// CHECK-NEXT:    cg.power %[[YW]], %[[P]] : tensor<2x4xf32>, tensor<2x4xf32>
// A maximum is one of its operands: nothing to gain from f32.
// CHECK-NEXT:    cg.reduce_max %[[Y]] {{.*}}xbf16>
// CHECK-NEXT:    cg.matmul %[[PN]], %[[Y]] transpose_a : tensor<2x4xbf16>, tensor<2x4xbf16>
cg.graph @wide(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %w = cg.parameter "w" : tensor<4x4xf32>
  %y = cg.matmul %x, %w : tensor<2x4xf32>, tensor<4x4xf32>
  %0 = cg.reduce_sum %y {axes = array<i64: 0>} : tensor<2x4xf32>
  %1 = cg.reduce_mean %y {axes = array<i64: 0>} : tensor<2x4xf32>
  %2 = cg.softmax %y {axis = 1 : i64} : tensor<2x4xf32>
  %3 = cg.log_softmax %y {axis = 1 : i64} : tensor<2x4xf32>
  %4 = cg.exp %y : tensor<2x4xf32>
  %5 = cg.log %y : tensor<2x4xf32>
  %6 = cg.sqrt %y : tensor<2x4xf32>
  %7 = cg.rsqrt %y : tensor<2x4xf32>
  %8 = cg.power %y, %2 : tensor<2x4xf32>, tensor<2x4xf32>
  %9 = cg.reduce_max %y {axes = array<i64: 0>} : tensor<2x4xf32>
  %10 = cg.matmul %2, %y transpose_a : tensor<2x4xf32>, tensor<2x4xf32>
  cg.return %2 : tensor<2x4xf32>
}

// -----

// Expressions of weights are computed in f32 and cast where an activation meets them, once for all uses.
// CHECK-LABEL: cg.graph @weights(
// CHECK:         %[[A:.+]] = cg.parameter "a" : tensor<4x4xf32>
// CHECK-NEXT:    %[[B:.+]] = cg.parameter "b" : tensor<4x4xf32>
// CHECK-NEXT:    %[[AB:.+]] = cg.matmul %[[A]], %[[B]] : tensor<4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT:    %[[ABN:.+]] = cg.cast %[[AB]] {type = bf16}
// CHECK-NEXT:    %[[Y:.+]] = cg.matmul %{{.+}}, %[[ABN]] : tensor<2x4xbf16>
// CHECK-NEXT:    %[[Z:.+]] = cg.matmul %[[Y]], %[[ABN]] : tensor<2x4xbf16>
// CHECK-NOT:     cg.cast %[[AB]]
// CHECK:         cg.return
cg.graph @weights(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %a = cg.parameter "a" : tensor<4x4xf32>
  %b = cg.parameter "b" : tensor<4x4xf32>
  %ab = cg.matmul %a, %b : tensor<4x4xf32>, tensor<4x4xf32>
  %y = cg.matmul %x, %ab : tensor<2x4xf32>, tensor<4x4xf32>
  %z = cg.matmul %y, %ab : tensor<2x4xf32>, tensor<4x4xf32>
  cg.return %z : tensor<2x4xf32>
}

// -----

// Elementwise ops on an input of f32 stay in f32, and integers are nobody's business.
// CHECK-LABEL: cg.graph @untouched(
// CHECK-NEXT:    %[[R:.+]] = cg.relu %{{.+}} : tensor<2x4xf32>
// CHECK-NEXT:    %[[I:.+]] = cg.argmax %[[R]] {axis = 1 : i64} : tensor<2x4xf32>
// CHECK-NEXT:    %[[J:.+]] = cg.add %[[I]], %[[I]] : tensor<2xi64>, tensor<2xi64>
// CHECK-NEXT:    %[[E:.+]] = cg.parameter "embedding"
// CHECK-NEXT:    %[[G:.+]] = cg.gather %[[E]], %[[J]] {axis = 0 : i64} : tensor<8x4xf32>, tensor<2xi64>
// CHECK-NEXT:    cg.return %[[G]] : tensor<2x4xf32>
cg.graph @untouched(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %r = cg.relu %x : tensor<2x4xf32>
  %i = cg.argmax %r {axis = 1 : i64} : tensor<2x4xf32>
  %j = cg.add %i, %i : tensor<2xi64>, tensor<2xi64>
  %e = cg.parameter "embedding" : tensor<8x4xf32>
  %g = cg.gather %e, %j {axis = 0 : i64} : tensor<8x4xf32>, tensor<2xi64>
  cg.return %g : tensor<2x4xf32>
}

// -----

// A net of bf16: nothing to narrow, but its norm computes in f32 all the same.
// CHECK-LABEL: cg.graph @narrow(
// CHECK-SAME:    %[[X:.+]]: tensor<2x4x8x8xbf16>) -> tensor<2x4x8x8xbf16>
// CHECK:         %[[Y:.+]] = cg.conv2d %[[X]], %{{.+}} : tensor<2x4x8x8xbf16>, tensor<4x4x1x1xbf16>
// CHECK-NEXT:    %[[YW:.+]] = cg.cast %[[Y]] {type = f32}
// CHECK-NEXT:    %[[N:.+]] = cg.batch_norm %[[YW]], {{.*}} : tensor<2x4x8x8xf32>, tensor<4xf32>
// CHECK-NEXT:    %[[NN:.+]] = cg.cast %[[N]] {type = bf16}
// CHECK-NEXT:    cg.return %[[NN]] : tensor<2x4x8x8xbf16>
cg.graph @narrow(%x: tensor<2x4x8x8xbf16>) -> tensor<2x4x8x8xbf16> {
  %w = cg.parameter "w" : tensor<4x4x1x1xbf16>
  %s = cg.parameter "s" : tensor<4xbf16>
  %m = cg.state "m" : tensor<4xbf16>
  %y = cg.conv2d %x, %w : tensor<2x4x8x8xbf16>, tensor<4x4x1x1xbf16>
  %n = cg.batch_norm %y, %s, %s, %m, %s {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<2x4x8x8xbf16>, tensor<4xbf16>, tensor<4xbf16>, tensor<4xbf16>, tensor<4xbf16>
  cg.return %n : tensor<2x4x8x8xbf16>
}
