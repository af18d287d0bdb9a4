// RUN: espalier-opt %s --split-input-file --cg-materialize-weights | FileCheck %s

// The filter keeps the path of the largest filter, the bias stands beside it. What is read as it is stays.

// CHECK-LABEL: cg.graph @net(
// CHECK-DAG:     %[[GAIN:.+]] = cg.parameter "gain"
// CHECK-DAG:     %[[W:.+]] = cg.parameter "block.a.weight" : tensor<8x8x3x3xf32>
// CHECK-DAG:     %[[B:.+]] = cg.parameter "block.a.bias" : tensor<8xf32>
// CHECK-NOT:     cg.parameter
// CHECK:         %[[Y:.+]] = cg.conv2d %{{.+}}, %[[W]]
// CHECK:         %[[COLUMN:.+]] = cg.reshape %[[B]]
// CHECK:         %[[Z:.+]] = cg.add %[[Y]], %[[COLUMN]]
// CHECK:         cg.mul %[[Z]], %[[GAIN]]
// CHECK-NOT:     cg.parameter
// CHECK:       cg.graph @net.weights() -> (tensor<8x8x3x3xf32> {cg.name = "block.a.weight"}, tensor<8xf32> {cg.name = "block.a.bias"})
// CHECK:         cg.parameter "block.a.weight"
// CHECK:         cg.parameter "block.b.weight"
// CHECK-NOT:     cg.parameter "gain"
cg.graph @net(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %a = cg.parameter "block.a.weight" : tensor<8x8x3x3xf32>
  %b = cg.parameter "block.b.weight" : tensor<8x8x1x1xf32>
  %c = cg.parameter "block.b.bias" : tensor<8xf32>
  %gain = cg.parameter "gain" : tensor<8x1x1xf32>
  %wide = cg.pad %b {low = array<i64: 0, 0, 1, 1>, high = array<i64: 0, 0, 1, 1>, value = 0.0 : f64} : tensor<8x8x1x1xf32>
  %filter = cg.add %a, %wide : tensor<8x8x3x3xf32>, tensor<8x8x3x3xf32>
  %bias = cg.neg %c : tensor<8xf32>
  %0 = cg.conv2d %x, %filter pads [1, 1, 1, 1] : tensor<1x8x9x9xf32>, tensor<8x8x3x3xf32>
  %column = cg.reshape %bias {shape = array<i64: 8, 1, 1>} : tensor<8xf32>
  %1 = cg.add %0, %column : tensor<1x8x9x9xf32>, tensor<8x1x1xf32>
  %2 = cg.mul %1, %gain : tensor<1x8x9x9xf32>, tensor<8x1x1xf32>
  cg.return %2 : tensor<1x8x9x9xf32>
}

// -----

// The path is taken by a parameter that goes on to be read.

// CHECK-LABEL: cg.graph @taken(
// CHECK-DAG:     cg.parameter "w" :
// CHECK-DAG:     cg.parameter "w.folded" :
cg.graph @taken(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %w = cg.parameter "w" : tensor<8x8x1x1xf32>
  %n = cg.neg %w : tensor<8x8x1x1xf32>
  %0 = cg.conv2d %x, %w : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  %1 = cg.conv2d %0, %n : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  cg.return %1 : tensor<1x8x9x9xf32>
}

// -----

// Several expressions of one filter.

// CHECK-LABEL: cg.graph @several(
// CHECK-DAG:     cg.parameter "w" :
// CHECK-DAG:     cg.parameter "w.folded" :
// CHECK-DAG:     cg.parameter "w.folded2" :
cg.graph @several(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %w = cg.parameter "w" : tensor<8x8x1x1xf32>
  %n = cg.neg %w : tensor<8x8x1x1xf32>
  %m = cg.mul %n, %w : tensor<8x8x1x1xf32>, tensor<8x8x1x1xf32>
  %k = cg.mul %m, %n : tensor<8x8x1x1xf32>, tensor<8x8x1x1xf32>
  %0 = cg.conv2d %x, %n : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  %1 = cg.conv2d %0, %m : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  %2 = cg.conv2d %1, %k : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  cg.return %2 : tensor<1x8x9x9xf32>
}

// -----

// CHECK-LABEL: cg.graph @nothing(
// CHECK-NOT:   cg.graph
cg.graph @nothing(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %w = cg.parameter "w" : tensor<8x8x1x1xf32>
  %0 = cg.conv2d %x, %w : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  cg.return %0 : tensor<1x8x9x9xf32>
}
