// RUN: espalier-opt %s --split-input-file --verify-diagnostics

cg.graph @reduce_sum_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.reduce_sum' op expects 'axes' to be distinct dimensions of f32[2, 3], but got [1, 1]}}
  %0 = cg.reduce_sum %x {axes = array<i64: 1, 1>} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @reduce_sum_c1_range(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.reduce_sum' op expects 'axes' to be distinct dimensions of f32[2, 3], but got [2]}}
  %0 = cg.reduce_sum %x {axes = array<i64: 2>, keep_dims} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @reduce_mean_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.reduce_mean' op expects 'axes' to be distinct dimensions of f32[2, 3], but got [1, 1]}}
  %0 = cg.reduce_mean %x {axes = array<i64: 1, 1>} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @reduce_mean_c1_range(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.reduce_mean' op expects 'axes' to be distinct dimensions of f32[2, 3], but got [2]}}
  %0 = cg.reduce_mean %x {axes = array<i64: 2>, keep_dims} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @reduce_max_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.reduce_max' op expects 'axes' to be distinct dimensions of f32[2, 3], but got [1, 1]}}
  %0 = cg.reduce_max %x {axes = array<i64: 1, 1>} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @reduce_max_c1_range(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.reduce_max' op expects 'axes' to be distinct dimensions of f32[2, 3], but got [2]}}
  %0 = cg.reduce_max %x {axes = array<i64: 2>, keep_dims} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @argmax_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.argmax' op expects 'axis' to be a dimension of f32[2, 3], but got -1}}
  %0 = cg.argmax %x {axis = -1 : i64} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @softmax_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.softmax' op expects 'axis' to be a dimension of f32[2, 3], but got -1}}
  %0 = cg.softmax %x {axis = -1 : i64} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @log_softmax_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.log_softmax' op expects 'axis' to be a dimension of f32[2, 3], but got -1}}
  %0 = cg.log_softmax %x {axis = -1 : i64} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @argmax_c1_empty(%x: tensor<2x0xf32>) {
  // expected-error@+1 {{'cg.argmax' op expects an extent that is not 0 along dimension 1, but got f32[2, 0]}}
  %0 = cg.argmax %x {axis = 1 : i64} : tensor<2x0xf32>
  cg.return
}
