// RUN: espalier-opt %s --split-input-file --verify-diagnostics

cg.graph @clamp_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.clamp' op expects 'low' to be at most 'high', but got 1.000000e+00 and 0.000000e+00}}
  %0 = cg.clamp %x {low = 1.0 : f64, high = 0.0 : f64} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @extents(%x: tensor<2x3xf32>, %y: tensor<2x4xf32>) {
  // expected-error@+1 {{'cg.add' op expects operands whose extents are equal or 1, but got f32[2, 3] and f32[2, 4]}}
  %0 = cg.add %x, %y : tensor<2x3xf32>, tensor<2x4xf32>
  cg.return
}

// -----

cg.graph @element_types(%x: tensor<2x3xf32>, %y: tensor<2x3xf64>) {
  // expected-error@+1 {{'cg.mul' op expects operands of one element type, but got f32[2, 3] and f64[2, 3]}}
  %0 = cg.mul %x, %y : tensor<2x3xf32>, tensor<2x3xf64>
  cg.return
}

// -----

cg.graph @branches(%m: tensor<2x3xi1>, %x: tensor<2x3xf32>, %y: tensor<2x3xi32>) {
  // expected-error@+1 {{'cg.where' op expects operands of one element type, but got f32[2, 3] and i32[2, 3]}}
  %0 = cg.where %m, %x, %y : tensor<2x3xi1>, tensor<2x3xf32>, tensor<2x3xi32>
  cg.return
}

// -----

cg.graph @condition(%m: tensor<2x3xf32>, %x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.where' op operand #0 must be ranked tensor of 1-bit signless integer values}}
  %0 = cg.where %m, %x, %x : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @broadcast_too_large(%x: tensor<4294967296x1xf32>, %y: tensor<4294967296xf32>) {
  // expected-error@+1 {{'cg.add' op expects a result smaller than 2^63 bytes, but got f32[4294967296, 4294967296]}}
  %0 = cg.add %x, %y : tensor<4294967296x1xf32>, tensor<4294967296xf32>
  cg.return
}

// -----

cg.graph @cast_type(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.cast' op expects 'type' to be an element type of the dialect, but got 'none'}}
  %0 = cg.cast %x {type = none} : tensor<2x3xf32>
  cg.return
}

// -----

cg.graph @integers(%x: tensor<2x3xi32>) {
  // expected-error@+1 {{'cg.exp' op operand #0 must be ranked tensor of}}
  %0 = cg.exp %x : tensor<2x3xi32>
  cg.return
}
