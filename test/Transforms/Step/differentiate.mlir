// RUN: espalier-opt %s --split-input-file --pass-pipeline='builtin.module(cg.graph(cg-differentiate,canonicalize))' | FileCheck %s

// CHECK-LABEL: cg.graph @linear(
// CHECK-SAME:    %[[X:.+]]: tensor<8x4xf32>
// CHECK:         %[[W:.+]] = cg.parameter "w"
// CHECK:         %[[Y:.+]] = cg.matmul %[[X]], %[[W]] transpose_b
// The input needs no cotangent, so one product follows, not two.
// CHECK:         %[[DW:.+]] = cg.matmul
// CHECK-NOT:     cg.matmul
// CHECK:         cg.parameter_gradient "w", %[[DW]] : tensor<2x4xf32>
cg.graph @linear(%x: tensor<8x4xf32>) -> tensor<f32> {
  %w = cg.parameter "w" : tensor<2x4xf32>
  %y = cg.matmul %x, %w transpose_b : tensor<8x4xf32>, tensor<2x4xf32>
  %loss = cg.reduce_sum %y {axes = array<i64: 0, 1>} : tensor<8x2xf32>
  cg.return %loss : tensor<f32>
}

// -----

// Two reads of one parameter are one parameter: its cotangents add up under one mark.
// CHECK-LABEL: cg.graph @shared(
// CHECK:         %[[SUM:.+]] = cg.add
// CHECK:         cg.parameter_gradient "w", %[[SUM]]
// CHECK-NOT:     cg.parameter_gradient
cg.graph @shared(%x: tensor<4xf32>, %z: tensor<4xf32>) -> tensor<f32> {
  %w0 = cg.parameter "w" : tensor<4xf32>
  %a = cg.mul %w0, %x : tensor<4xf32>, tensor<4xf32>
  %w1 = cg.parameter "w" : tensor<4xf32>
  %b = cg.mul %w1, %z : tensor<4xf32>, tensor<4xf32>
  %c = cg.mul %a, %b : tensor<4xf32>, tensor<4xf32>
  %loss = cg.reduce_sum %c {axes = array<i64: 0>} : tensor<4xf32>
  cg.return %loss : tensor<f32>
}

// -----

// Near miss: nothing flows through stop_gradient, and a graph whose first result is no number is left alone.
// CHECK-LABEL: cg.graph @stopped(
// CHECK-NOT:     cg.parameter_gradient
cg.graph @stopped() -> tensor<f32> {
  %w = cg.parameter "w" : tensor<4xf32>
  %s = cg.stop_gradient %w : tensor<4xf32>
  %loss = cg.reduce_sum %s {axes = array<i64: 0>} : tensor<4xf32>
  cg.return %loss : tensor<f32>
}

// CHECK-LABEL: cg.graph @no_loss(
// CHECK-NOT:     cg.parameter_gradient
cg.graph @no_loss() -> tensor<4xf32> {
  %w = cg.parameter "w" : tensor<4xf32>
  cg.return %w : tensor<4xf32>
}
