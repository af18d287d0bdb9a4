// RUN: espalier-opt %s --split-input-file --cg-fold-branches | FileCheck %s
// RUN: espalier-opt %s --split-input-file --cg-fold-branches --remarks-filter=cg-fold-branches 2>&1 | FileCheck %s --check-prefix=REMARK

// MobileNetV2's linear bottleneck: a depthwise convolution, then a 1x1.

// REMARK:      remark: [Missed] not-folded {{.*}} Reason="it would take {{[0-9]+}} multiply-accumulates, and takes {{[0-9]+}}"
// CHECK-LABEL: cg.graph @linear_bottleneck(
// CHECK-COUNT-2: cg.conv2d
// CHECK:         cg.return
cg.graph @linear_bottleneck(%x: tensor<1x8x9x9xf32>) -> tensor<1x4x9x9xf32> {
  %a = cg.parameter "a" : tensor<8x1x3x3xf32>
  %b = cg.parameter "b" : tensor<4x8x1x1xf32>
  %0 = cg.conv2d %x, %a pads [1, 1, 1, 1] groups 8 : tensor<1x8x9x9xf32>, tensor<8x1x3x3xf32>
  %1 = cg.conv2d %0, %b : tensor<1x8x9x9xf32>, tensor<4x8x1x1xf32>
  cg.return %1 : tensor<1x4x9x9xf32>
}

// -----

// A pool of the whole image and a linear layer.

// CHECK-LABEL: cg.graph @pool_linear(
// CHECK:         cg.avg_pool2d
// CHECK:         cg.conv2d
cg.graph @pool_linear(%x: tensor<1x8x9x9xf32>) -> tensor<1x10x1x1xf32> {
  %w = cg.parameter "w" : tensor<10x8x1x1xf32>
  %0 = cg.avg_pool2d %x kernel [9, 9] : tensor<1x8x9x9xf32>
  %1 = cg.conv2d %0, %w : tensor<1x8x1x1xf32>, tensor<10x8x1x1xf32>
  cg.return %1 : tensor<1x10x1x1xf32>
}

// -----

// A bottleneck one channel wide.

// CHECK-LABEL: cg.graph @bottleneck(
// CHECK-COUNT-2: cg.conv2d
// CHECK:         cg.return
cg.graph @bottleneck(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %a = cg.parameter "a" : tensor<1x8x1x1xf32>
  %b = cg.parameter "b" : tensor<8x1x3x3xf32>
  %0 = cg.conv2d %x, %a : tensor<1x8x9x9xf32>, tensor<1x8x1x1xf32>
  %1 = cg.conv2d %0, %b pads [1, 1, 1, 1] : tensor<1x1x9x9xf32>, tensor<8x1x3x3xf32>
  cg.return %1 : tensor<1x8x9x9xf32>
}

// -----

// The image between is a result, too.

// REMARK:      Reason="the image before it has other uses"
// CHECK-LABEL: cg.graph @second_use(
// CHECK-COUNT-2: cg.conv2d
// CHECK:         cg.return
cg.graph @second_use(%x: tensor<1x8x9x9xf32>) -> (tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>) {
  %a = cg.parameter "a" : tensor<8x8x3x3xf32>
  %b = cg.parameter "b" : tensor<8x8x1x1xf32>
  %0 = cg.conv2d %x, %a pads [1, 1, 1, 1] : tensor<1x8x9x9xf32>, tensor<8x8x3x3xf32>
  %1 = cg.conv2d %0, %b : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  cg.return %0, %1 : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
}

// -----

// As @used_twice_inside, with a third use.

// CHECK-LABEL: cg.graph @used_outside(
// CHECK:         %[[Y:.+]] = cg.conv2d
// CHECK:         cg.relu %[[Y]]
// CHECK:         %[[Z:.+]] = cg.mul %[[Y]],
// CHECK:         cg.add %[[Y]], %[[Z]]
cg.graph @used_outside(%x: tensor<1x8x9x9xf32>) -> (tensor<1x8x7x7xf32>, tensor<1x8x7x7xf32>) {
  %a = cg.parameter "a" : tensor<8x8x3x3xf32>
  %b = cg.parameter "b" : tensor<8x1x1xf32>
  %0 = cg.conv2d %x, %a : tensor<1x8x9x9xf32>, tensor<8x8x3x3xf32>
  %r = cg.relu %0 : tensor<1x8x7x7xf32>
  %1 = cg.mul %0, %b : tensor<1x8x7x7xf32>, tensor<8x1x1xf32>
  %2 = cg.add %0, %1 : tensor<1x8x7x7xf32>, tensor<1x8x7x7xf32>
  cg.return %r, %2 : tensor<1x8x7x7xf32>, tensor<1x8x7x7xf32>
}

// -----

// REMARK:      Reason="an intermediate image with a bias is padded with zeros"
// CHECK-LABEL: cg.graph @biased_border(
// CHECK-COUNT-2: cg.conv2d
// CHECK:         cg.return
cg.graph @biased_border(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %a = cg.parameter "a" : tensor<8x8x1x1xf32>
  %b = cg.parameter "b" : tensor<8x1x1xf32>
  %c = cg.parameter "c" : tensor<8x8x3x3xf32>
  %0 = cg.conv2d %x, %a : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  %1 = cg.add %0, %b : tensor<1x8x9x9xf32>, tensor<8x1x1xf32>
  %2 = cg.conv2d %1, %c pads [1, 1, 1, 1] : tensor<1x8x9x9xf32>, tensor<8x8x3x3xf32>
  cg.return %2 : tensor<1x8x9x9xf32>
}

// -----

// Padded with another vector than its bias.

// CHECK-LABEL: cg.graph @other_border(
// CHECK-COUNT-2: cg.conv2d
// CHECK:         cg.return
cg.graph @other_border(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %a = cg.parameter "a" : tensor<8x8x1x1xf32>
  %b = cg.parameter "b" : tensor<8x1x1xf32>
  %d = cg.parameter "d" : tensor<8x1x1xf32>
  %c = cg.parameter "c" : tensor<8x8x3x3xf32>
  %0 = cg.conv2d %x, %a : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  %1 = cg.add %0, %b : tensor<1x8x9x9xf32>, tensor<8x1x1xf32>
  %2 = cg.sub %1, %d : tensor<1x8x9x9xf32>, tensor<8x1x1xf32>
  %3 = cg.pad %2 {low = array<i64: 0, 0, 1, 1>, high = array<i64: 0, 0, 1, 1>, value = 0.0 : f64} : tensor<1x8x9x9xf32>
  %4 = cg.add %3, %d : tensor<1x8x11x11xf32>, tensor<8x1x1xf32>
  %5 = cg.conv2d %4, %c : tensor<1x8x11x11xf32>, tensor<8x8x3x3xf32>
  cg.return %5 : tensor<1x8x9x9xf32>
}

// -----

// Zero padding around a 3x3 convolution, which is not zero beyond its border.

// REMARK:      Reason="zeros pad the rows of an intermediate image that is not zero beyond its border"
// CHECK-LABEL: cg.graph @padded_between(
// CHECK-COUNT-2: cg.conv2d
// CHECK:         cg.return
cg.graph @padded_between(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %a = cg.parameter "a" : tensor<8x8x3x3xf32>
  %b = cg.parameter "b" : tensor<8x8x1x1xf32>
  %0 = cg.conv2d %x, %a : tensor<1x8x9x9xf32>, tensor<8x8x3x3xf32>
  %1 = cg.conv2d %0, %b pads [1, 1, 1, 1] : tensor<1x8x7x7xf32>, tensor<8x8x1x1xf32>
  cg.return %1 : tensor<1x8x9x9xf32>
}

// -----

// REMARK:      Reason="the scale is not constant: it depends on the image"
// CHECK-LABEL: cg.graph @scaled_by_image(
// CHECK:         cg.mul
cg.graph @scaled_by_image(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %a = cg.parameter "a" : tensor<8x8x1x1xf32>
  %0 = cg.conv2d %x, %a : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  %1 = cg.mul %0, %x : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
  cg.return %1 : tensor<1x8x9x9xf32>
}

// -----

// REMARK:      Reason="a factor or summand changes with the position or the sample"
// CHECK-LABEL: cg.graph @scaled_by_position(
// CHECK:         cg.mul %{{.+}}, %{{.+}} : tensor<1x8x9x9xf32>, tensor<9x9xf32>
cg.graph @scaled_by_position(%x: tensor<1x8x9x9xf32>) -> tensor<1x8x9x9xf32> {
  %a = cg.parameter "a" : tensor<8x8x1x1xf32>
  %m = cg.parameter "m" : tensor<9x9xf32>
  %0 = cg.conv2d %x, %a : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  %1 = cg.mul %0, %m : tensor<1x8x9x9xf32>, tensor<9x9xf32>
  cg.return %1 : tensor<1x8x9x9xf32>
}

// -----

// One filter for two images: folding would make two of it.

// CHECK-LABEL: cg.graph @shared_filter(
// CHECK:         %[[W:.+]] = cg.parameter "w"
// CHECK:         cg.conv2d %{{.+}}, %[[W]]
// CHECK:         cg.conv2d %{{.+}}, %[[W]]
cg.graph @shared_filter(%x: tensor<1x8x9x9xf32>, %y: tensor<1x8x9x9xf32>)
    -> (tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>) {
  %w = cg.parameter "w" : tensor<8x8x1x1xf32>
  %a = cg.parameter "a" : tensor<8x1x1xf32>
  %b = cg.parameter "b" : tensor<8x1x1xf32>
  %0 = cg.conv2d %x, %w : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  %1 = cg.mul %0, %a : tensor<1x8x9x9xf32>, tensor<8x1x1xf32>
  %2 = cg.conv2d %y, %w : tensor<1x8x9x9xf32>, tensor<8x8x1x1xf32>
  %3 = cg.mul %2, %b : tensor<1x8x9x9xf32>, tensor<8x1x1xf32>
  cg.return %1, %3 : tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>
}

// -----

// Windows of absurd extent are left alone.

// REMARK:      Reason="the window or the filter would be too large"
// CHECK-LABEL: cg.graph @huge(
// CHECK-COUNT-2: cg.conv2d
// CHECK:         cg.return
cg.graph @huge(%x: tensor<1x1x9x9xf32>) -> tensor<1x1x70009x9xf32> {
  %a = cg.parameter "a" : tensor<1x1x1x1xf32>
  %b = cg.parameter "b" : tensor<1x1x1x1xf32>
  %0 = cg.conv2d %x, %a : tensor<1x1x9x9xf32>, tensor<1x1x1x1xf32>
  %1 = cg.conv2d %0, %b pads [70000, 0, 0, 0] : tensor<1x1x9x9xf32>, tensor<1x1x1x1xf32>
  cg.return %1 : tensor<1x1x70009x9xf32>
}
