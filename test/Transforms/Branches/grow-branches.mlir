// A convolution grows again and again: a norm of its own first, then branches beside it, each under a scope.
// DEFINE: %{origin} = cg-expand-branches{block=dyrep_origin initialize=grow}
// DEFINE: %{grow} = initialize=grow paths=layer1.conv1.weight
// RUN: espalier-opt %s --pass-pipeline='builtin.module(%{origin},cg-expand-branches{block=dyrep_point scope=g1 %{grow}},cg-expand-branches{block=dyrep_identity scope=g2 %{grow}},cg-expand-branches{block=dyrep_point scope=a.3 %{grow}})' | FileCheck %s
// RUN: espalier-opt %s --cg-expand-branches="block=dyrep_point scope=g1 initialize=preserve" | FileCheck %s --check-prefix=PRESERVE
// RUN: espalier-opt %s --cg-expand-branches="block=dyrep_point scope=g1" | FileCheck %s --check-prefix=PAPER

// Without scopes, the second branch would have the paths of the first.
// RUN: espalier-opt %s --pass-pipeline='builtin.module(%{origin},cg-expand-branches{block=dyrep_point %{grow}},cg-expand-branches{block=dyrep_point %{grow}})' --remark-format=emitRemark --remarks-filter-missed=cg-expand-branches 2>&1 >%t | FileCheck %s --check-prefix=TAKEN
// TAKEN: not-expanded {{.*}}Reason="the network has a parameter 'layer1.conv1.point.conv.weight', as the block would have"

// CHECK-LABEL:   cg.graph @net(
// CHECK-SAME:      %[[X:.+]]: tensor<?x4x8x8xf32>
// What was there starts as it did, and what is new as the block says.
// CHECK-DAG:       %[[W:.+]] = cg.parameter "layer1.conv1.weight" : tensor<4x4x3x3xf32> init #cg.normal<
// CHECK-DAG:       %[[SCALE:.+]] = cg.parameter "layer1.conv1.origin.weight" {{.*}}init #cg.fill<1.0
// CHECK-DAG:       cg.parameter "layer1.conv1.g1.point.conv.weight" {cg.scope = "layer1.conv1.g1.point.conv"} : tensor<4x4x1x1xf32> init #cg.kaiming_normal<fan_out, 1.414213562
// CHECK-DAG:       cg.parameter "layer1.conv1.g1.point.norm.weight" {{.*}}init #cg.fill<1.000000e-02
// CHECK-DAG:       cg.state "layer1.conv1.g1.point.norm.running_var"
// CHECK-DAG:       %[[MAIN:.+]] = cg.conv2d %[[X]], %[[W]] pads [1, 1, 1, 1] {cg.scope = "layer1.conv1"}
// CHECK-DAG:       %[[NORM:.+]] = cg.batch_norm %[[MAIN]], %[[SCALE]], {{.*}}cg.scope = "layer1.conv1.origin", epsilon = 1.0{{.*}}, momentum = 1.0
// CHECK-DAG:       cg.parameter "layer1.conv1.a.3.point.conv.weight"
// CHECK-DAG:       %[[FIRST:.+]] = cg.add %[[NORM]], %{{.+}} {cg.scope = "layer1.conv1.a.3"}
// CHECK-DAG:       %[[SECOND:.+]] = cg.add %[[FIRST]], %{{.+}} {cg.scope = "layer1.conv1.g2"}
// CHECK-DAG:       %[[THIRD:.+]] = cg.add %[[SECOND]], %{{.+}} {cg.scope = "layer1.conv1.g1"}
// The norm of the network stays behind it all.
// CHECK:           cg.parameter "layer1.bn1.weight" : tensor<4xf32> init #cg.fill<5.0
// CHECK:           cg.batch_norm %[[THIRD]], {{.*}}epsilon = 1.000000e-03
// CHECK-NOT:       cg.conv2d
// CHECK:           cg.return

// A norm that was there keeps its paths, whatever the scope.
// PRESERVE:        cg.parameter "layer1.conv1.weight" : tensor<4x4x3x3xf32> init #cg.normal<
// PRESERVE:        cg.parameter "layer1.bn1.weight" : tensor<4xf32> init #cg.fill<5.0
// PRESERVE:        cg.parameter "layer1.conv1.g1.point.norm.weight" {{.*}}init #cg.fill<0.0

// PAPER:           cg.parameter "layer1.conv1.weight" : tensor<4x4x3x3xf32> init #cg.kaiming_uniform<
// PAPER:           cg.parameter "layer1.bn1.weight" : tensor<4xf32> init #cg.fill<1.0
// PAPER:           cg.parameter "layer1.conv1.g1.point.norm.weight" {{.*}}init #cg.fill<1.000000e-02
cg.graph @net(%x: tensor<?x4x8x8xf32>) -> tensor<?x4x8x8xf32> {
  %w = cg.parameter "layer1.conv1.weight" : tensor<4x4x3x3xf32> init #cg.normal<0.0 : f64, 0.1 : f64>
  %y = cg.conv2d %x, %w pads [1, 1, 1, 1] {cg.scope = "layer1.conv1"} : tensor<?x4x8x8xf32>, tensor<4x4x3x3xf32>
  %scale = cg.parameter "layer1.bn1.weight" : tensor<4xf32> init #cg.fill<5.0 : f64>
  %shift = cg.parameter "layer1.bn1.bias" : tensor<4xf32> init #cg.fill<0.0 : f64>
  %mean = cg.state "layer1.bn1.running_mean" : tensor<4xf32> init #cg.fill<0.0 : f64>
  %var = cg.state "layer1.bn1.running_var" : tensor<4xf32> init #cg.fill<1.0 : f64>
  %z = cg.batch_norm %y, %scale, %shift, %mean, %var {epsilon = 1.0e-03 : f64, momentum = 0.2 : f64}
    : tensor<?x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  %r = cg.relu %z : tensor<?x4x8x8xf32>
  cg.return %r : tensor<?x4x8x8xf32>
}
