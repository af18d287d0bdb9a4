// Branches whose results are so small that their squares are zero, in float64 too.
cg.graph @net(%x: tensor<1x4x9x9xf64> {cg.name = "x"}) -> tensor<1x4x9x9xf64> {
  %a = cg.parameter "a" : tensor<4x4x3x3xf64> init #cg.normal<0.0 : f64, 1.0e-170 : f64>
  %b = cg.parameter "b" : tensor<4x4x1x1xf64> init #cg.normal<0.0 : f64, 1.0e-170 : f64>
  %0 = cg.conv2d %x, %a pads [1, 1, 1, 1] : tensor<1x4x9x9xf64>, tensor<4x4x3x3xf64>
  %1 = cg.conv2d %x, %b : tensor<1x4x9x9xf64>, tensor<4x4x1x1xf64>
  %2 = cg.add %0, %1 : tensor<1x4x9x9xf64>, tensor<1x4x9x9xf64>
  cg.return %2 : tensor<1x4x9x9xf64>
}
