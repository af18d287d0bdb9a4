// A block without a norm leaves norm and bias of the network behind it. Paths choose what is expanded.
// RUN: espalier-opt %s --cg-expand-branches="block=%S/Inputs/blocks.esp:pair paths=conv?.weight" | FileCheck %s
// RUN: espalier-opt %s --cg-expand-branches="block=%S/Inputs/blocks.esp:pair initialize=preserve" | FileCheck %s --check-prefix=PRESERVE

// CHECK-LABEL: cg.graph @net(
// CHECK:         %[[MAIN:.+]] = cg.conv2d %{{.+}}
// CHECK:         cg.parameter "conv1.twin.weight" {{.*}} init #cg.fill<5.0
// CHECK:         %[[TWIN:.+]] = cg.conv2d
// CHECK:         %[[SUM:.+]] = cg.add %[[MAIN]], %[[TWIN]]
// CHECK:         %[[BIASED:.+]] = cg.add %[[SUM]], %{{.+}} : tensor<2x4x8x8xf32>, tensor<4x1x1xf32>
// CHECK:         cg.batch_norm %[[BIASED]]
// CHECK-NOT:     twin
// PRESERVE:      cg.parameter "conv1.twin.weight" {{.*}} init #cg.fill<0.0
// PRESERVE:      cg.parameter "other.twin.weight" {{.*}} init #cg.fill<0.0
cg.graph @net(%x: tensor<2x4x8x8xf32>) -> tensor<2x4x8x8xf32> {
  %w = cg.parameter "conv1.weight" : tensor<4x4x3x3xf32>
  %y = cg.conv2d %x, %w pads [1, 1, 1, 1] : tensor<2x4x8x8xf32>, tensor<4x4x3x3xf32>
  %b = cg.parameter "conv1.bias" : tensor<4xf32>
  %b1 = cg.reshape %b {shape = array<i64: 4, 1, 1>} : tensor<4xf32>
  %y1 = cg.add %y, %b1 : tensor<2x4x8x8xf32>, tensor<4x1x1xf32>
  %scale = cg.parameter "bn.weight" : tensor<4xf32>
  %shift = cg.parameter "bn.bias" : tensor<4xf32>
  %mean = cg.state "bn.running_mean" : tensor<4xf32>
  %var = cg.state "bn.running_var" : tensor<4xf32>
  %z = cg.batch_norm %y1, %scale, %shift, %mean, %var {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<2x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  %w2 = cg.parameter "other.weight" : tensor<4x4x3x3xf32>
  %r = cg.conv2d %z, %w2 pads [1, 1, 1, 1] : tensor<2x4x8x8xf32>, tensor<4x4x3x3xf32>
  cg.return %r : tensor<2x4x8x8xf32>
}
