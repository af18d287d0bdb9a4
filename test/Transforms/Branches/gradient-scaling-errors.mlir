// RUN: not espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-insert-gradient-scaling{source=fixed block=acnet matrix=1:1:1,1:1:1,1:1:1}))' 2>&1 | FileCheck %s --check-prefix=BOTH
// BOTH: error: expects a matrix or a block to scale gradients by, but got both

// RUN: not espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-insert-gradient-scaling{block=acnet}))' 2>&1 | FileCheck %s --check-prefix=ESTIMATED
// ESTIMATED: error: expects no matrix and no block with gradients scaled by mutual information

// RUN: not espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-insert-gradient-scaling{source=fixed matrix=1:1:1,1:0:1,1:1:1}))' 2>&1 | FileCheck %s --check-prefix=ZERO
// ZERO: error: expects numbers above 0 in the matrix that gradients are scaled by, but got '0'

// RUN: not espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-insert-gradient-scaling{source=fixed matrix=1:1:1,1:inf:1}))' 2>&1 | FileCheck %s --check-prefix=INFINITE
// INFINITE: error: expects numbers above 0 in the matrix that gradients are scaled by, but got 'inf'

// RUN: not espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-insert-gradient-scaling{source=fixed matrix=1:1:1,1:1}))' 2>&1 | FileCheck %s --check-prefix=RAGGED
// RAGGED: error: expects rows of one length in the matrix that gradients are scaled by, but got '1:1'

// RUN: sed 's/dense<2.0> : tensor<2x3x3xf32>/dense<2.0> : tensor<3x3xf32>/' %s | not espalier-opt --pass-pipeline='builtin.module(cg.graph(cg-insert-gradient-scaling{source=fixed matrix=1:1:1}))' 2>&1 | FileCheck %s --check-prefix=UNUSED
// UNUSED: error: expects a filter of 1x3, whose gradient the matrix scales, but the network has none

// RUN: sed 's/tensor<2x3x3xf32>} /tensor<3x3xf32>} /' %s > %t.mlir
// RUN: not espalier-opt %t.mlir --pass-pipeline='builtin.module(cg.graph(cg-apply-optimizer,cg-insert-gradient-scaling))' 2>&1 | FileCheck %s --check-prefix=LATE
// LATE: error: 'cg.parameter_update' op expects the gradient to be scaled before: 'cg-insert-gradient-scaling' runs before 'cg-apply-optimizer'
// RUN: not espalier-opt %t.mlir --pass-pipeline='builtin.module(cg.graph(cg-apply-optimizer,cg-functionalize,cg-insert-gradient-scaling))' 2>&1 | FileCheck %s --check-prefix=LATER
// LATER: error: expects parameters that are not arguments yet: gradients are scaled before 'cg-functionalize'

// RUN: not espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-insert-gradient-scaling{source=fixed}))' 2>&1 | FileCheck %s --check-prefix=SHAPE
// SHAPE: error: 'cg.parameter' op expects 'cg.gradient_scale' to be a floating-point literal of shape 3x3 or 2x1x3x3, but got dense<2.000000e+00> : tensor<2x3x3xf32>
cg.graph @shape(%x: tensor<1x1x9x9xf32>) -> tensor<1x2x7x7xf32> {
  %w = cg.parameter "w" {cg.gradient_scale = dense<2.0> : tensor<2x3x3xf32>} : tensor<2x1x3x3xf32>
  %y = cg.conv2d %x, %w : tensor<1x1x9x9xf32>, tensor<2x1x3x3xf32>
  %g = cg.parameter_gradient "w", %w : tensor<2x1x3x3xf32>
  cg.return %y : tensor<1x2x7x7xf32>
}
