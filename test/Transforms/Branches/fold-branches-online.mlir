// RUN: espalier-opt %s --split-input-file --cg-fold-branches=online | FileCheck %s
// RUN: espalier-opt %s --split-input-file --cg-fold-branches=online --remarks-filter=cg-fold-branches 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: espalier-opt %s --split-input-file --cg-fold-branches='online norms=after' | FileCheck %s --check-prefix=AFTER

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

// -----

// CHECK-LABEL: cg.graph @moved(
// AFTER-LABEL: cg.graph @moved(
// AFTER-SAME:    %[[X:[a-z0-9]+]]:
// AFTER-DAG:     %[[W:.+]] = cg.parameter "w" :
// AFTER-DAG:     %[[S:.+]] = cg.parameter "s" :
// AFTER-DAG:     %[[B:.+]] = cg.parameter "b" :
// AFTER-DAG:     %[[M:.+]] = cg.state "m" :
// AFTER-DAG:     %[[V:.+]] = cg.state "v" :
// AFTER-DAG:     %[[U:.+]] = cg.parameter "u" :
// AFTER-DAG:     %[[T:.+]] = cg.parameter "t" :
// AFTER:         %[[COLUMN:.+]] = cg.reshape %[[T]]
// AFTER:         %[[SCALED:.+]] = cg.mul %[[U]], %[[COLUMN]]
// AFTER:         %[[WIDE:.+]] = cg.pad %[[SCALED]]
// AFTER:         %[[FILTER:.+]] = cg.add %[[WIDE]], %[[W]]
// AFTER:         %[[Y:.+]] = cg.conv2d %[[X]], %[[FILTER]] pads [1, 1, 1, 1]
// AFTER:         cg.batch_norm %[[Y]], %[[S]], %[[B]], %[[M]], %[[V]]
// AFTER-NOT:     cg.batch_norm
cg.graph @moved(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %u = cg.parameter "u" : tensor<8x8x1x1xf32>
  %t = cg.parameter "t" : tensor<8xf32>
  %c = cg.parameter "c" : tensor<8xf32>
  %n = cg.state "n" : tensor<8xf32>
  %z = cg.state "z" : tensor<8xf32>
  %w = cg.parameter "w" : tensor<8x8x3x3xf32>
  %s = cg.parameter "s" : tensor<8xf32>
  %b = cg.parameter "b" : tensor<8xf32>
  %m = cg.state "m" : tensor<8xf32>
  %v = cg.state "v" : tensor<8xf32>
  %0 = cg.conv2d %x, %u : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  %1 = cg.batch_norm %0, %t, %c, %n, %z {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<1x8x9x9xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  %2 = cg.conv2d %x, %w pads [1, 1, 1, 1] : tensor<1x8x9x9xf32>, tensor<8x8x3x3xf32>
  %3 = cg.batch_norm %2, %s, %b, %m, %v {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<1x8x9x9xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  %4 = cg.add %1, %3 : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
  cg.return %4 : tensor<1x8x9x9xf32>
}

// -----

// The shortcut of a residual network stays beside the branches, and so does a branch from another image.

// AFTER-LABEL: cg.graph @residual(
// AFTER-SAME:    %[[X:[a-z0-9]+]]: {{.+}}, %[[Z:[a-z0-9]+]]:
// AFTER:         %[[SHORT:.+]] = cg.batch_norm %[[Z]],
// AFTER:         %[[Y:.+]] = cg.conv2d %[[X]],
// AFTER:         %[[BLOCK:.+]] = cg.batch_norm %[[Y]],
// AFTER:         %[[SUM:.+]] = cg.add %[[X]], %[[BLOCK]]
// AFTER:         cg.add %[[SUM]], %[[SHORT]]
cg.graph @residual(%x: tensor<1x8x9x9xf32>, %z: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %w = cg.parameter "w" : tensor<8x8x3x3xf32>
  %u = cg.parameter "u" : tensor<8x8x1x1xf32>
  %s = cg.parameter "s" : tensor<8xf32>
  %b = cg.parameter "b" : tensor<8xf32>
  %m = cg.state "m" : tensor<8xf32>
  %v = cg.state "v" : tensor<8xf32>
  %0 = cg.conv2d %x, %w pads [1, 1, 1, 1] : tensor<1x8x9x9xf32>, tensor<8x8x3x3xf32>
  %1 = cg.batch_norm %0, %s, %b, %m, %v {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<1x8x9x9xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  %2 = cg.conv2d %x, %u : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  %3 = cg.batch_norm %2, %s, %b, %m, %v {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<1x8x9x9xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  %4 = cg.batch_norm %z, %s, %b, %m, %v {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<1x8x9x9xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  %5 = cg.add %1, %3 : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
  %6 = cg.add %5, %x : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
  %7 = cg.add %6, %4 : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
  cg.return %7 : tensor<1x8x9x9xf32>
}

// -----

// A single norm stays where it is.

// AFTER-LABEL: cg.graph @without_norm(
// AFTER:         %[[Y:.+]] = cg.batch_norm
// AFTER:         cg.add %[[Y]],
cg.graph @without_norm(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %s = cg.parameter "s" : tensor<8xf32>
  %b = cg.parameter "b" : tensor<8xf32>
  %m = cg.state "m" : tensor<8xf32>
  %v = cg.state "v" : tensor<8xf32>
  %1 = cg.batch_norm %x, %s, %b, %m, %v {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<1x8x9x9xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  %2 = cg.add %1, %x : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
  cg.return %2 : tensor<1x8x9x9xf32>
}
