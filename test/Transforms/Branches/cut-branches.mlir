// RUN: espalier-opt %s --split-input-file --pass-pipeline='builtin.module(cg.graph(cg-cut-branches{paths=c.g1,c.g2}))' --remark-format=emitRemark --remarks-filter=cg-cut-branches 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file %t.remarks

// Two branches of three go, with their parameters and states, and the sum of what is left stays.
// REMARK:      [Passed] cut | Category:cg-cut-branches | {{.*}}Branch=c.g2
// REMARK: [Passed] cut | {{.*}}Branch=c.g1
// CHECK-LABEL: cg.graph @two(
// CHECK-NOT:     c.g1"
// CHECK-NOT:     c.g1.
// CHECK-NOT:     c.g2.
// CHECK-DAG:     %[[MAIN:.+]] = cg.parameter "c.weight"
// CHECK-DAG:     %[[OTHER:.+]] = cg.parameter "c.g10.weight"
// CHECK-DAG:     %[[Y:.+]] = cg.conv2d %{{.+}}, %[[MAIN]]
// CHECK-DAG:     %[[Z:.+]] = cg.conv2d %{{.+}}, %[[OTHER]]
// CHECK:         %[[SUM:.+]] = cg.add %[[Z]], %[[Y]]
// CHECK-NEXT:    cg.return %[[SUM]]
cg.graph @two(%x: tensor<2x4x8x8xf32>) -> tensor<2x4x8x8xf32> {
  %w = cg.parameter "c.weight" : tensor<4x4x1x1xf32>
  // Beside c.g1, not under it.
  %w10 = cg.parameter "c.g10.weight" : tensor<4x4x1x1xf32>
  %w1 = cg.parameter "c.g1" : tensor<4x4x1x1xf32>
  %s1 = cg.parameter "c.g1.norm.weight" : tensor<4xf32>
  %b1 = cg.parameter "c.g1.norm.bias" : tensor<4xf32>
  %m1 = cg.state "c.g1.norm.running_mean" : tensor<4xf32>
  %v1 = cg.state "c.g1.norm.running_var" : tensor<4xf32>
  %w2 = cg.parameter "c.g2.conv.weight" : tensor<4x4x1x1xf32>
  %y1 = cg.conv2d %x, %w1 : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  %z1 = cg.batch_norm %y1, %s1, %b1, %m1, %v1 {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<2x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  %y = cg.conv2d %x, %w : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  %y2 = cg.conv2d %x, %w2 : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  %y10 = cg.conv2d %x, %w10 : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  %a = cg.add %z1, %y : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>
  %b = cg.add %y10, %a : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>
  %c = cg.add %b, %y2 : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>
  cg.return %c : tensor<2x4x8x8xf32>
}

// -----

// A branch that is a sum itself goes as a whole; one inside a branch that stays goes alone.
// REMARK: [Passed] cut | {{.*}}Branch=c.g1
// REMARK: [Passed] cut | {{.*}}Branch=c.g2
// REMARK-NOT:  cut
// CHECK-LABEL: cg.graph @nested(
// CHECK-SAME:    %[[X:.+]]: tensor
// CHECK-DAG:     %[[W:.+]] = cg.parameter "c.weight"
// CHECK-DAG:     %[[W3:.+]] = cg.parameter "c.g3.weight"
// CHECK-DAG:     %[[SCALE:.+]] = cg.parameter "c.g3.scale"
// CHECK-DAG:     %[[MAIN:.+]] = cg.conv2d %[[X]], %[[W]]
// CHECK-DAG:     %[[KEPT:.+]] = cg.conv2d %[[X]], %[[W3]]
// CHECK-DAG:     %[[SCALED:.+]] = cg.mul %[[KEPT]], %[[SCALE]]
// CHECK-DAG:     %[[SUM:.+]] = cg.add %[[MAIN]], %[[SCALED]]
// CHECK-NOT:     cg.add
// CHECK:         cg.return %[[SUM]]
cg.graph @nested(%x: tensor<2x4x8x8xf32>) -> tensor<2x4x8x8xf32> {
  %w = cg.parameter "c.weight" : tensor<4x4x1x1xf32>
  %w1 = cg.parameter "c.g1.weight" : tensor<4x4x1x1xf32>
  %w11 = cg.parameter "c.g1.inner.weight" : tensor<4x4x1x1xf32>
  %w3 = cg.parameter "c.g3.weight" : tensor<4x4x1x1xf32>
  %w32 = cg.parameter "c.g2.weight" : tensor<4x4x1x1xf32>
  %scale = cg.parameter "c.g3.scale" : tensor<4x1x1xf32>
  %y = cg.conv2d %x, %w : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  %y1 = cg.conv2d %x, %w1 : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  %y11 = cg.conv2d %y1, %w11 : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  // Both read %y1, which is of the branch.
  %z1 = cg.add %y1, %y11 : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>
  %y3 = cg.conv2d %x, %w3 : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  %y32 = cg.conv2d %x, %w32 : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  %z3 = cg.add %y32, %y3 : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>
  %t3 = cg.mul %z3, %scale : tensor<2x4x8x8xf32>, tensor<4x1x1xf32>
  %a = cg.add %y, %t3 : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>
  %b = cg.add %a, %z1 : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>
  cg.return %b : tensor<2x4x8x8xf32>
}
