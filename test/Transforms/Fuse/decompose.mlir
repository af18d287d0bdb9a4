// RUN: espalier-opt %s --cg-decompose --split-input-file | FileCheck %s

// A sum over the batch: along rows first, then within each sample.
// CHECK-LABEL: cg.graph @split(
// CHECK:         %[[R:.+]] = cg.reduce_sum %{{.+}} {axes = array<i64: 3>} : tensor<32x4x16x16xf32>
// CHECK-NEXT:    %[[P:.+]] = cg.reduce_sum %[[R]] {axes = array<i64: 2>} : tensor<32x4x16xf32>
// CHECK-NEXT:    %[[S:.+]] = cg.reduce_sum %[[P]] {axes = array<i64: 0>} : tensor<32x4xf32>
// CHECK-NEXT:    cg.return %[[S]]
cg.graph @split(%x: tensor<32x4x16x16xf32>) -> tensor<4xf32> {
  %0 = cg.reduce_sum %x {axes = array<i64: 0, 2, 3>} : tensor<32x4x16x16xf32>
  cg.return %0 : tensor<4xf32>
}

// -----

// Near misses: rows that are too short for a step, and a maximum, which does not round.
// CHECK-LABEL: cg.graph @short_rows(
// CHECK:         %[[P:.+]] = cg.reduce_sum %{{.+}} {axes = array<i64: 2, 3>} : tensor<64x64x4x4xf32>
// CHECK-NEXT:    cg.reduce_sum %[[P]] {axes = array<i64: 0>}
// CHECK:         %[[M:.+]] = cg.reduce_max %{{.+}} {axes = array<i64: 2, 3>} : tensor<32x4x16x16xf32>
// CHECK-NEXT:    cg.reduce_max %[[M]] {axes = array<i64: 0>}
cg.graph @short_rows(%x: tensor<64x64x4x4xf32>, %y: tensor<32x4x16x16xf32>) -> (tensor<64xf32>, tensor<4xf32>) {
  %0 = cg.reduce_sum %x {axes = array<i64: 0, 2, 3>} : tensor<64x64x4x4xf32>
  %1 = cg.reduce_max %y {axes = array<i64: 0, 2, 3>} : tensor<32x4x16x16xf32>
  cg.return %0, %1 : tensor<64xf32>, tensor<4xf32>
}

// -----

// Near miss: the outermost dimension stays, so there is parallel work.
// CHECK-LABEL: cg.graph @kept(
// CHECK:         cg.reduce_sum %{{.+}} {axes = array<i64: 2, 3>}
// CHECK-NEXT:    cg.return
cg.graph @kept(%x: tensor<32x4x16x16xf32>) -> tensor<32x4xf32> {
  %0 = cg.reduce_sum %x {axes = array<i64: 2, 3>} : tensor<32x4x16x16xf32>
  cg.return %0 : tensor<32x4xf32>
}

// -----

// CHECK-LABEL: cg.graph @softmax(
// CHECK:         cg.reduce_max
// CHECK:         cg.sub
// CHECK:         %[[E:.+]] = cg.exp
// CHECK:         cg.reduce_sum %[[E]]
// CHECK:         cg.div %[[E]]
cg.graph @softmax(%x: tensor<8x10xf32>) -> tensor<8x10xf32> {
  %0 = cg.softmax %x {axis = 1 : i64} : tensor<8x10xf32>
  cg.return %0 : tensor<8x10xf32>
}

// -----

// The operand that lends its shape is not kept alive.
// CHECK-LABEL: cg.graph @like(
// CHECK-SAME:    %[[DY:.+]]: tensor<1x4x6x6xf32>, %[[W:.+]]: tensor<4x4x1x1xf32>, %[[X:.+]]: tensor<1x4x6x6xf32>)
// CHECK:         %[[L:.+]] = cg.constant dense<0.0{{.*}}> : tensor<1x4x6x6xf32>
// CHECK:         cg.conv2d_input_gradient %[[DY]], %[[W]], %[[L]]
cg.graph @like(%dy: tensor<1x4x6x6xf32>, %w: tensor<4x4x1x1xf32>, %x: tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32> {
  %0 = cg.conv2d_input_gradient %dy, %w, %x : tensor<1x4x6x6xf32>, tensor<4x4x1x1xf32>, tensor<1x4x6x6xf32>
  cg.return %0 : tensor<1x4x6x6xf32>
}
