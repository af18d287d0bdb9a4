// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg-attach-loss{network=net loss=net.loss},cg-keep-graph{graph=step},cg-convert-floats,cg-bind-sizes{sizes=N=2},cg.graph(cg-specialize{mode=training}),canonicalize,cse,cg.graph(cg-differentiate,cg-insert-gradient-scaling{source=fixed},cg-apply-optimizer,cg-functionalize))' | FileCheck %s
// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg-mixed-precision{graph=net},cg-attach-loss{network=net loss=net.loss},cg-keep-graph{graph=step},cg-bind-sizes{sizes=N=2},cg.graph(cg-specialize{mode=training}),canonicalize,cse,cg.graph(cg-differentiate,cg-widen-gradients,cg-insert-gradient-scaling{source=fixed},cg-apply-optimizer,cg-functionalize))' | FileCheck %s --check-prefix=BF16

// The matrix that a parameter says of itself comes through the passes before, in the precision of the gradient.
// CHECK: tensor<2x1x3x3xf64> {cg.init = #cg.values<dense<2.500000e+00> : tensor<2x1x3x3xf64>>, cg.path = "w", cg.role = "slot", cg.slot = "gradient_scale"}
// CHECK: %[[G:.+]] = cg.conv2d_filter_gradient
// CHECK: cg.mul %[[G]], %{{.+}} : tensor<2x1x3x3xf64>, tensor<2x1x3x3xf64>
// BF16: tensor<2x1x3x3xf32> {cg.init = #cg.values<dense<2.500000e+00> : tensor<2x1x3x3xf64>>, cg.path = "w", cg.role = "slot", cg.slot = "gradient_scale"}
// BF16: %[[G:.+]] = cg.conv2d_filter_gradient {{.*}} tensor<2x1x3x3xf32>
// BF16: cg.mul %[[G]], %{{.+}} : tensor<2x1x3x3xf32>, tensor<2x1x3x3xf32>
cg.graph @net(%x: tensor<?x1x9x9xf32> {cg.name = "x", cg.dims = ["N", "1", "9", "9"]}) -> tensor<?x2x7x7xf32> {
  %w = cg.parameter "w" {cg.gradient_scale = dense<2.5> : tensor<2x1x3x3xf32>} : tensor<2x1x3x3xf32>
  %y = cg.conv2d %x, %w : tensor<?x1x9x9xf32>, tensor<2x1x3x3xf32>
  cg.return %y : tensor<?x2x7x7xf32>
}
cg.graph @net.loss(%y: tensor<?x2x7x7xf32> {cg.name = "y", cg.dims = ["N", "2", "7", "7"]}) -> tensor<f32> {
  %square = cg.mul %y, %y : tensor<?x2x7x7xf32>, tensor<?x2x7x7xf32>
  %loss = cg.reduce_sum %square {axes = array<i64: 0, 1, 2, 3>} : tensor<?x2x7x7xf32>
  cg.return %loss : tensor<f32>
}
