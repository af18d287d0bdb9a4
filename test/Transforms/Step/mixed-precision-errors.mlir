// RUN: espalier-opt %s --cg-mixed-precision --split-input-file --verify-diagnostics

// expected-error@+1 {{'cg.graph' op expects floating-point types 'f32' and 'bf16' where precision is mixed, but got 'tensor<4xf64>'}}
cg.graph @argument(%x: tensor<4xf64>) -> tensor<4xf64> {
  cg.return %x : tensor<4xf64>
}

// -----

cg.graph @inside(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{'cg.cast' op expects floating-point types 'f32' and 'bf16' where precision is mixed, but got 'tensor<4xf16>'}}
  %y = cg.cast %x {type = f16} : tensor<4xf32>
  %z = cg.cast %y {type = f32} : tensor<4xf16>
  cg.return %z : tensor<4xf32>
}
