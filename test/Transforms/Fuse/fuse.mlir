// RUN: espalier-opt %s --cg-fuse --split-input-file | FileCheck %s

// A product takes bias and activation into its group.
// CHECK-LABEL: cg.graph @linear(
// CHECK:         %[[Y:.+]] = cg.group(%{{.+}}, %{{.+}}, %{{.+}}) {candidates = ["onednn", "tile"]}
// CHECK:           cg.matmul
// CHECK-NEXT:      cg.add
// CHECK-NEXT:      cg.relu
// CHECK-NEXT:      cg.yield
// CHECK:         cg.return %[[Y]]
cg.graph @linear(%x: tensor<8x64xf32>, %w: tensor<32x64xf32>, %b: tensor<32xf32>) -> tensor<8x32xf32> {
  %0 = cg.matmul %x, %w transpose_b : tensor<8x64xf32>, tensor<32x64xf32>
  %1 = cg.add %0, %b : tensor<8x32xf32>, tensor<32xf32>
  %2 = cg.relu %1 : tensor<8x32xf32>
  cg.return %2 : tensor<8x32xf32>
}

// -----

// In float64 too, where the library has nothing.
// CHECK-LABEL: cg.graph @linear_f64(
// CHECK:         cg.group({{.+}}) {candidates = ["tile"]}
// CHECK:           cg.matmul
// CHECK-NEXT:      cg.relu
// CHECK-NEXT:      cg.yield
cg.graph @linear_f64(%x: tensor<8x64xf64>, %w: tensor<32x64xf64>) -> tensor<8x32xf64> {
  %0 = cg.matmul %x, %w transpose_b : tensor<8x64xf64>, tensor<32x64xf64>
  %1 = cg.relu %0 : tensor<8x32xf64>
  cg.return %1 : tensor<8x32xf64>
}

// -----

// Of two convolutions that are added, the later one takes the other's result as its residual.
// CHECK-LABEL: cg.graph @residual(
// CHECK:         %[[A:.+]] = cg.group(%{{.+}}, %{{.+}}) {candidates = ["onednn", "tile", "loops"]}
// CHECK:         %[[B:.+]] = cg.group(%{{.+}}, %{{.+}}, %[[A]]) {candidates = ["onednn", "tile"]}
// CHECK:           cg.conv2d
// CHECK-NEXT:      cg.add
// CHECK-NEXT:      cg.relu
// CHECK:         cg.return %[[B]]
cg.graph @residual(%x: tensor<1x4x6x6xf32>, %v: tensor<4x4x1x1xf32>, %w: tensor<4x4x3x3xf32>) -> tensor<1x4x6x6xf32> {
  %0 = cg.conv2d %x, %v : tensor<1x4x6x6xf32>, tensor<4x4x1x1xf32>
  %1 = cg.conv2d %x, %w pads [1, 1, 1, 1] : tensor<1x4x6x6xf32>, tensor<4x4x3x3xf32>
  %2 = cg.add %1, %0 : tensor<1x4x6x6xf32>, tensor<1x4x6x6xf32>
  %3 = cg.relu %2 : tensor<1x4x6x6xf32>
  cg.return %3 : tensor<1x4x6x6xf32>
}

// -----

// Near miss: loops, which are all there is for rows that long in f64, fuse nothing with a convolution.
// CHECK-LABEL: cg.graph @long_rows(
// CHECK:         cg.group({{.+}}) {candidates = ["loops"]}
// CHECK:           cg.conv2d
// CHECK-NEXT:      cg.yield
// CHECK:         cg.group({{.+}}) {candidates = ["loops"]}
// CHECK:           cg.relu
cg.graph @long_rows(%x: tensor<1x1x1x200000xf64>, %w: tensor<1x1x1x100xf64>) -> tensor<1x1x1x199901xf64> {
  %0 = cg.conv2d %x, %w : tensor<1x1x1x200000xf64>, tensor<1x1x1x100xf64>
  %1 = cg.relu %0 : tensor<1x1x1x199901xf64>
  cg.return %1 : tensor<1x1x1x199901xf64>
}

// -----

// Sums of one tensor share a pass over it, and what follows on the small results joins.
// CHECK-LABEL: cg.graph @moments(
// CHECK:         cg.group(%{{.+}}) {candidates = ["loops"]} : (tensor<64x16xf32>) -> tensor<16xf32>
// CHECK:           cg.mul
// CHECK:           cg.sub
// CHECK-NOT:     cg.group
// CHECK:         cg.return
cg.graph @moments(%x: tensor<64x16xf32>) -> tensor<16xf32> {
  %0 = cg.reduce_sum %x {axes = array<i64: 0>} : tensor<64x16xf32>
  %1 = cg.mul %x, %x : tensor<64x16xf32>, tensor<64x16xf32>
  %2 = cg.reduce_sum %1 {axes = array<i64: 0>} : tensor<64x16xf32>
  %3 = cg.mul %0, %0 : tensor<16xf32>, tensor<16xf32>
  %4 = cg.sub %2, %3 : tensor<16xf32>, tensor<16xf32>
  cg.return %4 : tensor<16xf32>
}

// -----

// Without a common consumer they are siblings.
// CHECK-LABEL: cg.graph @siblings(
// CHECK:         %{{.+}}:2 = cg.group(%{{.+}}, %{{.+}}) {candidates = ["loops"]}
// CHECK-NOT:     cg.group
// CHECK:         cg.return
cg.graph @siblings(%x: tensor<64x16xf32>, %y: tensor<64x16xf32>) -> (tensor<16xf32>, tensor<16xf32>) {
  %0 = cg.reduce_sum %y {axes = array<i64: 0>} : tensor<64x16xf32>
  %1 = cg.mul %x, %y : tensor<64x16xf32>, tensor<64x16xf32>
  %2 = cg.reduce_sum %1 {axes = array<i64: 0>} : tensor<64x16xf32>
  cg.return %0, %2 : tensor<16xf32>, tensor<16xf32>
}

// -----

// Near miss: over other dimensions.
// CHECK-LABEL: cg.graph @other_dims(
// CHECK-COUNT-2: cg.group(
// CHECK:         cg.return
cg.graph @other_dims(%x: tensor<64x16xf32>) -> (tensor<16xf32>, tensor<64xf32>) {
  %0 = cg.reduce_sum %x {axes = array<i64: 0>} : tensor<64x16xf32>
  %1 = cg.reduce_sum %x {axes = array<i64: 1>} : tensor<64x16xf32>
  cg.return %0, %1 : tensor<16xf32>, tensor<64xf32>
}

// -----

// An update of velocity and parameter is one kernel with two results.
// CHECK-LABEL: cg.graph @update(
// CHECK:         %[[R:.+]]:2 = cg.group(
// CHECK-NOT:     cg.group
// CHECK:         cg.return %[[R]]#{{[01]}}, %[[R]]#{{[01]}}
cg.graph @update(%p: tensor<16xf32>, %v: tensor<16xf32>, %g: tensor<16xf32>) -> (tensor<16xf32>, tensor<16xf32>) {
  %m = cg.constant dense<0.9> : tensor<f32>
  %0 = cg.mul %v, %m : tensor<16xf32>, tensor<f32>
  %1 = cg.add %0, %g : tensor<16xf32>, tensor<16xf32>
  %2 = cg.sub %p, %1 : tensor<16xf32>, tensor<16xf32>
  cg.return %1, %2 : tensor<16xf32>, tensor<16xf32>
}

// -----

// A reader of what was computed before a reduction, and of its result, cannot be in the same loops.
// CHECK-LABEL: cg.graph @no_circle(
// CHECK:         %[[A:.+]]:2 = cg.group(%{{.+}})
// CHECK:           cg.exp
// CHECK:           cg.reduce_sum
// CHECK:         cg.group(%[[A]]#0, %[[A]]#1)
// CHECK:           cg.div
// CHECK-NOT:     cg.group
cg.graph @no_circle(%x: tensor<64x16xf32>) -> tensor<64x16xf32> {
  %0 = cg.exp %x : tensor<64x16xf32>
  %1 = cg.reduce_sum %0 {axes = array<i64: 0>} : tensor<64x16xf32>
  %2 = cg.div %0, %1 : tensor<64x16xf32>, tensor<16xf32>
  cg.return %2 : tensor<64x16xf32>
}
