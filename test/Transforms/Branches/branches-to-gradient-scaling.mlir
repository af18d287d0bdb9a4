// RUN: espalier-opt %s --split-input-file --cg-branches-to-gradient-scaling | FileCheck %s
// RUN: espalier-opt %s --split-input-file --cg-branches-to-gradient-scaling --remarks-filter=cg-branches-to-gradient-scaling 2>&1 | FileCheck %s --check-prefix=REMARK

// ACNet without norms: the row and the column add 1, twice in the centre. A factor counts squared.

// CHECK-LABEL: cg.graph @acnet(
// CHECK-SAME:    %[[X:[a-z0-9]+]]:
// CHECK:         %[[W:.+]] = cg.parameter "a.weight" {cg.gradient_scale = dense<{{\[\[}}1.000000e+00, 1.250000e+00, 1.000000e+00], [2.000000e+00, 2.250000e+00, 2.000000e+00], [1.000000e+00, 1.250000e+00, 1.000000e+00]]> : tensor<3x3xf64>} : tensor<8x8x3x3xf32>
// CHECK:         %[[Y:.+]] = cg.conv2d %[[X]], %[[W]] strides [2, 2] pads [1, 1, 1, 1]
// CHECK-NEXT:    cg.return %[[Y]]
// CHECK:       cg.graph @acnet.weights() -> (tensor<8x8x3x3xf32> {cg.name = "a.weight"})
// CHECK-DAG:     cg.parameter "a.weight"
// CHECK-DAG:     cg.parameter "b.weight"
// CHECK-DAG:     cg.parameter "c.weight"
cg.graph @acnet(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x5x5xf32> {
  %a = cg.parameter "a.weight" : tensor<8x8x3x3xf32>
  %b = cg.parameter "b.weight" : tensor<8x8x1x3xf32>
  %c = cg.parameter "c.weight" : tensor<8x8x3x1xf32>
  %half = cg.constant dense<-0.5> : tensor<f32>
  %0 = cg.conv2d %x, %a strides [2, 2] pads [1, 1, 1, 1] : tensor<1x8x9x9xf32>, tensor<8x8x3x3xf32>
  %1 = cg.conv2d %x, %b strides [2, 2] pads [0, 1, 0, 1] : tensor<1x8x9x9xf32>, tensor<8x8x1x3xf32>
  %2 = cg.conv2d %x, %c strides [2, 2] pads [1, 0, 1, 0] : tensor<1x8x9x9xf32>, tensor<8x8x3x1xf32>
  %3 = cg.mul %2, %half : tensor<1x8x5x5xf32>, tensor<f32>
  %4 = cg.add %0, %1 : tensor<1x8x5x5xf32>, tensor<1x8x5x5xf32>
  %5 = cg.add %4, %3 : tensor<1x8x5x5xf32>, tensor<1x8x5x5xf32>
  cg.return %5 : tensor<1x8x5x5xf32>
}

// -----

// A factor for each output: a matrix for each.

// CHECK-LABEL: cg.graph @by_output(
// CHECK:         cg.gradient_scale = dense<{{.+}}> : tensor<2x1x3x3xf64>
cg.graph @by_output(%x: tensor<1x2x9x9xf32>) -> tensor<1x2x9x9xf32> {
  %a = cg.parameter "a" : tensor<2x2x3x3xf32>
  %b = cg.parameter "b" : tensor<2x2x1x1xf32>
  %f = cg.constant dense<[[[1.0]], [[2.0]]]> : tensor<2x1x1xf32>
  %0 = cg.conv2d %x, %a pads [1, 1, 1, 1] : tensor<1x2x9x9xf32>, tensor<2x2x3x3xf32>
  %1 = cg.conv2d %x, %b : tensor<1x2x9x9xf32>, tensor<2x2x1x1xf32>
  %2 = cg.mul %1, %f : tensor<1x2x9x9xf32>, tensor<2x1x1xf32>
  %3 = cg.add %0, %2 : tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>
  cg.return %3 : tensor<1x2x9x9xf32>
}

// -----

// REMARK:      Reason="a factor of a branch is no literal: it may be trained"
// CHECK-LABEL: cg.graph @trained_factor(
// CHECK-COUNT-2: cg.conv2d
cg.graph @trained_factor(%x: tensor<1x2x9x9xf32>) -> tensor<1x2x9x9xf32> {
  %a = cg.parameter "a" : tensor<2x2x3x3xf32>
  %b = cg.parameter "b" : tensor<2x2x1x1xf32>
  %f = cg.parameter "f" : tensor<2x1x1xf32>
  %0 = cg.conv2d %x, %a pads [1, 1, 1, 1] : tensor<1x2x9x9xf32>, tensor<2x2x3x3xf32>
  %1 = cg.conv2d %x, %b : tensor<1x2x9x9xf32>, tensor<2x2x1x1xf32>
  %2 = cg.mul %1, %f : tensor<1x2x9x9xf32>, tensor<2x1x1xf32>
  %3 = cg.add %0, %2 : tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>
  cg.return %3 : tensor<1x2x9x9xf32>
}

// -----

// REMARK:      Reason="a batch norm inside a branch is not linear in its filter"
// CHECK-LABEL: cg.graph @norm(
// CHECK-COUNT-2: cg.conv2d
cg.graph @norm(%x: tensor<1x2x9x9xf32>) -> tensor<1x2x9x9xf32> {
  %a = cg.parameter "a" : tensor<2x2x3x3xf32>
  %b = cg.parameter "b" : tensor<2x2x1x1xf32>
  %s = cg.parameter "s" : tensor<2xf32>
  %m = cg.state "m" : tensor<2xf32>
  %0 = cg.conv2d %x, %a pads [1, 1, 1, 1] : tensor<1x2x9x9xf32>, tensor<2x2x3x3xf32>
  %1 = cg.conv2d %x, %b : tensor<1x2x9x9xf32>, tensor<2x2x1x1xf32>
  %2 = cg.batch_norm %1, %s, %s, %m, %m {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<1x2x9x9xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
  %3 = cg.add %0, %2 : tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>
  cg.return %3 : tensor<1x2x9x9xf32>
}

// -----

// REMARK:      Reason="a summand is the image itself: in one filter, weight decay would shrink it"
// CHECK-LABEL: cg.graph @residual(
// CHECK:         cg.add
cg.graph @residual(%x: tensor<1x2x9x9xf32>) -> tensor<1x2x9x9xf32> {
  %a = cg.parameter "a" : tensor<2x2x3x3xf32>
  %0 = cg.conv2d %x, %a pads [1, 1, 1, 1] : tensor<1x2x9x9xf32>, tensor<2x2x3x3xf32>
  %1 = cg.add %0, %x : tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>
  cg.return %1 : tensor<1x2x9x9xf32>
}

// -----

// REMARK:      Reason="the filter of a branch is shared"
// CHECK-LABEL: cg.graph @shared(
// CHECK-COUNT-2: cg.conv2d
cg.graph @shared(%x: tensor<1x2x9x9xf32>) -> tensor<1x2x9x9xf32> {
  %a = cg.parameter "a" : tensor<2x2x3x3xf32>
  %0 = cg.conv2d %x, %a pads [1, 1, 1, 1] : tensor<1x2x9x9xf32>, tensor<2x2x3x3xf32>
  %1 = cg.conv2d %x, %a pads [2, 2, 2, 2] dilations [2, 2] : tensor<1x2x9x9xf32>, tensor<2x2x3x3xf32>
  %2 = cg.add %0, %1 : tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>
  cg.return %2 : tensor<1x2x9x9xf32>
}

// -----

// REMARK:      Reason="the branches have different groups: their sum is no scale by position alone"
// CHECK-LABEL: cg.graph @groups(
// CHECK-COUNT-2: cg.conv2d
cg.graph @groups(%x: tensor<1x2x9x9xf32>) -> tensor<1x2x9x9xf32> {
  %a = cg.parameter "a" : tensor<2x2x3x3xf32>
  %b = cg.parameter "b" : tensor<2x1x1x1xf32>
  %0 = cg.conv2d %x, %a pads [1, 1, 1, 1] : tensor<1x2x9x9xf32>, tensor<2x2x3x3xf32>
  %1 = cg.conv2d %x, %b groups 2 : tensor<1x2x9x9xf32>, tensor<2x1x1x1xf32>
  %2 = cg.add %0, %1 : tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>
  cg.return %2 : tensor<1x2x9x9xf32>
}

// -----

// REMARK:      Reason="no branch has some tap of the window, which would never learn"
// CHECK-LABEL: cg.graph @cross(
// CHECK-COUNT-2: cg.conv2d
cg.graph @cross(%x: tensor<1x2x9x9xf32>) -> tensor<1x2x9x9xf32> {
  %b = cg.parameter "b" : tensor<2x2x1x3xf32>
  %c = cg.parameter "c" : tensor<2x2x3x1xf32>
  %0 = cg.conv2d %x, %b pads [0, 1, 0, 1] : tensor<1x2x9x9xf32>, tensor<2x2x1x3xf32>
  %1 = cg.conv2d %x, %c pads [1, 0, 1, 0] : tensor<1x2x9x9xf32>, tensor<2x2x3x1xf32>
  %2 = cg.add %0, %1 : tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>
  cg.return %2 : tensor<1x2x9x9xf32>
}

// -----

// Parameters of one path are one, also where they are several ops.

// CHECK-LABEL: cg.graph @shared_path(
// CHECK-COUNT-2: cg.conv2d
cg.graph @shared_path(%x: tensor<1x2x9x9xf32>) -> tensor<1x2x9x9xf32> {
  %a = cg.parameter "a" : tensor<2x2x3x3xf32>
  %b = cg.parameter "a" : tensor<2x2x3x3xf32>
  %0 = cg.conv2d %x, %a pads [1, 1, 1, 1] : tensor<1x2x9x9xf32>, tensor<2x2x3x3xf32>
  %1 = cg.conv2d %x, %b pads [1, 1, 1, 1] : tensor<1x2x9x9xf32>, tensor<2x2x3x3xf32>
  %2 = cg.add %0, %1 : tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>
  cg.return %2 : tensor<1x2x9x9xf32>
}

// -----

// REMARK:      Reason="the gradient of a branch is scaled already"
// CHECK-LABEL: cg.graph @scaled_already(
// CHECK-COUNT-2: cg.conv2d
cg.graph @scaled_already(%x: tensor<1x2x9x9xf32>) -> tensor<1x2x9x9xf32> {
  %a = cg.parameter "a" {cg.gradient_scale = dense<7.0> : tensor<3x3xf64>} : tensor<2x2x3x3xf32>
  %b = cg.parameter "b" : tensor<2x2x1x1xf32>
  %0 = cg.conv2d %x, %a pads [1, 1, 1, 1] : tensor<1x2x9x9xf32>, tensor<2x2x3x3xf32>
  %1 = cg.conv2d %x, %b : tensor<1x2x9x9xf32>, tensor<2x2x1x1xf32>
  %2 = cg.add %0, %1 : tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>
  cg.return %2 : tensor<1x2x9x9xf32>
}

// -----

// REMARK:      Reason="an image is broadcast"
// REMARK:      Reason="a factor of a branch is not finite"
// CHECK-LABEL: cg.graph @broadcast(
// CHECK-COUNT-4: cg.conv2d
cg.graph @broadcast(%x: tensor<1x2x9x9xf32>) -> (tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>) {
  %a = cg.parameter "a" : tensor<1x2x3x3xf32>
  %b = cg.parameter "b" : tensor<2x2x1x1xf32>
  %c = cg.parameter "c" : tensor<2x2x3x3xf32>
  %d = cg.parameter "d" : tensor<2x2x3x3xf32>
  %f = cg.constant dense<[[[1.0]], [[2.0]]]> : tensor<2x1x1xf32>
  %inf = cg.constant dense<0x7F800000> : tensor<f32>
  %0 = cg.conv2d %x, %a pads [1, 1, 1, 1] : tensor<1x2x9x9xf32>, tensor<1x2x3x3xf32>
  %1 = cg.mul %0, %f : tensor<1x1x9x9xf32>, tensor<2x1x1xf32>
  %2 = cg.conv2d %x, %b : tensor<1x2x9x9xf32>, tensor<2x2x1x1xf32>
  %3 = cg.add %1, %2 : tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>
  %4 = cg.conv2d %x, %c pads [1, 1, 1, 1] : tensor<1x2x9x9xf32>, tensor<2x2x3x3xf32>
  %5 = cg.mul %4, %inf : tensor<1x2x9x9xf32>, tensor<f32>
  %6 = cg.conv2d %x, %d pads [1, 1, 1, 1] : tensor<1x2x9x9xf32>, tensor<2x2x3x3xf32>
  %7 = cg.add %5, %6 : tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>
  cg.return %3, %7 : tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>
}

// -----

// Nothing reads the sum.

// CHECK-LABEL: cg.graph @dead(
// CHECK-NEXT:    cg.return
cg.graph @dead(%x: tensor<1x2x9x9xf32>) -> tensor<1x2x9x9xf32> {
  %a = cg.parameter "a" : tensor<2x2x3x3xf32>
  %b = cg.parameter "b" : tensor<2x2x1x1xf32>
  %0 = cg.conv2d %x, %a pads [1, 1, 1, 1] : tensor<1x2x9x9xf32>, tensor<2x2x3x3xf32>
  %1 = cg.conv2d %x, %b : tensor<1x2x9x9xf32>, tensor<2x2x1x1xf32>
  %2 = cg.add %0, %1 : tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>
  cg.return %x : tensor<1x2x9x9xf32>
}
