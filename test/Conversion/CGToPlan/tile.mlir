// RUN: espalier-opt %s --split-input-file --cg-to-plan | FileCheck %s

// Rows of one image: the borders, which meet fewer taps, are nests of their own. What follows the sums is in the same
// kernel, and the row of the program says how it was chosen.
// CHECK-LABEL: plan.program @conv
// CHECK:         plan.dispatch @kernel_transpose_conv2d_relu({{.+}}) scope "stem" {plan.candidate = "tile", plan.reason = "by hand"}
// CHECK-LABEL: func.func private @kernel_transpose_conv2d_relu(
// CHECK:         scf.for
// CHECK:           linalg.fill
// CHECK:           scf.for %{{.+}} = %c0{{.*}} to %c3
// CHECK:             scf.if
// CHECK-COUNT-3:       linalg.generic {{.*}} attrs = {plan.tile}
// CHECK-NOT:       linalg.generic
// CHECK:           scf.for
// CHECK:             scf.for
// CHECK:               arith.select
// CHECK:         return
cg.graph @conv(%x: tensor<1x1x6x6xf32>, %w: tensor<3x3x1x8xf32>) -> tensor<1x8x6x6xf32> {
  %0 = cg.group(%x, %w) {candidates = ["tile"], reason = "by hand", layouts = [array<i64: 0, 2, 3, 1>], cg.scope = "stem"} : (tensor<1x1x6x6xf32>, tensor<3x3x1x8xf32>) -> tensor<1x8x6x6xf32> {
  ^bb0(%a: tensor<1x1x6x6xf32>, %p: tensor<3x3x1x8xf32>):
    %b = cg.transpose %p {permutation = array<i64: 3, 2, 0, 1>} : tensor<3x3x1x8xf32>
    %y = cg.conv2d %a, %b pads [1, 1, 1, 1] : tensor<1x1x6x6xf32>, tensor<8x1x3x3xf32>
    %r = cg.relu %y : tensor<1x8x6x6xf32>
    cg.yield %r : tensor<1x8x6x6xf32>
  }
  %1 = cg.group(%0) {candidates = ["loops"]} : (tensor<1x8x6x6xf32>) -> tensor<1x8x6x6xf32> {
  ^bb0(%a: tensor<1x8x6x6xf32>):
    cg.yield %a : tensor<1x8x6x6xf32>
  }
  cg.return %1 : tensor<1x8x6x6xf32>
}

// -----

// A product has no borders, and its rows are cut into blocks for threads.
// CHECK-LABEL: func.func private @kernel_matmul(
// CHECK-SAME:    plan.kernel = #plan.kernel<extent = 3>
// CHECK-NOT:     scf.if
// CHECK-COUNT-1: linalg.generic {{.*}} attrs = {plan.tile}
// CHECK-NOT:     linalg.generic
cg.graph @product(%x: tensor<192x16xf64>, %w: tensor<16x32xf64>) -> tensor<192x32xf64> {
  %0 = cg.group(%x, %w) {candidates = ["tile"]} : (tensor<192x16xf64>, tensor<16x32xf64>) -> tensor<192x32xf64> {
  ^bb0(%a: tensor<192x16xf64>, %b: tensor<16x32xf64>):
    %y = cg.matmul %a, %b : tensor<192x16xf64>, tensor<16x32xf64>
    cg.yield %y : tensor<192x32xf64>
  }
  cg.return %0 : tensor<192x32xf64>
}
