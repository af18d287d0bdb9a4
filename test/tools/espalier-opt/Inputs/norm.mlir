cg.graph @norm(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %scale = cg.parameter "bn.weight" : tensor<4xf32>
  %shift = cg.parameter "bn.bias" : tensor<4xf32>
  %mean = cg.state "bn.running_mean" : tensor<4xf32>
  %var = cg.state "bn.running_var" : tensor<4xf32>
  %y = cg.batch_norm %x, %scale, %shift, %mean, %var {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  cg.return %y : tensor<8x4xf32>
}
