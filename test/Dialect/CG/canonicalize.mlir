// RUN: espalier-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: cg.graph @reshape_of_reshape(
// CHECK-SAME:    %[[X:.+]]: tensor<2x3x4xf32>)
// CHECK-NEXT:    %[[Y:.+]] = cg.reshape %[[X]] {shape = array<i64: 4, 6>}
// CHECK-NEXT:    cg.return %[[Y]]
cg.graph @reshape_of_reshape(%x: tensor<2x3x4xf32>) -> tensor<4x6xf32> {
  %0 = cg.reshape %x {shape = array<i64: -1>} : tensor<2x3x4xf32>
  %1 = cg.reshape %0 {shape = array<i64: 4, -1>} : tensor<24xf32>
  cg.return %1 : tensor<4x6xf32>
}

// CHECK-LABEL: cg.graph @reshape_there_and_back(
// CHECK-SAME:    %[[X:.+]]: tensor<?x3xf32>)
// CHECK-NEXT:    cg.return %[[X]]
cg.graph @reshape_there_and_back(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %0 = cg.reshape %x {shape = array<i64: -1>} : tensor<?x3xf32>
  %1 = cg.reshape %0 {shape = array<i64: -1, 3>} : tensor<?xf32>
  cg.return %1 : tensor<?x3xf32>
}

// Near miss: equal types with two unknown extents may be different shapes.
// CHECK-LABEL: cg.graph @reshape_unknown(
// CHECK-NEXT:    cg.reshape_like
cg.graph @reshape_unknown(%x: tensor<?x?xf32>, %y: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %0 = cg.reshape_like %x, %y : tensor<?x?xf32>, tensor<?x?xf32>
  cg.return %0 : tensor<?x?xf32>
}

// CHECK-LABEL: cg.graph @reshape_like_static(
// CHECK-SAME:    %[[X:.+]]: tensor<?xf32>, %{{.+}}: tensor<2x3xf32>)
// CHECK-NEXT:    cg.reshape %[[X]] {shape = array<i64: 2, 3>} : tensor<?xf32>
cg.graph @reshape_like_static(%x: tensor<?xf32>, %y: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = cg.reshape_like %x, %y : tensor<?xf32>, tensor<2x3xf32>
  cg.return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: cg.graph @broadcast_like_itself(
// CHECK-SAME:    %[[X:.+]]: tensor<2x3xf32>,
// CHECK-NEXT:    cg.return %[[X]]
cg.graph @broadcast_like_itself(%x: tensor<2x3xf32>, %y: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = cg.broadcast_like %x, %y : tensor<2x3xf32>, tensor<2x3xf32>
  cg.return %0 : tensor<2x3xf32>
}

// Near miss: an unknown extent may repeat.
// CHECK-LABEL: cg.graph @broadcast_like_unknown(
// CHECK-NEXT:    cg.broadcast_like
cg.graph @broadcast_like_unknown(%x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  %0 = cg.broadcast_like %x, %y : tensor<?xf32>, tensor<?xf32>
  cg.return %0 : tensor<?xf32>
}

// CHECK-LABEL: cg.graph @transpose_there_and_back(
// CHECK-SAME:    %[[X:.+]]: tensor<2x3x4xf32>)
// CHECK-NEXT:    cg.return %[[X]]
cg.graph @transpose_there_and_back(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %0 = cg.transpose %x {permutation = array<i64: 1, 2, 0>} : tensor<2x3x4xf32>
  %1 = cg.transpose %0 {permutation = array<i64: 2, 0, 1>} : tensor<3x4x2xf32>
  cg.return %1 : tensor<2x3x4xf32>
}

// CHECK-LABEL: cg.graph @transpose_twice(
// CHECK-SAME:    %[[X:.+]]: tensor<2x3x4xf32>)
// CHECK-NEXT:    cg.transpose %[[X]] {permutation = array<i64: 2, 0, 1>}
cg.graph @transpose_twice(%x: tensor<2x3x4xf32>) -> tensor<4x2x3xf32> {
  %0 = cg.transpose %x {permutation = array<i64: 1, 2, 0>} : tensor<2x3x4xf32>
  %1 = cg.transpose %0 {permutation = array<i64: 1, 2, 0>} : tensor<3x4x2xf32>
  cg.return %1 : tensor<4x2x3xf32>
}

// CHECK-LABEL: cg.graph @extent_of_static(
// CHECK-NEXT:    %[[N:.+]] = cg.constant dense<2.000000e+01> : tensor<f32>
// CHECK-NEXT:    cg.return %[[N]]
cg.graph @extent_of_static(%x: tensor<?x4x5xf32>) -> tensor<f32> {
  %0 = cg.extent %x {axes = array<i64: 1, 2>, type = f32} : tensor<?x4x5xf32>
  cg.return %0 : tensor<f32>
}

// Near misses: an unknown extent, and a number that the type cannot hold.
// CHECK-LABEL: cg.graph @extent_unknown(
// CHECK-NEXT:    cg.extent
// CHECK-NEXT:    cg.extent
cg.graph @extent_unknown(%x: tensor<?x4294967296xi8>) -> (tensor<i64>, tensor<i32>) {
  %0 = cg.extent %x {axes = array<i64: 0, 1>, type = i64} : tensor<?x4294967296xi8>
  %1 = cg.extent %x {axes = array<i64: 1>, type = i32} : tensor<?x4294967296xi8>
  cg.return %0, %1 : tensor<i64>, tensor<i32>
}

// A splat stays one, however large.
// CHECK-LABEL: cg.graph @splat(
// CHECK-NEXT:    cg.constant dense<1.000000e+00> : tensor<1048576x1048576xf32>
// CHECK-NEXT:    cg.return
cg.graph @splat() -> tensor<1048576x1048576xf32> {
  %0 = cg.constant dense<1.0> : tensor<1099511627776xf32>
  %1 = cg.reshape %0 {shape = array<i64: 1048576, -1>} : tensor<1099511627776xf32>
  %2 = cg.transpose %1 {permutation = array<i64: 1, 0>} : tensor<1048576x1048576xf32>
  cg.return %2 : tensor<1048576x1048576xf32>
}

// CHECK-LABEL: @adaptive_pool(
// CHECK-SAME:    %[[X:.+]]: tensor<1x4x7x7xf32>
// CHECK:         %[[Y:.+]] = cg.adaptive_avg_pool2d %[[X]] extents [7, 6]
// CHECK:         cg.return %[[X]], %[[Y]]
cg.graph @adaptive_pool(%x: tensor<1x4x7x7xf32>) -> (tensor<1x4x7x7xf32>, tensor<1x4x7x6xf32>) {
  %0 = cg.adaptive_avg_pool2d %x extents [7, 7] : tensor<1x4x7x7xf32>
  %1 = cg.adaptive_avg_pool2d %x extents [7, 6] : tensor<1x4x7x7xf32>
  cg.return %0, %1 : tensor<1x4x7x7xf32>, tensor<1x4x7x6xf32>
}

// CHECK-LABEL: @concat_gradient(
// CHECK-SAME:    %[[G:.+]]: tensor<5xf32>
// CHECK:         cg.slice %[[G]] {axis = 0 : i64, end = 5 : i64, start = 2 : i64, stride = 1 : i64}
// CHECK:         cg.concat_gradient %{{.+}}, %{{.+}}, %{{.+}} {axis = 0 : i64, index = 1 : i64}
cg.graph @concat_gradient(%g: tensor<5xf32>, %a: tensor<2xf32>, %b: tensor<3xf32>, %h: tensor<?xf32>,
                          %c: tensor<?xf32>, %d: tensor<?xf32>) -> (tensor<3xf32>, tensor<?xf32>) {
  %0 = cg.concat_gradient %g, %a, %b {axis = 0 : i64, index = 1 : i64} : tensor<5xf32>, tensor<2xf32>, tensor<3xf32>
  %1 = cg.concat_gradient %h, %c, %d {axis = 0 : i64, index = 1 : i64} : tensor<?xf32>, tensor<?xf32>, tensor<?xf32>
  cg.return %0, %1 : tensor<3xf32>, tensor<?xf32>
}

// A place of the first reshape's result says nothing of its input.
// CHECK-LABEL: @reshape_by_place(
// CHECK-SAME:    %[[X:.+]]: tensor<?x4xf32>
// CHECK:         %[[A:.+]] = cg.reshape %[[X]] {shape = array<i64: 2, -1>}
// CHECK:         %[[B:.+]] = cg.reshape %[[A]] {shape = array<i64: -3, 2>}
// CHECK:         %[[C:.+]] = cg.reshape %[[X]] {shape = array<i64: -1>}
// CHECK:         cg.return %[[B]], %[[C]]
cg.graph @reshape_by_place(%x: tensor<?x4xf32>) -> (tensor<?x2xf32>, tensor<?xf32>) {
  %0 = cg.reshape %x {shape = array<i64: 2, -1>} : tensor<?x4xf32>
  %1 = cg.reshape %0 {shape = array<i64: -3, 2>} : tensor<2x?xf32>
  %2 = cg.reshape %0 {shape = array<i64: -1>} : tensor<2x?xf32>
  cg.return %1, %2 : tensor<?x2xf32>, tensor<?xf32>
}
