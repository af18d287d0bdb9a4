// RUN: espalier-opt %s --cg-estimate-gradient-scaling=temperature=5 --canonicalize --split-input-file | FileCheck %s --enable-var-scope

// The input of the convolution is padded as the convolution pads it. What follows the last tap is dead.
// CHECK-LABEL: cg.graph @one(
// CHECK-SAME:    %[[X:.+]]: tensor<8x3x6x6xf32>) {
// CHECK-NOT:     cg.conv2d
// CHECK-DAG:     %[[LESS:.+]] = cg.constant dense<4.000000e+00> : tensor<f64>
// CHECK-DAG:     %[[ONE:.+]] = cg.constant dense<1.000000e+00> : tensor<f64>
// CHECK-DAG:     %[[K:.+]] = cg.constant dense<5.000000e+00> : tensor<f64>
// CHECK:         %[[PADDED:.+]] = cg.pad %[[X]] {high = array<i64: 0, 0, 1, 2>, low = array<i64: 0, 0, 1, 0>, value = 0.000000e+00 : f64}
// CHECK:         %[[D:.+]] = cg.mutual_information %[[PADDED]] window [3, 3] dilations [1, 1] : tensor<8x3x8x8xf32>
// CHECK-NEXT:    %[[KD:.+]] = cg.mul %[[D]], %[[LESS]]
// CHECK-NEXT:    %[[DIVISOR:.+]] = cg.add %[[KD]], %[[ONE]]
// CHECK-NEXT:    %[[DIVIDEND:.+]] = cg.mul %[[D]], %[[K]]
// CHECK-NEXT:    cg.div %[[DIVIDEND]], %[[DIVISOR]]
// CHECK:         cg.compare eq
// CHECK:         cg.reduce_sum %{{.+}} {axes = array<i64: 0>} : tensor<3x3x3xf64>
// CHECK:         cg.reduce_mean %{{.+}} {axes = array<i64: 0, 1>} : tensor<3x3xf64>
// CHECK:         %[[OLD:.+]] = cg.state "conv.weight" slot "gradient_scale" : tensor<3x3xf32> init #cg.fill<1.0
// CHECK:         %[[G:.+]] = cg.cast %{{.+}} {type = f32} : tensor<3x3xf64>
// CHECK:         %[[OK:.+]] = cg.compare eq %[[G]], %[[G]]
// CHECK:         %[[NEW:.+]] = cg.where %[[OK]], %[[G]], %[[OLD]]
// CHECK:         cg.update "conv.weight" slot "gradient_scale", %[[NEW]] : tensor<3x3xf32>
// CHECK-NEXT:    cg.return{{$}}
cg.graph @one(%x: tensor<8x3x6x6xf32>) -> (tensor<8x4x6x6xf32> {cg.name = "y"}) {
  %w = cg.parameter "conv.weight" : tensor<4x3x3x3xf32>
  %0 = cg.conv2d %x, %w pads [1, 0, 1, 2] : tensor<8x3x6x6xf32>, tensor<4x3x3x3xf32>
  %1 = cg.relu %0 : tensor<8x4x6x6xf32>
  cg.return %1 : tensor<8x4x6x6xf32>
}

// -----

// A filter of two convolutions has one estimate, from the pixels of both.
// CHECK-LABEL: cg.graph @shared(
// CHECK-SAME:    %[[X:.+]]: tensor<8x4x10x10xf32>) {
// CHECK:         %[[FIRST:.+]] = cg.conv2d
// CHECK:         cg.mutual_information %[[X]], %[[FIRST]] window [3, 3] dilations [1, 1, 2, 1] : tensor<8x4x10x10xf32>, tensor<8x4x8x8xf32>
// CHECK-NOT:     cg.mutual_information
// CHECK:         cg.update "conv.weight" slot "gradient_scale"
// CHECK-NOT:     cg.update
cg.graph @shared(%x: tensor<8x4x10x10xf32>) -> tensor<8x4x4x6xf32> {
  %w = cg.parameter "conv.weight" : tensor<4x1x3x3xf32>
  %0 = cg.conv2d %x, %w groups 4 : tensor<8x4x10x10xf32>, tensor<4x1x3x3xf32>
  %1 = cg.conv2d %0, %w dilations [2, 1] groups 4 : tensor<8x4x8x8xf32>, tensor<4x1x3x3xf32>
  cg.return %1 : tensor<8x4x4x6xf32>
}

// -----

// Masters in f32, images in bf16: the slot is of the type of the master.
// CHECK-LABEL: cg.graph @mixed(
// CHECK:         cg.mutual_information %{{.+}} window [3, 5] dilations [1, 1] : tensor<2x3x8x8xbf16>
// CHECK:         cg.update "conv.weight" slot "gradient_scale", %{{.+}} : tensor<3x5xf32>
cg.graph @mixed(%x: tensor<2x3x8x8xbf16>) -> tensor<2x4x6x4xbf16> {
  %w = cg.parameter "conv.weight" : tensor<4x3x3x5xf32>
  %v = cg.cast %w {type = bf16} : tensor<4x3x3x5xf32>
  %0 = cg.conv2d %x, %v : tensor<2x3x8x8xbf16>, tensor<4x3x3x5xbf16>
  cg.return %0 : tensor<2x4x6x4xbf16>
}

// -----

// Near misses: a window of one row, an even one, a filter that is computed, one whose matrix is given, and a
// convolution that no result depends on. Nothing is estimated.
// CHECK-LABEL: cg.graph @near_misses(
// CHECK-NEXT:    cg.return{{$}}
cg.graph @near_misses(%x: tensor<2x4x8x8xf32>) -> tensor<2x4x7x7xf32> {
  %row = cg.parameter "row.weight" : tensor<4x4x1x3xf32>
  %0 = cg.conv2d %x, %row pads [0, 1, 0, 1] : tensor<2x4x8x8xf32>, tensor<4x4x1x3xf32>
  %w = cg.parameter "computed.weight" : tensor<4x4x3x3xf32>
  %v = cg.tanh %w : tensor<4x4x3x3xf32>
  %1 = cg.conv2d %0, %v pads [1, 1, 1, 1] : tensor<2x4x8x8xf32>, tensor<4x4x3x3xf32>
  %given = cg.parameter "given.weight" {cg.gradient_scale = dense<1.0> : tensor<3x3xf64>} : tensor<4x4x3x3xf32>
  %2 = cg.conv2d %1, %given pads [1, 1, 1, 1] : tensor<2x4x8x8xf32>, tensor<4x4x3x3xf32>
  %dead = cg.parameter "dead.weight" : tensor<4x4x3x3xf32>
  %3 = cg.conv2d %2, %dead : tensor<2x4x8x8xf32>, tensor<4x4x3x3xf32>
  %even = cg.parameter "even.weight" : tensor<4x4x2x2xf32>
  %4 = cg.conv2d %2, %even : tensor<2x4x8x8xf32>, tensor<4x4x2x2xf32>
  cg.return %4 : tensor<2x4x7x7xf32>
}
