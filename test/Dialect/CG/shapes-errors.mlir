// RUN: espalier-opt %s --split-input-file --verify-diagnostics

cg.graph @reshape_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.reshape' op expects 'shape' to hold extents, places -2 - i of the dimensions of f32[2, 3] and at most one -1, with no 0 beside it, but got [-1, -1]}}
  %0 = cg.reshape %x {shape = array<i64: -1, -1>} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @reshape_c1_negative(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.reshape' op expects 'shape' to hold extents, places -2 - i of the dimensions of f32[2, 3] and at most one -1, with no 0 beside it, but got [-4, 3]}}
  %0 = cg.reshape %x {shape = array<i64: -4, 3>} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @reshape_c1_zero(%x: tensor<0x3xf32>) {
  // expected-error@+1 {{'cg.reshape' op expects 'shape' to hold extents, places -2 - i of the dimensions of f32[0, 3] and at most one -1, with no 0 beside it, but got [0, -1]}}
  %0 = cg.reshape %x {shape = array<i64: 0, -1>} : tensor<0x3xf32>
  cg.return
}

// -----

cg.graph @reshape_c1_twice(%x: tensor<?x?xf32>) {
  // expected-error@+1 {{'cg.reshape' op expects 'shape' to hold extents, places -2 - i of the dimensions of f32[?0, ?1] and at most one -1, with no 0 beside it, but got [-2, -2, -1]}}
  %0 = cg.reshape %x {shape = array<i64: -2, -2, -1>} : tensor<?x?xf32>
  cg.return
}

// -----

cg.graph @reshape_c1_zero_place(%x: tensor<0x3xf32>) {
  // expected-error@+1 {{'cg.reshape' op expects 'shape' to hold extents, places -2 - i of the dimensions of f32[0, 3] and at most one -1, with no 0 beside it, but got [-2, -1]}}
  %0 = cg.reshape %x {shape = array<i64: -2, -1>} : tensor<0x3xf32>
  cg.return
}

// -----

cg.graph @reshape_c2_place(%x: tensor<?x3xf32>) {
  // expected-error@+1 {{'cg.reshape' op expects 'shape' to keep the 3*?0 elements of f32[?0, 3], but got [-2, 4]}}
  %0 = cg.reshape %x {shape = array<i64: -2, 4>} : tensor<?x3xf32>
  cg.return
}

// -----

cg.graph @reshape_c2(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.reshape' op expects 'shape' to keep the 6 elements of f32[2, 3], but got [4, 2]}}
  %0 = cg.reshape %x {shape = array<i64: 4, 2>} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @reshape_c2_rest(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.reshape' op expects 'shape' to keep the 6 elements of f32[2, 3], but got [-1, 4]}}
  %0 = cg.reshape %x {shape = array<i64: -1, 4>} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @reshape_c2_overflow(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.reshape' op expects 'shape' to keep the 6 elements of f32[2, 3], but got [4611686018427387904, 4]}}
  %0 = cg.reshape %x {shape = array<i64: 4611686018427387904, 4>} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @reshape_like_c1(%x: tensor<2x3xf32>, %y: tensor<7xf32>) {
  // expected-error@+1 {{'cg.reshape_like' op expects operands with equal numbers of elements, but got f32[2, 3] and f32[7]}}
  %0 = cg.reshape_like %x, %y : tensor<2x3xf32>, tensor<7xf32>
  cg.return
}

// -----

cg.graph @broadcast_like_c1(%x: tensor<2x3xf32>, %y: tensor<4x3xf32>) {
  // expected-error@+1 {{'cg.broadcast_like' op expects an input whose extents are 1, missing or those of f32[4, 3], but got f32[2, 3]}}
  %0 = cg.broadcast_like %x, %y : tensor<2x3xf32>, tensor<4x3xf32>
  cg.return
}

// -----

cg.graph @broadcast_like_c1_rank(%x: tensor<2x3xf32>, %y: tensor<3xf32>) {
  // expected-error@+1 {{'cg.broadcast_like' op expects an input whose extents are 1, missing or those of f32[3], but got f32[2, 3]}}
  %0 = cg.broadcast_like %x, %y : tensor<2x3xf32>, tensor<3xf32>
  cg.return
}

// -----

cg.graph @transpose_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.transpose' op expects 'permutation' to permute the 2 dimensions of f32[2, 3], but got [0, 0]}}
  %0 = cg.transpose %x {permutation = array<i64: 0, 0>} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @transpose_c1_rank(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.transpose' op expects 'permutation' to permute the 2 dimensions of f32[2, 3], but got [0]}}
  %0 = cg.transpose %x {permutation = array<i64: 0>} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @transpose_c1_range(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.transpose' op expects 'permutation' to permute the 2 dimensions of f32[2, 3], but got [0, 9223372036854775807]}}
  %0 = cg.transpose %x {permutation = array<i64: 0, 9223372036854775807>} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @transpose_c1_negative(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.transpose' op expects 'permutation' to permute the 2 dimensions of f32[2, 3], but got [-1, 0]}}
  %0 = cg.transpose %x {permutation = array<i64: -1, 0>} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @slice_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.slice' op expects 'axis' to be a dimension of f32[2, 3], but got 2}}
  %0 = cg.slice %x {axis = 2 : i64, start = 0 : i64, end = 1 : i64, stride = 1 : i64} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @slice_c2_end(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.slice' op expects 0 <= start <= end <= 3 and stride >= 1, but got start 0, end 4, stride 1}}
  %0 = cg.slice %x {axis = 1 : i64, start = 0 : i64, end = 4 : i64, stride = 1 : i64} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @slice_c2_order(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.slice' op expects 0 <= start <= end <= 3 and stride >= 1, but got start 2, end 1, stride 1}}
  %0 = cg.slice %x {axis = 1 : i64, start = 2 : i64, end = 1 : i64, stride = 1 : i64} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @slice_c2_start(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.slice' op expects 0 <= start <= end <= 3 and stride >= 1, but got start -9223372036854775808, end 3, stride 1}}
  %0 = cg.slice %x {axis = 1 : i64, start = -9223372036854775808 : i64, end = 3 : i64, stride = 1 : i64} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @slice_c2_stride(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.slice' op expects 0 <= start <= end <= 3 and stride >= 1, but got start 0, end 3, stride 0}}
  %0 = cg.slice %x {axis = 1 : i64, start = 0 : i64, end = 3 : i64, stride = 0 : i64} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @slice_c2(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.slice' op expects 0 <= start <= end <= 3 and stride >= 1, but got start 0, end 9223372036854775807, stride -1}}
  %0 = cg.slice %x {axis = 1 : i64, start = 0 : i64, end = 9223372036854775807 : i64, stride = -1 : i64} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @slice_c2_from_end(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.slice' op expects 0 <= start <= end <= 3 and stride >= 1, but got start 0, end -9223372036854775808, stride 1}}
  %0 = cg.slice %x {axis = 1 : i64, start = 0 : i64, end = -9223372036854775808 : i64, stride = 1 : i64} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @slice_gradient_c1(%g: tensor<2x3xf32>, %x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.slice_gradient' op expects a cotangent like f32[2, 2], but got f32[2, 3]}}
  %0 = cg.slice_gradient %g, %x {axis = 1 : i64, start = 0 : i64, end = 2 : i64, stride = 1 : i64} : tensor<2x3xf32>, tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @pad_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.pad' op expects 'low' to hold 2 integers of at least 0, but got [0, -1]}}
  %0 = cg.pad %x {low = array<i64: 0, -1>, high = array<i64: 0, 0>, value = 0.0 : f64} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @pad_c1_rank(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.pad' op expects 'high' to hold 2 integers of at least 0, but got [0]}}
  %0 = cg.pad %x {low = array<i64: 0, 1>, high = array<i64: 0>, value = 0.0 : f64} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @pad_too_large(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.pad' op expects result extents below 2^63, but got f32[2, overflow]}}
  %0 = cg.pad %x {low = array<i64: 0, 9223372036854775807>, high = array<i64: 0, 1>, value = 0.0 : f64} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @concat_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.concat' op expects 'axis' to be a dimension of f32[2, 3], but got -1}}
  %0 = cg.concat %x {axis = -1 : i64} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @concat_c1_empty() {
  // expected-error@+2 {{'cg.concat' op expects at least 1 input, but got 0}}
  // expected-error@+1 {{'cg.concat' op failed to infer returned types}}
  %0 = "cg.concat"() <{axis = 0 : i64}> : () -> tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @concat_c2(%x: tensor<2x3xf32>, %y: tensor<3x3xf32>) {
  // expected-error@+1 {{'cg.concat' op expects inputs that differ along dimension 1 only, but got f32[2, 3] and f32[3, 3]}}
  %0 = cg.concat %x, %y {axis = 1 : i64} : tensor<2x3xf32>, tensor<3x3xf32>
  cg.return
}

// -----

cg.graph @concat_c2_type(%x: tensor<2x3xf32>, %y: tensor<2x3xf64>) {
  // expected-error@+1 {{'cg.concat' op expects inputs that differ along dimension 1 only, but got f32[2, 3] and f64[2, 3]}}
  %0 = cg.concat %x, %y {axis = 1 : i64} : tensor<2x3xf32>, tensor<2x3xf64>
  cg.return
}

// -----

cg.graph @concat_too_large(%x: tensor<6148914691236517205xi8>) {
  // expected-error@+1 {{'cg.concat' op expects result extents below 2^63, but got i8[overflow]}}
  %0 = cg.concat %x, %x {axis = 0 : i64} : tensor<6148914691236517205xi8>, tensor<6148914691236517205xi8>
  cg.return
}

// -----

cg.graph @gather_c1(%x: tensor<2x3xf32>, %i: tensor<4xi64>) {
  // expected-error@+1 {{'cg.gather' op expects 'axis' to be a dimension of f32[2, 3], but got 9223372036854775807}}
  %0 = cg.gather %x, %i {axis = 9223372036854775807 : i64} : tensor<2x3xf32>, tensor<4xi64>
  cg.return
}

// -----

cg.graph @scatter_add_c1(%x: tensor<f32>, %i: tensor<4xi64>, %u: tensor<4xf32>) {
  // expected-error@+1 {{'cg.scatter_add' op expects 'axis' to be a dimension of f32[], but got 0}}
  %0 = cg.scatter_add %x, %i, %u {axis = 0 : i64} : tensor<f32>, tensor<4xi64>, tensor<4xf32>
  cg.return
}

// -----

cg.graph @scatter_add_c2(%x: tensor<2x3xf32>, %i: tensor<4xi64>, %u: tensor<4x2xf32>) {
  // expected-error@+1 {{'cg.scatter_add' op expects updates like f32[4, 3], but got f32[4, 2]}}
  %0 = cg.scatter_add %x, %i, %u {axis = 0 : i64} : tensor<2x3xf32>, tensor<4xi64>, tensor<4x2xf32>
  cg.return
}

// -----

cg.graph @concat_gradient_c1(%g: tensor<5xf32>, %a: tensor<2xf32>, %b: tensor<3xf32>) {
  // expected-error@+1 {{'cg.concat_gradient' op expects 'index' to name one of 2 inputs, but got 2}}
  %0 = cg.concat_gradient %g, %a, %b {axis = 0 : i64, index = 2 : i64} : tensor<5xf32>, tensor<2xf32>, tensor<3xf32>
  cg.return
}

// -----

cg.graph @concat_gradient_c2(%g: tensor<6xf32>, %a: tensor<2xf32>, %b: tensor<3xf32>) {
  // expected-error@+1 {{'cg.concat_gradient' op expects a cotangent like f32[5], but got f32[6]}}
  %0 = cg.concat_gradient %g, %a, %b {axis = 0 : i64, index = 1 : i64} : tensor<6xf32>, tensor<2xf32>, tensor<3xf32>
  cg.return
}

// -----

cg.graph @concat_gradient_c2_inputs(%g: tensor<5x2xf32>, %a: tensor<2x2xf32>, %b: tensor<3x1xf32>) {
  // expected-error@+1 {{'cg.concat_gradient' op expects inputs that differ along dimension 0 only, but got f32[2, 2] and f32[3, 1]}}
  %0 = cg.concat_gradient %g, %a, %b {axis = 0 : i64, index = 1 : i64} : tensor<5x2xf32>, tensor<2x2xf32>, tensor<3x1xf32>
  cg.return
}

// -----

cg.graph @rank(%x: tensor<1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1xf32>) {
  // expected-error@+1 {{'cg.relu' op expects results of at most 64 dimensions, but got 65}}
  %0 = cg.relu %x : tensor<1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1xf32>
  cg.return
}
