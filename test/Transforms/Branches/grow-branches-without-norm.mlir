// Of a convolution without a norm, the one that the block brings is new, and stands under the scope. The next branch finds
// it as the norm of the convolution.
// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg-expand-branches{block=dyrep_square scope=g1 initialize=grow paths=conv.weight},cg-expand-branches{block=dyrep_row scope=g2 initialize=grow paths=conv.weight})' | FileCheck %s

// The input itself does not become an image of another size.
// RUN: not espalier-opt %s --cg-expand-branches="block=dyrep_identity scope=g1 initialize=grow" 2>&1 | FileCheck %s --check-prefix=IDENTITY
// IDENTITY: espalier:dyrep_identity:{{.*}}: error: the input itself has 4 channels at a stride of 1x1, but the convolution gives 6 at 2x2
// IDENTITY-NOT: error: {{.*}}op
// IDENTITY: error: this convolution cannot be expanded into the block 'dyrep_identity'

// CHECK-DAG: cg.parameter "conv.g1.norm.weight" {{.*}} init #cg.fill<1.0
// CHECK-DAG: cg.parameter "conv.g1.square.norm.weight" {{.*}} init #cg.fill<1.000000e-02
// CHECK-DAG: %[[NORM:.+]] = cg.batch_norm {{.*}}cg.scope = "conv.g1.norm"
// CHECK-DAG: cg.parameter "conv.g2.row.norm.weight"
// CHECK-DAG: %[[INNER:.+]] = cg.add %[[NORM]], %{{.+}} {cg.scope = "conv.g2"}
// CHECK-DAG: %[[SUM:.+]] = cg.add %[[INNER]], %{{.+}} {cg.scope = "conv.g1"}
// CHECK-NOT: conv.g2.norm
// CHECK:     cg.return %[[SUM]]
cg.graph @net(%x: tensor<2x4x8x8xf32>) -> tensor<2x6x4x4xf32> {
  %w = cg.parameter "conv.weight" : tensor<6x4x3x3xf32>
  %y = cg.conv2d %x, %w strides [2, 2] pads [1, 1, 1, 1] : tensor<2x4x8x8xf32>, tensor<6x4x3x3xf32>
  cg.return %y : tensor<2x6x4x4xf32>
}
