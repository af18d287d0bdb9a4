// RUN: espalier-opt %s --cg-fuse --cg-assign-layout --split-input-file | FileCheck %s

// The image is copied once on the way in and once on the way out; what lies between follows the convolutions.
// CHECK-LABEL: cg.graph @two_convs(
// CHECK-SAME:    %[[X:.+]]: tensor<1x4x6x6xf32>,
// CHECK:         %[[IN:.+]] = cg.group(%[[X]]) {candidates = ["loops"], layouts = [array<i64: 0, 2, 3, 1>]}
// CHECK:         %[[A:.+]] = cg.group(%[[IN]], %{{.+}}) {candidates = ["onednn", "tile", "loops"], layouts = [array<i64: 0, 2, 3, 1>]}
// CHECK:         %[[B:.+]] = cg.group(%[[A]]) {candidates = ["loops"], layouts = [array<i64: 0, 2, 3, 1>]}
// CHECK:           cg.tanh
// CHECK:         %[[C:.+]] = cg.group(%[[B]], %{{.+}}) {candidates = ["onednn", "tile", "loops"], layouts = [array<i64: 0, 2, 3, 1>]}
// CHECK:         %[[OUT:.+]] = cg.group(%[[C]]) {candidates = ["loops"]}
// CHECK:         cg.return %[[OUT]]
cg.graph @two_convs(%x: tensor<1x4x6x6xf32>, %w: tensor<4x4x1x1xf32>) -> tensor<1x4x6x6xf32> {
  %0 = cg.conv2d %x, %w : tensor<1x4x6x6xf32>, tensor<4x4x1x1xf32>
  %1 = cg.tanh %0 : tensor<1x4x6x6xf32>
  %2 = cg.conv2d %1, %w : tensor<1x4x6x6xf32>, tensor<4x4x1x1xf32>
  cg.return %2 : tensor<1x4x6x6xf32>
}

// -----

// A product of rank 4 reads and writes rows, whatever its neighbours do.
// CHECK-LABEL: cg.graph @product(
// CHECK:         %[[P:.+]] = cg.group(%{{.+}}) {candidates = ["tile", "loops"]} :
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      cg.matmul
// CHECK:         cg.group(%[[P]]) {candidates = ["loops"], layouts = [array<i64: 0, 2, 3, 1>]}
cg.graph @product(%x: tensor<1x4x6x6xf32>, %w: tensor<4x4x1x1xf32>) -> tensor<1x4x6x6xf32> {
  %0 = cg.matmul %x, %x : tensor<1x4x6x6xf32>, tensor<1x4x6x6xf32>
  %1 = cg.tanh %0 : tensor<1x4x6x6xf32>
  %2 = cg.conv2d %1, %w : tensor<1x4x6x6xf32>, tensor<4x4x1x1xf32>
  cg.return %2 : tensor<1x4x6x6xf32>
}

// -----

// The gradient of a filter is a filter, whatever its neighbours do: here it is composed with another filter, as an image.
// CHECK-LABEL: cg.graph @filter_gradient(
// CHECK:         %[[G:.+]] = cg.group(%{{.+}}) {candidates = ["onednn", "tile", "loops"]} :
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      %{{.+}} = cg.constant
// CHECK-NEXT:      cg.conv2d_filter_gradient
// CHECK:         %[[IMAGE:.+]] = cg.group(%[[G]]) {candidates = ["loops"], layouts = [array<i64: 0, 2, 3, 1>]}
// CHECK:         cg.group(%[[IMAGE]], %{{.+}}) {candidates = ["onednn", "tile", "loops"], layouts = [array<i64: 0, 2, 3, 1>]}
// CHECK:           cg.conv2d
cg.graph @filter_gradient(%x: tensor<2x4x6x6xf32>, %dy: tensor<2x5x4x4xf32>, %w: tensor<3x4x1x1xf32>)
    -> tensor<5x3x3x3xf32> {
  %like = cg.constant dense<0.0> : tensor<5x4x3x3xf32>
  %0 = cg.conv2d_filter_gradient %x, %dy, %like
    : tensor<2x4x6x6xf32>, tensor<2x5x4x4xf32>, tensor<5x4x3x3xf32>
  %1 = cg.conv2d %0, %w : tensor<5x4x3x3xf32>, tensor<3x4x1x1xf32>
  cg.return %1 : tensor<5x3x3x3xf32>
}

// -----

// Near miss: rows that are too long for tiles in f64, which run as loops, and no convolution at all.
// CHECK-LABEL: cg.graph @long_rows(
// CHECK-NOT:     layouts
cg.graph @long_rows(%x: tensor<1x4x1x200000xf64>, %w: tensor<4x4x1x100xf64>) -> tensor<1x4x1x199901xf64> {
  %0 = cg.conv2d %x, %w : tensor<1x4x1x200000xf64>, tensor<4x4x1x100xf64>
  cg.return %0 : tensor<1x4x1x199901xf64>
}
// CHECK-LABEL: cg.graph @elementwise(
// CHECK-NOT:     layouts
cg.graph @elementwise(%x: tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32> {
  %0 = cg.tanh %x : tensor<1x4x6x6xf32>
  cg.return %0 : tensor<1x4x6x6xf32>
}

// -----

// Histograms go over one channel at a time: they read planes, whatever their image is made of.
// CHECK-LABEL: cg.graph @histograms(
// CHECK:         %[[CONV:.+]] = cg.group({{.+}}) {candidates = ["onednn", "tile", "loops"], layouts = [array<i64: 0, 2, 3, 1>]}
// CHECK:         %[[PLANES:.+]] = cg.group(%[[CONV]]) {candidates = ["loops"]}
// CHECK-NOT:       cg.mutual_information
// CHECK:         cg.group(%[[PLANES]]) {candidates = ["loops"]}
// CHECK:           cg.mutual_information
cg.graph @histograms(%x: tensor<1x4x6x6xf32>, %w: tensor<4x4x1x1xf32>) -> tensor<4x3x3xf64> {
  %0 = cg.conv2d %x, %w : tensor<1x4x6x6xf32>, tensor<4x4x1x1xf32>
  %1 = cg.mutual_information %0 window [3, 3] : tensor<1x4x6x6xf32>
  cg.return %1 : tensor<4x3x3xf64>
}
