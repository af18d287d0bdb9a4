// RUN: espalier-opt %s --split-input-file --cg-expand-branches=block=acnet --remark-format=emitRemark --remarks-filter=cg-expand-branches 2> %t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t.remarks
// RUN: espalier-opt %s --split-input-file --cg-expand-branches="block=acnet initialize=preserve" | FileCheck %s --check-prefix=PRESERVE

// Parameters of the convolution and its norm keep their paths, and the norm its constants. Others stand under the path of
// the convolution.
// CHECK-LABEL: cg.graph @with_norm(
// CHECK-SAME:    %[[X:.+]]: tensor<?x4x8x8xf32>
// CHECK-DAG:     %[[W:.+]] = cg.parameter "layer1.conv1.weight" : tensor<6x4x3x3xf32> init #cg.kaiming_uniform<
// CHECK-DAG:     %[[SCALE:.+]] = cg.parameter "layer1.bn1.weight" : tensor<6xf32> init #cg.fill<1.0
// CHECK:         %[[MAIN:.+]] = cg.conv2d %[[X]], %[[W]] pads [1, 1, 1, 1] {cg.scope = "layer1.conv1"}
// CHECK:         %[[NORM:.+]] = cg.batch_norm %[[MAIN]], %[[SCALE]], {{.*}}epsilon = 1.000000e-03 : f64, momentum = 2.000000e-01 : f64
// CHECK:         %[[ROW:.+]] = cg.parameter "layer1.conv1.row.conv.weight" {cg.scope = "layer1.conv1.row.conv"} : tensor<6x4x1x3xf32>
// CHECK:         cg.conv2d %[[X]], %[[ROW]] pads [0, 1, 0, 1]
// CHECK:         cg.parameter "layer1.conv1.row.norm.weight" {{.*}}init #cg.fill<1.0
// CHECK:         cg.state "layer1.conv1.row.norm.running_var"
// CHECK:         %[[COLUMN:.+]] = cg.parameter "layer1.conv1.column.conv.weight" {{.*}} : tensor<6x4x3x1xf32>
// CHECK:         cg.conv2d %[[X]], %[[COLUMN]] pads [1, 0, 1, 0]
// CHECK:         cg.add %[[NORM]],
// CHECK-NEXT:    %[[SUM:.+]] = cg.add
// CHECK-NEXT:    %[[RELU:.+]] = cg.relu %[[SUM]]
// CHECK-NEXT:    cg.return %[[RELU]]

// PRESERVE-LABEL: cg.graph @with_norm(
// PRESERVE:         cg.parameter "layer1.conv1.weight" : tensor<6x4x3x3xf32> init #cg.normal<
// PRESERVE:         cg.parameter "layer1.bn1.weight" : tensor<6xf32> init #cg.fill<5.0
// PRESERVE:         cg.parameter "layer1.conv1.row.norm.weight" {{.*}}init #cg.fill<0.0
// PRESERVE:         cg.parameter "layer1.conv1.column.norm.weight" {{.*}}init #cg.fill<0.0
// REMARK: [Passed] expanded | Category:cg-expand-branches | Block=acnet, Filter=layer1.conv1.weight
cg.graph @with_norm(%x: tensor<?x4x8x8xf32>) -> tensor<?x6x8x8xf32> {
  %w = cg.parameter "layer1.conv1.weight" : tensor<6x4x3x3xf32> init #cg.normal<0.0 : f64, 0.1 : f64>
  %y = cg.conv2d %x, %w pads [1, 1, 1, 1] {cg.scope = "layer1.conv1"} : tensor<?x4x8x8xf32>, tensor<6x4x3x3xf32>
  %scale = cg.parameter "layer1.bn1.weight" : tensor<6xf32> init #cg.fill<5.0 : f64>
  %shift = cg.parameter "layer1.bn1.bias" : tensor<6xf32> init #cg.fill<0.0 : f64>
  %mean = cg.state "layer1.bn1.running_mean" : tensor<6xf32> init #cg.fill<0.0 : f64>
  %var = cg.state "layer1.bn1.running_var" : tensor<6xf32> init #cg.fill<1.0 : f64>
  %z = cg.batch_norm %y, %scale, %shift, %mean, %var {epsilon = 1.0e-03 : f64, momentum = 0.2 : f64}
    : tensor<?x6x8x8xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>
  %r = cg.relu %z : tensor<?x6x8x8xf32>
  cg.return %r : tensor<?x6x8x8xf32>
}

// -----

// A bias before the norm stays before it, on the main branch.
// CHECK-LABEL: cg.graph @biased(
// CHECK:         %[[BIAS:.+]] = cg.reshape %{{.+}} {shape = array<i64: 6, 1, 1>}
// CHECK:         %[[MAIN:.+]] = cg.conv2d %{{.+}} {cg.scope = "conv"}
// CHECK:         %[[SUM:.+]] = cg.add %[[MAIN]], %[[BIAS]]
// CHECK:         cg.batch_norm %[[SUM]]
// REMARK: [Passed] expanded {{.*}}Filter=conv.weight
cg.graph @biased(%x: tensor<2x4x8x8xf32>) -> tensor<2x6x6x6xf32> {
  %w = cg.parameter "conv.weight" : tensor<6x4x3x3xf32>
  %y = cg.conv2d %x, %w : tensor<2x4x8x8xf32>, tensor<6x4x3x3xf32>
  %b = cg.parameter "conv.bias" : tensor<6xf32>
  %b1 = cg.reshape %b {shape = array<i64: 6, 1, 1>} : tensor<6xf32>
  %y1 = cg.add %y, %b1 : tensor<2x6x6x6xf32>, tensor<6x1x1xf32>
  %scale = cg.parameter "bn.weight" : tensor<6xf32>
  %shift = cg.parameter "bn.bias" : tensor<6xf32>
  %mean = cg.state "bn.running_mean" : tensor<6xf32>
  %var = cg.state "bn.running_var" : tensor<6xf32>
  %z = cg.batch_norm %y1, %scale, %shift, %mean, %var {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<2x6x6x6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>
  cg.return %z : tensor<2x6x6x6xf32>
}

// -----

// Without a norm: the block brings its own, and the bias stays behind it. Any path is good enough to begin others with.
// CHECK-LABEL: cg.graph @without_norm(
// CHECK:         cg.parameter "p7" : tensor<6x4x3x3xf32>
// CHECK:         cg.parameter "p7.norm.weight" {{.*}}init #cg.fill<1.0
// CHECK:         cg.parameter "p7.row.conv.weight"
// CHECK:         %[[SUM:.+]] = cg.add %{{.+}} {cg.scope = "p7"}
// CHECK:         %[[BRANCHES:.+]] = cg.add %[[SUM]], {{.+}} {cg.scope = "p7"}
// CHECK:         %[[Z:.+]] = cg.add %[[BRANCHES]], %{{.+}} : tensor<2x6x6x6xf32>, tensor<6x1x1xf32>
// CHECK-NEXT:    cg.return %[[Z]]

// Over a variance of 1, this scale is the identity.
// PRESERVE-LABEL: cg.graph @without_norm(
// PRESERVE:         cg.parameter "p7.norm.weight" {{.*}}init #cg.fill<1.00000499
// REMARK: [Passed] expanded {{.*}}Filter=p7
cg.graph @without_norm(%x: tensor<2x4x8x8xf32>) -> tensor<2x6x6x6xf32> {
  %w = cg.parameter "p7" : tensor<6x4x3x3xf32>
  %y = cg.conv2d %x, %w : tensor<2x4x8x8xf32>, tensor<6x4x3x3xf32>
  %b = cg.parameter "p8" : tensor<6xf32>
  %b1 = cg.reshape %b {shape = array<i64: 6, 1, 1>} : tensor<6xf32>
  %z = cg.add %y, %b1 : tensor<2x6x6x6xf32>, tensor<6x1x1xf32>
  cg.return %z : tensor<2x6x6x6xf32>
}

// -----

// A norm of something else that reads the convolution too is not its norm.
// CHECK-LABEL: cg.graph @two_uses(
// CHECK-COUNT-4: cg.batch_norm
// CHECK-NOT:     cg.batch_norm
// REMARK: [Passed] expanded {{.*}}Filter=conv.weight
cg.graph @two_uses(%x: tensor<2x4x8x8xf32>) -> (tensor<2x6x6x6xf32>, tensor<2x6x6x6xf32>) {
  %w = cg.parameter "conv.weight" : tensor<6x4x3x3xf32>
  %y = cg.conv2d %x, %w : tensor<2x4x8x8xf32>, tensor<6x4x3x3xf32>
  %scale = cg.parameter "bn.weight" : tensor<6xf32>
  %shift = cg.parameter "bn.bias" : tensor<6xf32>
  %mean = cg.state "bn.running_mean" : tensor<6xf32>
  %var = cg.state "bn.running_var" : tensor<6xf32>
  %z = cg.batch_norm %y, %scale, %shift, %mean, %var {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<2x6x6x6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>
  cg.return %y, %z : tensor<2x6x6x6xf32>, tensor<2x6x6x6xf32>
}

// -----

// CHECK-LABEL: cg.graph @near_misses(
// CHECK-NOT:     row.conv
// CHECK:         cg.return
cg.graph @near_misses(%x: tensor<2x4x8x8xf32>, %given: tensor<4x4x3x3xf32>, %any: tensor<2x?x8x8xf32>)
    -> (tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>, tensor<2x4x6x6xf32>, tensor<2x4x8x8xf32>, tensor<2x4x6x8xf32>) {
  // REMARK: [Missed] not-expanded | Category:cg-expand-branches | Reason="its window is 1x1, not of odd numbers of at least 3"
  %w1 = cg.parameter "point.weight" : tensor<4x4x1x1xf32>
  %y1 = cg.conv2d %x, %w1 : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  // REMARK: Reason="its window is 4x3, not of odd numbers of at least 3"
  %w2 = cg.parameter "even.weight" : tensor<4x4x4x3xf32>
  %y2 = cg.conv2d %y1, %w2 pads [2, 1, 1, 1] : tensor<2x4x8x8xf32>, tensor<4x4x4x3xf32>
  // REMARK: Reason="its window is 1x3, not of odd numbers of at least 3"
  %w3 = cg.parameter "row.weight" : tensor<4x4x1x3xf32>
  %y3 = cg.conv2d %y2, %w3 pads [0, 1, 0, 1] : tensor<2x4x8x8xf32>, tensor<4x4x1x3xf32>
  // REMARK: Reason="its filter is not a parameter"
  %y4 = cg.conv2d %y3, %given pads [1, 1, 1, 1] : tensor<2x4x8x8xf32>, tensor<4x4x3x3xf32>
  // REMARK: Reason="its padding is not the same on opposite sides"
  %w5 = cg.parameter "skewed.weight" : tensor<4x4x3x3xf32>
  %y5 = cg.conv2d %y4, %w5 pads [2, 1, 0, 1] : tensor<2x4x8x8xf32>, tensor<4x4x3x3xf32>
  // REMARK-COUNT-2: Reason="its filter has other uses"
  %w6 = cg.parameter "shared.weight" : tensor<4x4x3x3xf32>
  %y6 = cg.conv2d %y5, %w6 pads [1, 1, 1, 1] : tensor<2x4x8x8xf32>, tensor<4x4x3x3xf32>
  // The same parameter: a path is what counts.
  %w7 = cg.parameter "shared.weight" : tensor<4x4x3x3xf32>
  %y7 = cg.conv2d %y6, %w7 : tensor<2x4x8x8xf32>, tensor<4x4x3x3xf32>
  // REMARK: Reason="the channels of its input are not known"
  %w8 = cg.parameter "any.weight" : tensor<4x4x3x3xf32>
  %y8 = cg.conv2d %any, %w8 pads [1, 1, 1, 1] : tensor<2x?x8x8xf32>, tensor<4x4x3x3xf32>
  // REMARK: Reason="its window is 3x1, not of odd numbers of at least 3"
  %w9 = cg.parameter "column.weight" : tensor<4x4x3x1xf32>
  %y9 = cg.conv2d %y5, %w9 : tensor<2x4x8x8xf32>, tensor<4x4x3x1xf32>
  cg.return %y5, %y6, %y7, %y8, %y9
    : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>, tensor<2x4x6x6xf32>, tensor<2x4x8x8xf32>, tensor<2x4x6x8xf32>
}

// -----

// CHECK-LABEL: cg.graph @norms(
// CHECK-NOT:     row.conv
// CHECK:         cg.return
cg.graph @norms(%x: tensor<2x4x8x8xf32>, %v: tensor<4xf32>) -> (tensor<2x4x6x6xf32>, tensor<2x4x6x6xf32>) {
  %scale = cg.parameter "bn.weight" : tensor<4xf32>
  %shift = cg.parameter "bn.bias" : tensor<4xf32>
  %mean = cg.state "bn.running_mean" : tensor<4xf32>
  %var = cg.state "bn.running_var" : tensor<4xf32>
  // REMARK: Reason="its norm is specialised already"
  %w1 = cg.parameter "a.weight" : tensor<4x4x3x3xf32>
  %y1 = cg.conv2d %x, %w1 : tensor<2x4x8x8xf32>, tensor<4x4x3x3xf32>
  %z1 = cg.batch_norm_inference %y1, %scale, %shift, %mean, %var {epsilon = 1.0e-05 : f64}
    : tensor<2x4x6x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  // REMARK: Reason="the operands of its norm are not two parameters and two states"
  %w2 = cg.parameter "b.weight" : tensor<4x4x3x3xf32>
  %y2 = cg.conv2d %x, %w2 : tensor<2x4x8x8xf32>, tensor<4x4x3x3xf32>
  %z2 = cg.batch_norm %y2, %v, %shift, %mean, %var {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<2x4x6x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  cg.return %z1, %z2 : tensor<2x4x6x6xf32>, tensor<2x4x6x6xf32>
}

// -----

// CHECK-LABEL: cg.graph @taken(
// CHECK-NOT:     tensor<4x4x1x3xf32>
// CHECK:         cg.return
cg.graph @taken(%x: tensor<2x4x8x8xf32>) -> (tensor<2x4x6x6xf32>, tensor<3xf32>) {
  // REMARK: Reason="the network has a parameter 'conv.row.conv.weight', as the block would have"
  %w = cg.parameter "conv.weight" : tensor<4x4x3x3xf32>
  %y = cg.conv2d %x, %w : tensor<2x4x8x8xf32>, tensor<4x4x3x3xf32>
  %other = cg.parameter "conv.row.conv.weight" : tensor<3xf32>
  cg.return %y, %other : tensor<2x4x6x6xf32>, tensor<3xf32>
}
