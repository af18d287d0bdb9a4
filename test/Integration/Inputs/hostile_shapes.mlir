cg.graph @elements(%x: tensor<1152921504606846976xf32>) -> tensor<f32> {
  %w = cg.parameter "w" : tensor<1152921504606846976xf32>
  %0 = cg.mul %x, %w : tensor<1152921504606846976xf32>, tensor<1152921504606846976xf32>
  %1 = cg.reduce_sum %0 {axes = array<i64: 0>} : tensor<1152921504606846976xf32>
  cg.return %1 : tensor<f32>
}

// -----

cg.graph @product(%x: tensor<1073741824x1073741824xf32>) -> tensor<f32> {
  %w = cg.parameter "w" : tensor<1073741824xf32>
  %0 = cg.mul %x, %w : tensor<1073741824x1073741824xf32>, tensor<1073741824xf32>
  %1 = cg.reduce_mean %0 {axes = array<i64: 0, 1>} : tensor<1073741824x1073741824xf32>
  cg.return %1 : tensor<f32>
}

// -----

cg.graph @broadcast(%x: tensor<1073741824x1xf32>) -> tensor<f32> {
  %w = cg.parameter "w" : tensor<1x1073741824xf32>
  %0 = cg.add %x, %w : tensor<1073741824x1xf32>, tensor<1x1073741824xf32>
  %1 = cg.reduce_sum %0 {axes = array<i64: 0, 1>} : tensor<1073741824x1073741824xf32>
  cg.return %1 : tensor<f32>
}

// -----

cg.graph @matmul(%x: tensor<1073741824x1073741824xf32>) -> tensor<f32> {
  %w = cg.parameter "w" : tensor<1073741824x1073741824xf32>
  %0 = cg.matmul %x, %w : tensor<1073741824x1073741824xf32>, tensor<1073741824x1073741824xf32>
  %1 = cg.reduce_sum %0 {axes = array<i64: 0, 1>} : tensor<1073741824x1073741824xf32>
  cg.return %1 : tensor<f32>
}

// -----

cg.graph @concat(%x: tensor<576460752303423488xf32>) -> tensor<1152921504606846976xf32> {
  %0 = cg.concat %x, %x {axis = 0 : i64} : tensor<576460752303423488xf32>, tensor<576460752303423488xf32>
  cg.return %0 : tensor<1152921504606846976xf32>
}

// -----

cg.graph @norm(%x: tensor<536870912x2x536870912x2xf32>) -> tensor<f32> {
  %w = cg.parameter "w" : tensor<2xf32>
  %m = cg.state "m" : tensor<2xf32>
  %0 = cg.batch_norm %x, %w, %w, %m, %m {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
       : tensor<536870912x2x536870912x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
  %1 = cg.reduce_sum %0 {axes = array<i64: 0, 1, 2, 3>} : tensor<536870912x2x536870912x2xf32>
  cg.return %1 : tensor<f32>
}

// -----

cg.graph @constant() -> tensor<f32> {
  %w = cg.parameter "w" : tensor<f32>
  %c = cg.constant dense<1.0> : tensor<1152921504606846976xf32>
  %0 = cg.mul %c, %w : tensor<1152921504606846976xf32>, tensor<f32>
  %1 = cg.reduce_sum %0 {axes = array<i64: 0>} : tensor<1152921504606846976xf32>
  cg.return %1 : tensor<f32>
}

// -----

cg.graph @conv2d(%x: tensor<1x1x1073741824x1073741824xf32>) -> tensor<f32> {
  %w = cg.parameter "w" : tensor<1x1x1x1xf32>
  %0 = cg.conv2d %x, %w : tensor<1x1x1073741824x1073741824xf32>, tensor<1x1x1x1xf32>
  %1 = cg.reduce_sum %0 {axes = array<i64: 0, 1, 2, 3>} : tensor<1x1x1073741824x1073741824xf32>
  cg.return %1 : tensor<f32>
}
