// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-specialize{mode=training}))' --verify-diagnostics

// expected-note@+1 {{this value is not a state}}
cg.graph @statistics_from_outside(%x: tensor<8x4xf32>, %s: tensor<4xf32>) -> tensor<8x4xf32> {
  // expected-error@+1 {{'cg.batch_norm' op expects running statistics that are 'cg.state' ops in training}}
  %y = cg.batch_norm %x, %s, %s, %s, %s {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  cg.return %y : tensor<8x4xf32>
}
