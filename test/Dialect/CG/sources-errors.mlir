// RUN: espalier-opt %s --split-input-file --verify-diagnostics

cg.graph @constant_c1() {
  // expected-error@+1 {{'cg.constant' op expects 'value' to be a dense tensor of numbers, but got dense<1.000000e+00> : vector<4xf32>}}
  %0 = cg.constant dense<1.0> : vector<4xf32>
  cg.return
}

// -----

cg.graph @constant_c1_resource() {
  // expected-error@+1 {{'cg.constant' op expects 'value' to be a dense tensor of numbers, but got sparse<0, 1.000000e+00> : tensor<4xf32>}}
  %0 = cg.constant sparse<0, 1.0> : tensor<4xf32>
  cg.return
}

// -----

cg.graph @constant_splat_too_large() {
  // expected-error@+1 {{'cg.constant' op expects a result smaller than 2^63 bytes, but got f32[4611686018427387904]}}
  %0 = cg.constant dense<1.0> : tensor<4611686018427387904xf32>
  cg.return
}

// -----

cg.graph @iota_c1() {
  // expected-error@+1 {{'cg.iota' op expects 'size' to be at least 0, but got -9223372036854775808}}
  %0 = cg.iota {size = -9223372036854775808 : i64, type = i64}
  cg.return
}

// -----

cg.graph @iota_c2() {
  // expected-error@+1 {{'cg.iota' op expects 'type' to be i32, i64 or a float type, but got 'i1'}}
  %0 = cg.iota {size = 4 : i64, type = i1}
  cg.return
}

// -----

cg.graph @iota_c2_function() {
  // expected-error@+1 {{'cg.iota' op expects 'type' to be i32, i64 or a float type, but got '() -> ()'}}
  %0 = cg.iota {size = 4 : i64, type = () -> ()}
  cg.return
}

// -----

cg.graph @iota_too_large() {
  // expected-error@+1 {{'cg.iota' op expects a result smaller than 2^63 bytes, but got f64[9223372036854775807]}}
  %0 = cg.iota {size = 9223372036854775807 : i64, type = f64}
  cg.return
}

// -----

cg.graph @extent_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.extent' op expects 'axes' to be distinct dimensions of f32[2, 3], but got [0, 0]}}
  %0 = cg.extent %x {axes = array<i64: 0, 0>, type = f32} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @extent_c1_range(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.extent' op expects 'axes' to be distinct dimensions of f32[2, 3], but got [-9223372036854775808]}}
  %0 = cg.extent %x {axes = array<i64: -9223372036854775808>, type = f32} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @extent_c2(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.extent' op expects 'type' to be i32, i64 or a float type, but got 'index'}}
  %0 = cg.extent %x {axes = array<i64: 0>, type = index} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @random_seed(%x: tensor<2x3xf32>, %s: tensor<f32>) {
  // expected-error@+1 {{'cg.random_uniform' op operand #0 must be tensor of rank 0 of i32 or i64, but got 'tensor<f32>'}}
  %0 = cg.random_uniform "k" %s like %x : tensor<f32>, tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @missing_attribute() {
  // expected-error@+1 {{'cg.iota' op requires attribute 'type'}}
  %0 = cg.iota {size = 4 : i64}
  cg.return
}
