// RUN: espalier-opt %s --split-input-file --cg-fold-branches=online | FileCheck %s
// RUN: espalier-opt %s --split-input-file --cg-fold-branches=online --remarks-filter=cg-fold-branches 2>&1 | FileCheck %s --check-prefix=REMARK

// In training a batch norm takes the statistics of the batch: nothing is folded across it.

// REMARK:      Reason="a batch norm takes the statistics of the batch in training"
// CHECK-LABEL: cg.graph @norms(
// CHECK-COUNT-2: cg.batch_norm
// CHECK:         cg.return
cg.graph @norms(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %w = cg.parameter "w" : tensor<8x8x3x3xf32>
  %scale = cg.parameter "scale" : tensor<8xf32>
  %shift = cg.parameter "shift" : tensor<8xf32>
  %mean = cg.state "mean" : tensor<8xf32>
  %variance = cg.state "variance" : tensor<8xf32>
  %0 = cg.conv2d %x, %w pads [1, 1, 1, 1] : tensor<1x8x9x9xf32>, tensor<8x8x3x3xf32>
  %1 = cg.batch_norm %0, %scale, %shift, %mean, %variance {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<1x8x9x9xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  %2 = cg.batch_norm %x, %scale, %shift, %mean, %variance {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<1x8x9x9xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  %3 = cg.add %1, %2 : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
  cg.return %3 : tensor<1x8x9x9xf32>
}

// -----

// What lies before one norm is.

// CHECK-LABEL: cg.graph @before_norm(
// CHECK-COUNT-1: cg.conv2d
// CHECK-NOT:     cg.conv2d
// CHECK:         cg.batch_norm
cg.graph @before_norm(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %w = cg.parameter "w" : tensor<8x8x3x3xf32>
  %v = cg.parameter "v" : tensor<8x8x1x1xf32>
  %scale = cg.parameter "scale" : tensor<8xf32>
  %shift = cg.parameter "shift" : tensor<8xf32>
  %mean = cg.state "mean" : tensor<8xf32>
  %variance = cg.state "variance" : tensor<8xf32>
  %0 = cg.conv2d %x, %w pads [1, 1, 1, 1] : tensor<1x8x9x9xf32>, tensor<8x8x3x3xf32>
  %1 = cg.conv2d %x, %v : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  %2 = cg.add %0, %1 : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
  %3 = cg.batch_norm %2, %scale, %shift, %mean, %variance {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<1x8x9x9xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  cg.return %3 : tensor<1x8x9x9xf32>
}
