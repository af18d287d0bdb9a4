// RUN: espalier-opt %s --split-input-file --pass-pipeline='builtin.module(cg.graph(cg-insert-gradient-scaling{source=fixed}))' --verify-diagnostics

cg.graph @negative(%x: tensor<1x1x9x9xf32>) -> tensor<1x1x7x7xf32> {
  // expected-error@+1 {{'cg.parameter' op expects numbers above 0 in 'cg.gradient_scale', but got -2}}
  %w = cg.parameter "w" {cg.gradient_scale = dense<-2.0> : tensor<3x3xf32>} : tensor<1x1x3x3xf32>
  %y = cg.conv2d %x, %w : tensor<1x1x9x9xf32>, tensor<1x1x3x3xf32>
  %g = cg.parameter_gradient "w", %w : tensor<1x1x3x3xf32>
  cg.return %y : tensor<1x1x7x7xf32>
}

// -----

cg.graph @integers(%x: tensor<1x1x9x9xf32>) -> tensor<1x1x7x7xf32> {
  // expected-error@+1 {{'cg.parameter' op expects 'cg.gradient_scale' to be a floating-point literal of shape 3x3 or 1x1x3x3, but got dense<2> : tensor<3x3xi32>}}
  %w = cg.parameter "w" {cg.gradient_scale = dense<2> : tensor<3x3xi32>} : tensor<1x1x3x3xf32>
  %y = cg.conv2d %x, %w : tensor<1x1x9x9xf32>, tensor<1x1x3x3xf32>
  %g = cg.parameter_gradient "w", %w : tensor<1x1x3x3xf32>
  cg.return %y : tensor<1x1x7x7xf32>
}

// -----

// Without a matrix of its own or one for all, a filter is not scaled, which is no error.
cg.graph @none(%x: tensor<1x1x9x9xf32>) -> tensor<1x1x7x7xf32> {
  %w = cg.parameter "w" : tensor<1x1x3x3xf32>
  %y = cg.conv2d %x, %w : tensor<1x1x9x9xf32>, tensor<1x1x3x3xf32>
  %g = cg.parameter_gradient "w", %w : tensor<1x1x3x3xf32>
  cg.return %y : tensor<1x1x7x7xf32>
}
