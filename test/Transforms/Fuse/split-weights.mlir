// RUN: espalier-opt %s --cg-decompose=fold-scales --cse --cg-split-weights --split-input-file | FileCheck %s

// The scale of the norm goes into the filter, and all that depends on weights into @prepare.
// CHECK-LABEL: cg.graph @prepare(
// CHECK-SAME:    tensor<8x3x3x3xf32> {cg.path = "conv.weight", cg.role = "parameter"}
// CHECK-SAME:    {cg.name = "packed0", cg.role = "output"}
// CHECK:         cg.rsqrt
// CHECK:         cg.return %{{.+}}, %{{.+}} : tensor<8x3x3x3xf32>, tensor<8xf32>
// CHECK-LABEL: cg.graph @forward(
// CHECK-SAME:    %[[X:.+]]: tensor<1x3x8x8xf32> {cg.name = "x", cg.role = "input"},
// CHECK-SAME:    %[[W:.+]]: tensor<8x3x3x3xf32> {cg.name = "packed0", cg.role = "packed"},
// CHECK-SAME:    %[[B:.+]]: tensor<8xf32> {cg.name = "packed1", cg.role = "packed"})
// CHECK-DAG:     %[[S:.+]] = cg.reshape %[[B]] {shape = array<i64: 8, 1, 1>}
// CHECK-DAG:     %[[Y:.+]] = cg.conv2d %[[X]], %[[W]]
// CHECK:         %[[Z:.+]] = cg.add %[[Y]], %[[S]]
// CHECK:         cg.return %[[Z]]
cg.graph @forward(%x: tensor<1x3x8x8xf32> {cg.name = "x", cg.role = "input"},
                  %w: tensor<8x3x3x3xf32> {cg.path = "conv.weight", cg.role = "parameter"},
                  %s: tensor<8xf32> {cg.path = "bn.weight", cg.role = "parameter"},
                  %b: tensor<8xf32> {cg.path = "bn.bias", cg.role = "parameter"},
                  %m: tensor<8xf32> {cg.path = "bn.running_mean", cg.role = "state"},
                  %v: tensor<8xf32> {cg.path = "bn.running_var", cg.role = "state"}) -> tensor<1x8x6x6xf32> {
  %0 = cg.conv2d %x, %w : tensor<1x3x8x8xf32>, tensor<8x3x3x3xf32>
  %1 = cg.batch_norm_inference %0, %s, %b, %m, %v {epsilon = 1.0e-05 : f64} : tensor<1x8x6x6xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  cg.return %1 : tensor<1x8x6x6xf32>
}

// -----

// Near miss: weights that a result replaces are not constant.
// CHECK-LABEL: cg.graph @step(
// CHECK:         cg.exp
// CHECK-NOT:   cg.graph @prepare
cg.graph @step(%x: tensor<4xf32> {cg.role = "input"}, %w: tensor<4xf32> {cg.path = "w", cg.role = "parameter"})
    -> (tensor<4xf32> {cg.tied = 1 : i64}) {
  %0 = cg.exp %w : tensor<4xf32>
  %1 = cg.add %0, %x : tensor<4xf32>, tensor<4xf32>
  cg.return %1 : tensor<4xf32>
}

// -----

// Near miss: nothing but a reshape depends on weights alone.
// CHECK-NOT:   cg.graph @prepare
// CHECK-LABEL: cg.graph @reshaped(
// CHECK:         cg.reshape
cg.graph @reshaped(%x: tensor<4x1xf32> {cg.role = "input"}, %w: tensor<4xf32> {cg.path = "w", cg.role = "parameter"})
    -> tensor<4x1xf32> {
  %0 = cg.reshape %w {shape = array<i64: 4, 1>} : tensor<4xf32>
  %1 = cg.add %0, %x : tensor<4x1xf32>, tensor<4x1xf32>
  cg.return %1 : tensor<4x1xf32>
}
