// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg-mixed-precision,cg.graph(cg-differentiate,cg-widen-gradients),cse)' --split-input-file | FileCheck %s

// No gradient of a parameter is ever bf16: the filter's comes in f32 from the convolution, the matrix's from the product,
// the bias's from a sum in f32. Cotangents of activations stay bf16.
// CHECK-LABEL: cg.graph @net(
// CHECK-DAG:     %[[W:.+]] = cg.parameter "w" : tensor<4x3x1x1xf32>
// CHECK-DAG:     %[[WN:.+]] = cg.cast %[[W]] {type = bf16}
// CHECK:         %[[Y:.+]] = cg.conv2d %[[XN:.+]], %[[WN]]
// CHECK:         %[[L:.+]] = cg.matmul %[[F:.+]], %[[MN:.+]] : tensor<2x4xbf16>, tensor<4x5xbf16>
// CHECK:         %[[DL:.+]] = cg.cast %{{.+}} {type = bf16} : tensor<2x5xf32>
// CHECK:         %[[DLW:.+]] = cg.cast %[[DL]] {type = f32} : tensor<2x5xbf16>
// CHECK-NEXT:    %[[DB:.+]] = cg.reduce_sum %[[DLW]] {axes = array<i64: 0>} : tensor<2x5xf32>
// CHECK-NEXT:    %[[DF:.+]] = cg.matmul %[[DL]], %[[MN]] transpose_b : tensor<2x5xbf16>, tensor<4x5xbf16>
// CHECK-NEXT:    %[[DM:.+]] = cg.matmul %[[F]], %[[DL]] transpose_a {result_type = f32} : tensor<2x4xbf16>, tensor<2x5xbf16>
// CHECK-NOT:     cg.cast
// CHECK:         %[[DW:.+]] = cg.conv2d_filter_gradient %[[XN]], %{{.+}}, %[[W]] : tensor<2x3x1x1xbf16>, tensor<2x4x1x1xbf16>, tensor<4x3x1x1xf32>
// CHECK-DAG:     cg.parameter_gradient "w", %[[DW]] : tensor<4x3x1x1xf32>
// CHECK-DAG:     cg.parameter_gradient "m", %[[DM]] : tensor<4x5xf32>
// CHECK-DAG:     cg.parameter_gradient "b", %[[DB]] : tensor<5xf32>
cg.graph @net(%x: tensor<2x3x1x1xf32>) -> tensor<f32> {
  %w = cg.parameter "w" : tensor<4x3x1x1xf32>
  %y = cg.conv2d %x, %w : tensor<2x3x1x1xf32>, tensor<4x3x1x1xf32>
  %r = cg.relu %y : tensor<2x4x1x1xf32>
  %f = cg.reshape %r {shape = array<i64: 2, 4>} : tensor<2x4x1x1xf32>
  %m = cg.parameter "m" : tensor<4x5xf32>
  %b = cg.parameter "b" : tensor<5xf32>
  %l = cg.matmul %f, %m : tensor<2x4xf32>, tensor<4x5xf32>
  %z = cg.add %l, %b : tensor<2x5xf32>, tensor<5xf32>
  %loss = cg.reduce_mean %z {axes = array<i64: 0, 1>} : tensor<2x5xf32>
  cg.return %loss : tensor<f32>
}

// -----

// Two uses of one weight: their gradients are summed in f32.
// CHECK-LABEL: cg.graph @shared(
// CHECK:         %[[A:.+]] = cg.matmul {{.*}} {result_type = f32} : tensor<4x2xbf16>, tensor<4x2xbf16>
// CHECK:         %[[B:.+]] = cg.matmul {{.*}} {result_type = f32} : tensor<4x2xbf16>, tensor<4x2xbf16>
// CHECK-NEXT:    %[[S:.+]] = cg.add %[[A]], %[[B]] : tensor<4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT:    cg.parameter_gradient "w", %[[S]] : tensor<4x4xf32>
cg.graph @shared(%x: tensor<4x2xf32>) -> tensor<f32> {
  %w = cg.parameter "w" : tensor<4x4xf32>
  %y = cg.matmul %w, %x : tensor<4x4xf32>, tensor<4x2xf32>
  %z = cg.matmul %w, %y : tensor<4x4xf32>, tensor<4x2xf32>
  %loss = cg.reduce_sum %z {axes = array<i64: 0, 1>} : tensor<4x2xf32>
  cg.return %loss : tensor<f32>
}

// -----

// Near miss: without gradients there is nothing to widen, not even a product that is cast to f32.
// CHECK-LABEL: cg.graph @forward(
// CHECK:         %[[Y:.+]] = cg.matmul %{{.+}}, %{{.+}} : tensor<2x4xbf16>, tensor<4x4xbf16>
// CHECK-NEXT:    %[[YW:.+]] = cg.cast %[[Y]] {type = f32}
// CHECK-NEXT:    cg.return %[[YW]]
cg.graph @forward(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %w = cg.parameter "w" : tensor<4x4xf32>
  %y = cg.matmul %x, %w : tensor<2x4xf32>, tensor<4x4xf32>
  cg.return %y : tensor<2x4xf32>
}
