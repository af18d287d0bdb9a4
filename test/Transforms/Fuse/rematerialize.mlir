// RUN: espalier-opt %s --cg-rematerialize --split-input-file | FileCheck %s

// An activation behind a scale, once for the kernels that compute on the fly and once for the filter's gradient; only
// the convolution's result and the scale live until then.
// CHECK-LABEL: cg.graph @activation(
// CHECK:         %[[X:.+]] = cg.conv2d
// CHECK:         %[[S:.+]] = cg.mul %[[X]], %[[SCALE:.+]] :
// CHECK:         %[[Y:.+]] = cg.relu %[[S]]
// CHECK:         cg.conv2d %[[Y]],
// CHECK:         %[[S2:.+]] = cg.mul %[[X]], %[[SCALE]] :
// CHECK:         %[[Y2:.+]] = cg.relu %[[S2]]
// CHECK:         cg.conv2d_filter_gradient %[[Y2]],
// CHECK:         %[[S3:.+]] = cg.mul %[[X]], %[[SCALE]] :
// CHECK:         %[[Y3:.+]] = cg.relu %[[S3]]
// CHECK:         cg.mul %{{.+}}, %[[Y3]]
cg.graph @activation(%image: tensor<4x8x16x16xf32>, %w: tensor<8x8x1x1xf32>, %wide: tensor<32x8x1x1xf32>,
                     %scale: tensor<8x1x1xf32>) -> (tensor<32x8x1x1xf32>, tensor<8x8x1x1xf32>) {
  %x = cg.conv2d %image, %w : tensor<4x8x16x16xf32>, tensor<8x8x1x1xf32>
  %s = cg.mul %x, %scale : tensor<4x8x16x16xf32>, tensor<8x1x1xf32>
  %y = cg.relu %s : tensor<4x8x16x16xf32>
  %z = cg.conv2d %y, %wide : tensor<4x8x16x16xf32>, tensor<32x8x1x1xf32>
  %d = cg.mul %z, %z : tensor<4x32x16x16xf32>, tensor<4x32x16x16xf32>
  %dy = cg.conv2d_input_gradient %d, %wide, %image : tensor<4x32x16x16xf32>, tensor<32x8x1x1xf32>, tensor<4x8x16x16xf32>
  %g = cg.conv2d_filter_gradient %y, %d, %wide : tensor<4x8x16x16xf32>, tensor<4x32x16x16xf32>, tensor<32x8x1x1xf32>
  %m = cg.mul %dy, %y : tensor<4x8x16x16xf32>, tensor<4x8x16x16xf32>
  %n = cg.mul %m, %x : tensor<4x8x16x16xf32>, tensor<4x8x16x16xf32>
  %h = cg.conv2d_filter_gradient %image, %n, %w : tensor<4x8x16x16xf32>, tensor<4x8x16x16xf32>, tensor<8x8x1x1xf32>
  cg.return %g, %h : tensor<32x8x1x1xf32>, tensor<8x8x1x1xf32>
}

// -----

// Near miss: nothing else reads the convolution's result so late, which would have to live longer instead.
// CHECK-LABEL:   cg.graph @source_is_gone(
// CHECK-COUNT-1: cg.relu
// CHECK-NOT:     cg.relu
cg.graph @source_is_gone(%image: tensor<4x8x16x16xf32>, %w: tensor<8x8x1x1xf32>, %wide: tensor<32x8x1x1xf32>,
                         %scale: tensor<8x1x1xf32>) -> tensor<32x8x1x1xf32> {
  %x = cg.conv2d %image, %w : tensor<4x8x16x16xf32>, tensor<8x8x1x1xf32>
  %s = cg.mul %x, %scale : tensor<4x8x16x16xf32>, tensor<8x1x1xf32>
  %y = cg.relu %s : tensor<4x8x16x16xf32>
  %z = cg.conv2d %y, %wide : tensor<4x8x16x16xf32>, tensor<32x8x1x1xf32>
  %d = cg.mul %z, %z : tensor<4x32x16x16xf32>, tensor<4x32x16x16xf32>
  %g = cg.conv2d_filter_gradient %y, %d, %wide : tensor<4x8x16x16xf32>, tensor<4x32x16x16xf32>, tensor<32x8x1x1xf32>
  cg.return %g : tensor<32x8x1x1xf32>
}

// -----

// Near miss: an exponential costs more than the memory is worth.
// CHECK-LABEL:   cg.graph @expensive(
// CHECK-COUNT-1: cg.exp
// CHECK-NOT:     cg.exp
cg.graph @expensive(%image: tensor<4x8x16x16xf32>, %w: tensor<8x8x1x1xf32>, %wide: tensor<32x8x1x1xf32>)
    -> (tensor<32x8x1x1xf32>, tensor<4x8x16x16xf32>) {
  %x = cg.conv2d %image, %w : tensor<4x8x16x16xf32>, tensor<8x8x1x1xf32>
  %y = cg.exp %x : tensor<4x8x16x16xf32>
  %z = cg.conv2d %y, %wide : tensor<4x8x16x16xf32>, tensor<32x8x1x1xf32>
  %d = cg.mul %z, %z : tensor<4x32x16x16xf32>, tensor<4x32x16x16xf32>
  %n = cg.conv2d_input_gradient %d, %wide, %image : tensor<4x32x16x16xf32>, tensor<32x8x1x1xf32>, tensor<4x8x16x16xf32>
  %g = cg.conv2d_filter_gradient %y, %d, %wide : tensor<4x8x16x16xf32>, tensor<4x32x16x16xf32>, tensor<32x8x1x1xf32>
  %m = cg.mul %n, %x : tensor<4x8x16x16xf32>, tensor<4x8x16x16xf32>
  cg.return %g, %m : tensor<32x8x1x1xf32>, tensor<4x8x16x16xf32>
}
