// A filter whose initial elements are given.
cg.graph @net(%x: tensor<1x1x2x2xf32> {cg.name = "x"}) -> tensor<1x2x2x2xf32> {
  %w = cg.parameter "w" : tensor<2x1x1x1xf32> init #cg.values<dense<[[[[2.0]]], [[[-1.0]]]]> : tensor<2x1x1x1xf64>>
  %three = cg.constant dense<3.0> : tensor<f32>
  %0 = cg.conv2d %x, %w : tensor<1x1x2x2xf32>, tensor<2x1x1x1xf32>
  %1 = cg.mul %0, %three : tensor<1x2x2x2xf32>, tensor<f32>
  cg.return %1 : tensor<1x2x2x2xf32>
}
