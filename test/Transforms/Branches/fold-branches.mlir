// RUN: espalier-opt %s --split-input-file --cg-fold-branches --canonicalize | FileCheck %s
// RUN: espalier-opt %s --split-input-file --cg-fold-branches --cg-fold-branches --canonicalize | FileCheck %s

// A convolution and its batch norm: a scaled filter, and a bias.

// CHECK-LABEL: cg.graph @conv_norm(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<?x8x?x?xf32>
// CHECK-DAG:     %[[W:.+]] = cg.parameter "w"
// CHECK-DAG:     %[[SCALE:.+]] = cg.parameter "scale"
// CHECK-DAG:     %[[SHIFT:.+]] = cg.parameter "shift"
// CHECK-DAG:     %[[MEAN:.+]] = cg.state "mean"
// CHECK-DAG:     %[[VARIANCE:.+]] = cg.state "variance"
// CHECK:         %[[STABLE:.+]] = cg.add %[[VARIANCE]], %
// CHECK:         %[[ROOT:.+]] = cg.rsqrt %[[STABLE]]
// CHECK:         %[[FACTOR:.+]] = cg.mul %[[SCALE]], %[[ROOT]]
// CHECK:         %[[COLUMN:.+]] = cg.reshape %[[FACTOR]] {shape = array<i64: 16, 1, 1, 1>}
// CHECK:         %[[FILTER:.+]] = cg.mul %[[W]], %[[COLUMN]]
// CHECK:         %[[PART:.+]] = cg.mul %[[MEAN]], %[[FACTOR]]
// CHECK:         %[[BIAS:.+]] = cg.sub %[[SHIFT]], %[[PART]]
// CHECK:         %[[Y:.+]] = cg.conv2d %[[X]], %[[FILTER]] strides [2, 2] pads [1, 1, 1, 1]
// CHECK:         %[[B:.+]] = cg.reshape %[[BIAS]] {shape = array<i64: 16, 1, 1>}
// CHECK:         cg.add %[[Y]], %[[B]]
// CHECK-NOT:     cg.batch_norm
cg.graph @conv_norm(%x: tensor<?x8x?x?xf32>) -> tensor<?x16x?x?xf32> {
  %w = cg.parameter "w" : tensor<16x8x3x3xf32>
  %scale = cg.parameter "scale" : tensor<16xf32>
  %shift = cg.parameter "shift" : tensor<16xf32>
  %mean = cg.state "mean" : tensor<16xf32>
  %variance = cg.state "variance" : tensor<16xf32>
  %0 = cg.conv2d %x, %w strides [2, 2] pads [1, 1, 1, 1] : tensor<?x8x?x?xf32>, tensor<16x8x3x3xf32>
  %1 = cg.batch_norm %0, %scale, %shift, %mean, %variance {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<?x16x?x?xf32>, tensor<16xf32>, tensor<16xf32>, tensor<16xf32>, tensor<16xf32>
  cg.return %1 : tensor<?x16x?x?xf32>
}

// -----

// Windows of different sizes, dilations and groups, an identity and an average pool.

// CHECK-LABEL: cg.graph @sum(
// CHECK-SAME:    %[[X:[a-z0-9]+]]:
// CHECK-COUNT-1: cg.conv2d %[[X]], %{{.+}} pads [2, 2, 2, 2] : tensor<1x8x9x9xf32>, tensor<8x8x5x5xf32>
// CHECK-NOT:     cg.conv2d
// CHECK-NOT:     cg.avg_pool2d
// CHECK:         cg.return
cg.graph @sum(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %a = cg.parameter "a" : tensor<8x8x5x5xf32>
  %b = cg.parameter "b" : tensor<8x4x3x3xf32>
  %c = cg.parameter "c" : tensor<8x1x1x3xf32>
  %0 = cg.conv2d %x, %a pads [2, 2, 2, 2] : tensor<1x8x9x9xf32>, tensor<8x8x5x5xf32>
  %1 = cg.conv2d %x, %b pads [2, 2, 2, 2] dilations [2, 2] groups 2 : tensor<1x8x9x9xf32>, tensor<8x4x3x3xf32>
  %2 = cg.conv2d %x, %c pads [0, 1, 0, 1] groups 8 : tensor<1x8x9x9xf32>, tensor<8x1x1x3xf32>
  %3 = cg.avg_pool2d %x kernel [3, 3] strides [1, 1] pads [1, 1, 1, 1] : tensor<1x8x9x9xf32>
  %4 = cg.add %0, %1 : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
  %5 = cg.add %2, %3 : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
  %6 = cg.add %4, %5 : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
  %7 = cg.sub %6, %x : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
  cg.return %7 : tensor<1x8x9x9xf32>
}

// -----

// Parts of the channels side by side are groups.

// CHECK-LABEL: cg.graph @groups(
// CHECK-SAME:    %[[X:[a-z0-9]+]]:
// CHECK:         %[[W:.+]] = cg.concat
// CHECK:         cg.conv2d %[[X]], %[[W]] groups 2 : tensor<1x8x9x9xf32>, tensor<6x4x3x3xf32>
// CHECK-NOT:     cg.slice %[[X]]
cg.graph @groups(%x: tensor<1x8x9x9xf32>) -> tensor<1x6x7x7xf32> {
  %a = cg.parameter "a" : tensor<3x4x3x3xf32>
  %b = cg.parameter "b" : tensor<3x4x3x3xf32>
  %0 = cg.slice %x {axis = 1 : i64, start = 0 : i64, end = 4 : i64, stride = 1 : i64} : tensor<1x8x9x9xf32>
  %1 = cg.slice %x {axis = 1 : i64, start = 4 : i64, end = 8 : i64, stride = 1 : i64} : tensor<1x8x9x9xf32>
  %2 = cg.conv2d %0, %a : tensor<1x4x9x9xf32>, tensor<3x4x3x3xf32>
  %3 = cg.conv2d %1, %b : tensor<1x4x9x9xf32>, tensor<3x4x3x3xf32>
  %4 = cg.concat %2, %3 {axis = 1 : i64} : tensor<1x3x7x7xf32>, tensor<1x3x7x7xf32>
  cg.return %4 : tensor<1x6x7x7xf32>
}

// -----

// A function of another compiler.

// CHECK-LABEL: func.func @function(
// CHECK-COUNT-1: cg.conv2d
// CHECK-NOT:     cg.conv2d
// CHECK:         return
func.func @function(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %a = cg.parameter "a" : tensor<8x8x3x3xf32>
  %b = cg.parameter "b" : tensor<8x8x1x1xf32>
  %0 = cg.conv2d %x, %a pads [1, 1, 1, 1] : tensor<1x8x9x9xf32>, tensor<8x8x3x3xf32>
  %1 = cg.conv2d %x, %b : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  %2 = cg.add %0, %1 : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
  return %2 : tensor<1x8x9x9xf32>
}

// -----

// Only some of the branches pay: the pair of 1x1 does, the bottleneck stays.

// CHECK-LABEL: cg.graph @best_part(
// CHECK-SAME:    %[[X:[a-z0-9]+]]:
// CHECK-DAG:     %[[SUM:.+]] = cg.add %{{.+}}, %{{.+}} : tensor<8x8x1x1xf32>, tensor<8x8x1x1xf32>
// CHECK-DAG:     %[[NARROW:.+]] = cg.conv2d %[[X]], %{{.+}} pads [2, 2, 2, 2]
// CHECK-DAG:     %[[WIDE:.+]] = cg.conv2d %[[NARROW]], %
// CHECK-DAG:     %[[MERGED:.+]] = cg.conv2d %[[X]], %[[SUM]] :
// CHECK:         cg.add %[[MERGED]], %[[WIDE]]
cg.graph @best_part(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %a = cg.parameter "a" : tensor<8x8x1x1xf32>
  %b = cg.parameter "b" : tensor<8x8x1x1xf32>
  %c = cg.parameter "c" : tensor<1x8x5x5xf32>
  %d = cg.parameter "d" : tensor<8x1x1x1xf32>
  %0 = cg.conv2d %x, %a : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  %1 = cg.conv2d %x, %b : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  %2 = cg.conv2d %x, %c pads [2, 2, 2, 2] : tensor<1x8x9x9xf32>, tensor<1x8x5x5xf32>
  %3 = cg.conv2d %2, %d : tensor<1x1x9x9xf32>, tensor<8x1x1x1xf32>
  %4 = cg.add %0, %3 : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
  %5 = cg.add %4, %1 : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
  cg.return %5 : tensor<1x8x9x9xf32>
}

// -----

// The border of a 1x1 convolution is its own bias.

// CHECK-LABEL: cg.graph @padded_with_bias(
// CHECK-SAME:    %[[X:[a-z0-9]+]]:
// CHECK:         cg.conv2d %[[X]], %{{.+}} pads [1, 1, 1, 1] : tensor<1x8x9x9xf32>, tensor<8x8x3x3xf32>
// CHECK-NOT:     cg.conv2d
cg.graph @padded_with_bias(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %a = cg.parameter "a" : tensor<8x8x1x1xf32>
  %b = cg.parameter "b" : tensor<8xf32>
  %c = cg.parameter "c" : tensor<8x8x3x3xf32>
  %column = cg.reshape %b {shape = array<i64: 8, 1, 1>} : tensor<8xf32>
  %0 = cg.conv2d %x, %a : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  %1 = cg.add %0, %column : tensor<1x8x9x9xf32>, tensor<8x1x1xf32>
  %2 = cg.sub %1, %column : tensor<1x8x9x9xf32>, tensor<8x1x1xf32>
  %3 = cg.pad %2 {low = array<i64: 0, 0, 1, 1>, high = array<i64: 0, 0, 1, 1>, value = 0.0 : f64} : tensor<1x8x9x9xf32>
  %4 = cg.add %3, %column : tensor<1x8x11x11xf32>, tensor<8x1x1xf32>
  %5 = cg.conv2d %4, %c : tensor<1x8x11x11xf32>, tensor<8x8x3x3xf32>
  cg.return %5 : tensor<1x8x9x9xf32>
}

// -----

// A value with two uses inside the region alone.

// CHECK-LABEL: cg.graph @used_twice_inside(
// CHECK-SAME:    %[[X:[a-z0-9]+]]:
// CHECK:         %[[Y:.+]] = cg.conv2d %[[X]], %
// CHECK-NEXT:    cg.return %[[Y]]
cg.graph @used_twice_inside(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x7x7xf32> {
  %a = cg.parameter "a" : tensor<8x8x3x3xf32>
  %b = cg.parameter "b" : tensor<8x1x1xf32>
  %0 = cg.conv2d %x, %a : tensor<1x8x9x9xf32>, tensor<8x8x3x3xf32>
  %1 = cg.mul %0, %b : tensor<1x8x7x7xf32>, tensor<8x1x1xf32>
  %2 = cg.add %0, %1 : tensor<1x8x7x7xf32>, tensor<1x8x7x7xf32>
  cg.return %2 : tensor<1x8x7x7xf32>
}

// -----

// Weights that are literals, as imported networks have them.

// CHECK-LABEL: cg.graph @literals(
// CHECK-COUNT-1: cg.conv2d
// CHECK-NOT:     cg.conv2d
// CHECK-NOT:     cg.batch_norm
cg.graph @literals(%x: tensor<1x2x9x9xf32>) -> tensor<1x2x9x9xf32> {
  %w = cg.constant dense<0.5> : tensor<2x2x3x3xf32>
  %v = cg.constant dense<0.25> : tensor<2x2x1x1xf32>
  %s = cg.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %0 = cg.conv2d %x, %w pads [1, 1, 1, 1] : tensor<1x2x9x9xf32>, tensor<2x2x3x3xf32>
  %1 = cg.batch_norm_inference %0, %s, %s, %s, %s {epsilon = 1.0e-05 : f64}
    : tensor<1x2x9x9xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
  %2 = cg.conv2d %x, %v : tensor<1x2x9x9xf32>, tensor<2x2x1x1xf32>
  %3 = cg.add %1, %2 : tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>
  cg.return %3 : tensor<1x2x9x9xf32>
}
