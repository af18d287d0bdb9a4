// RUN: not espalier-opt %s --cg-expand-branches=block=%S/Inputs/blocks.esp:framed 2>&1 | FileCheck %s

// The bias between convolution and norm goes before the norm of the block, whose image is smaller here.
// CHECK: error: cannot be expanded into the block '{{.*}}:framed': its bias does not fit 'tensor<2x4x6x6xf32>'
cg.graph @net(%x: tensor<2x4x8x8xf32>) -> tensor<2x4x8x8xf32> {
  %w = cg.parameter "conv.weight" : tensor<4x4x3x3xf32>
  %b = cg.parameter "conv.bias" : tensor<4xf32>
  %scale = cg.parameter "norm.weight" : tensor<4xf32>
  %shift = cg.parameter "norm.bias" : tensor<4xf32>
  %mean = cg.state "norm.running_mean" : tensor<4xf32>
  %variance = cg.state "norm.running_var" : tensor<4xf32>
  %0 = cg.conv2d %x, %w pads [1, 1, 1, 1] : tensor<2x4x8x8xf32>, tensor<4x4x3x3xf32>
  %1 = cg.reshape %b {shape = array<i64: 4, 1, 1>} : tensor<4xf32>
  %2 = cg.add %0, %1 : tensor<2x4x8x8xf32>, tensor<4x1x1xf32>
  %3 = cg.batch_norm %2, %scale, %shift, %mean, %variance {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<2x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  cg.return %3 : tensor<2x4x8x8xf32>
}
