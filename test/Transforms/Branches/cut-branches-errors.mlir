// DEFINE: %{cut} = not espalier-opt %s --split-input-file --pass-pipeline
// RUN: %{cut}='builtin.module(cg.graph(cg-cut-branches{paths=c.g1}))' 2>&1 | FileCheck %s

// The norm is not under the path.
// CHECK: [[#@LINE+1]]:{{.*}} error: expects a sum of two images with a summand all of whose parameters lie under 'c.g1', but there is none
cg.graph @partly(%x: tensor<2x4x8x8xf32>) -> tensor<2x4x8x8xf32> {
  %w = cg.parameter "c.weight" : tensor<4x4x1x1xf32>
  %w1 = cg.parameter "c.g1.weight" : tensor<4x4x1x1xf32>
  %scale = cg.parameter "c.g2.scale" : tensor<4x1x1xf32>
  %y = cg.conv2d %x, %w : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  %y1 = cg.conv2d %x, %w1 : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  %z1 = cg.mul %y1, %scale : tensor<2x4x8x8xf32>, tensor<4x1x1xf32>
  %sum = cg.add %y, %z1 : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>
  cg.return %sum : tensor<2x4x8x8xf32>
}

// -----

// The summand is read from elsewhere too.
// CHECK: [[#@LINE+1]]:{{.*}} error: expects a sum of two images with a summand all of whose parameters lie under 'c.g1', but there is none
cg.graph @read_twice(%x: tensor<2x4x8x8xf32>) -> (tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>) {
  %w = cg.parameter "c.weight" : tensor<4x4x1x1xf32>
  %w1 = cg.parameter "c.g1.weight" : tensor<4x4x1x1xf32>
  %y = cg.conv2d %x, %w : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  %y1 = cg.conv2d %x, %w1 : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  %sum = cg.add %y, %y1 : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>
  cg.return %sum, %y1 : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>
}

// -----

// A bias is broadcast: no sum of two images. And what comes before the image that both read is no branch.
// CHECK: [[#@LINE+1]]:{{.*}} error: expects a sum of two images with a summand all of whose parameters lie under 'c.g1', but there is none
cg.graph @no_branch(%x: tensor<2x4x8x8xf32>) -> tensor<2x4x8x8xf32> {
  %w = cg.parameter "c.weight" : tensor<4x4x1x1xf32>
  %w1 = cg.parameter "c.g1.weight" : tensor<4x4x1x1xf32>
  %bias = cg.parameter "c.g1.bias" : tensor<4x1x1xf32>
  %h = cg.conv2d %x, %w1 : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  %y = cg.conv2d %h, %w : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  %z = cg.add %y, %bias : tensor<2x4x8x8xf32>, tensor<4x1x1xf32>
  %sum = cg.add %z, %h : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>
  cg.return %sum : tensor<2x4x8x8xf32>
}

// -----

cg.graph @nothing_left(%x: tensor<2x4x8x8xf32>) -> tensor<2x4x8x8xf32> {
  %w = cg.parameter "c.g1.a" : tensor<4x4x1x1xf32>
  %w1 = cg.parameter "c.g1.b" : tensor<4x4x1x1xf32>
  %y = cg.conv2d %x, %w : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  %y1 = cg.conv2d %x, %w1 : tensor<2x4x8x8xf32>, tensor<4x4x1x1xf32>
  // CHECK: [[#@LINE+1]]:{{.*}} error: 'cg.add' op expects a summand that stays, but the parameters of both lie under the paths to cut
  %sum = cg.add %y, %y1 : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>
  cg.return %sum : tensor<2x4x8x8xf32>
}
