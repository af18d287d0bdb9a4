// RUN: espalier-opt %s --cg-attach-loss="network=net loss=loss metrics=accuracy" --cg-keep-graph=graph=step | FileCheck %s
// RUN: not espalier-opt %s --cg-attach-loss="network=nett loss=loss" 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not espalier-opt %s --cg-attach-loss="network=net loss=wide" 2>&1 | FileCheck %s --check-prefix=MISFIT

// UNKNOWN: error: expects a graph @nett, but the module has none
// UNKNOWN: note: there is @net
// MISFIT: error: expects a prediction of type 'tensor<?x3xf32>', but the network gives 'tensor<?x2xf32>'
// MISFIT: note: network @net

// The labels of the loss and of the metric are one input.
// CHECK-LABEL: cg.graph @step(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<?x4xf32> {cg.dims = ["N", "4"], cg.name = "x"}
// CHECK-SAME:    %[[L:[a-z0-9]+]]: tensor<?xi64> {cg.dims = ["N"], cg.name = "labels"})
// CHECK-SAME:    -> (tensor<f32> {cg.name = "loss"}, tensor<f32> {cg.name = "accuracy"})
// CHECK:         %[[Y:.+]] = cg.matmul %[[X]]
// CHECK:         cg.cast %[[L]]
// CHECK:         cg.argmax %[[Y]]
// CHECK:         cg.compare eq %{{.+}}, %[[L]]
cg.graph @net(%x: tensor<?x4xf32> {cg.name = "x", cg.dims = ["N", "4"]}) -> tensor<?x2xf32> {
  %w = cg.parameter "w" : tensor<2x4xf32>
  %y = cg.matmul %x, %w transpose_b : tensor<?x4xf32>, tensor<2x4xf32>
  cg.return %y : tensor<?x2xf32>
}
cg.graph @loss(%p: tensor<?x2xf32> {cg.dims = ["N", "2"]}, %labels: tensor<?xi64> {cg.name = "labels", cg.dims = ["N"]}) -> tensor<f32> {
  %f = cg.cast %labels {type = f32} : tensor<?xi64>
  %s = cg.reduce_sum %p {axes = array<i64: 1>} : tensor<?x2xf32>
  %d = cg.sub %s, %f : tensor<?xf32>, tensor<?xf32>
  %m = cg.reduce_mean %d {axes = array<i64: 0>} : tensor<?xf32>
  cg.return %m : tensor<f32>
}
cg.graph @accuracy(%p: tensor<?x2xf32>, %labels: tensor<?xi64> {cg.name = "labels", cg.dims = ["N"]}) -> tensor<f32> {
  %i = cg.argmax %p {axis = 1 : i64} : tensor<?x2xf32>
  %e = cg.compare eq %i, %labels : tensor<?xi64>, tensor<?xi64>
  %f = cg.cast %e {type = f32} : tensor<?xi1>
  %m = cg.reduce_mean %f {axes = array<i64: 0>} : tensor<?xf32>
  cg.return %m : tensor<f32>
}
cg.graph @wide(%p: tensor<?x3xf32>) -> tensor<f32> {
  %m = cg.reduce_mean %p {axes = array<i64: 0, 1>} : tensor<?x3xf32>
  cg.return %m : tensor<f32>
}
