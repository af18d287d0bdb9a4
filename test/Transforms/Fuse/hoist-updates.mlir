// RUN: espalier-opt %s --cg-hoist-updates --split-input-file | FileCheck %s

// Each parameter is updated behind the last of its gradient and its readers; what updates share comes first.
// CHECK-LABEL: cg.graph @two_layers(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: tensor<8x8xf32> {{.*}}, %[[B:[a-z0-9]+]]: tensor<8x8xf32>
// CHECK:         %[[RATE:.+]] = cg.mul %{{.+}}, %{{.+}} : tensor<f32>, tensor<f32>
// CHECK:         %[[DB:.+]] = cg.matmul {{.+}} transpose_a
// CHECK-NEXT:    %[[DH:.+]] = cg.matmul {{.+}}, %[[B]] transpose_b
// CHECK-NEXT:    %[[SB:.+]] = cg.mul %[[DB]], %[[RATE]]
// CHECK-NEXT:    %[[NB:.+]] = cg.sub %[[B]], %[[SB]]
// CHECK:         %[[DA:.+]] = cg.matmul {{.+}}, %[[DH]] transpose_a
// CHECK-NEXT:    %[[SA:.+]] = cg.mul %[[DA]], %[[RATE]]
// CHECK-NEXT:    %[[NA:.+]] = cg.sub %[[A]], %[[SA]]
// CHECK-NEXT:    cg.return %[[NA]], %[[NB]]
cg.graph @two_layers(%a: tensor<8x8xf32> {cg.role = "parameter"}, %b: tensor<8x8xf32> {cg.role = "parameter"},
                     %x: tensor<4x8xf32>, %rate: tensor<f32>)
    -> (tensor<8x8xf32> {cg.tied = 0 : i64}, tensor<8x8xf32> {cg.tied = 1 : i64}) {
  %h = cg.matmul %x, %a : tensor<4x8xf32>, tensor<8x8xf32>
  %y = cg.matmul %h, %b : tensor<4x8xf32>, tensor<8x8xf32>
  %db = cg.matmul %h, %y transpose_a : tensor<4x8xf32>, tensor<4x8xf32>
  %dh = cg.matmul %y, %b transpose_b : tensor<4x8xf32>, tensor<8x8xf32>
  %da = cg.matmul %x, %dh transpose_a : tensor<4x8xf32>, tensor<4x8xf32>
  %half = cg.constant dense<0.5> : tensor<f32>
  %r = cg.mul %rate, %half : tensor<f32>, tensor<f32>
  %sa = cg.mul %da, %r : tensor<8x8xf32>, tensor<f32>
  %na = cg.sub %a, %sa : tensor<8x8xf32>, tensor<8x8xf32>
  %sb = cg.mul %db, %r : tensor<8x8xf32>, tensor<f32>
  %nb = cg.sub %b, %sb : tensor<8x8xf32>, tensor<8x8xf32>
  cg.return %na, %nb : tensor<8x8xf32>, tensor<8x8xf32>
}

// -----

// Near miss: both gradients are scaled by what follows from both. Their updates wait for it.
// CHECK-LABEL: cg.graph @clipped(
// CHECK:         %[[SUM:.+]] = cg.add
// CHECK:         %[[SA:.+]] = cg.mul %{{.+}}, %[[SUM]]
// CHECK-NEXT:    cg.sub
// CHECK:         %[[SB:.+]] = cg.mul %{{.+}}, %[[SUM]]
// CHECK-NEXT:    cg.sub
cg.graph @clipped(%a: tensor<8x8xf32> {cg.role = "parameter"}, %b: tensor<8x8xf32> {cg.role = "parameter"},
                  %x: tensor<8x8xf32>)
    -> (tensor<8x8xf32> {cg.tied = 0 : i64}, tensor<8x8xf32> {cg.tied = 1 : i64}) {
  %da = cg.matmul %x, %a : tensor<8x8xf32>, tensor<8x8xf32>
  %db = cg.matmul %da, %b : tensor<8x8xf32>, tensor<8x8xf32>
  %na = cg.reduce_sum %da {axes = array<i64: 0, 1>} : tensor<8x8xf32>
  %nb = cg.reduce_sum %db {axes = array<i64: 0, 1>} : tensor<8x8xf32>
  %sum = cg.add %na, %nb : tensor<f32>, tensor<f32>
  %sa = cg.mul %da, %sum : tensor<8x8xf32>, tensor<f32>
  %ua = cg.sub %a, %sa : tensor<8x8xf32>, tensor<8x8xf32>
  %sb = cg.mul %db, %sum : tensor<8x8xf32>, tensor<f32>
  %ub = cg.sub %b, %sb : tensor<8x8xf32>, tensor<8x8xf32>
  cg.return %ua, %ub : tensor<8x8xf32>, tensor<8x8xf32>
}
