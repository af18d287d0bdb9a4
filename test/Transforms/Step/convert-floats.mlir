// RUN: espalier-opt %s --cg-convert-floats | FileCheck %s

// CHECK-LABEL: cg.graph @net(
// CHECK-SAME:    %{{.+}}: tensor<4xf64>, %{{.+}}: tensor<4xi64>) -> tensor<4xf64>
// CHECK:         cg.parameter "w" : tensor<4xf64>
// CHECK:         cg.constant dense<5.000000e-01> : tensor<f64>
// CHECK:         cg.cast %{{.+}} {type = f64} : tensor<4xi64>
cg.graph @net(%x: tensor<4xf32>, %i: tensor<4xi64>) -> tensor<4xf32> {
  %w = cg.parameter "w" : tensor<4xf32>
  %half = cg.constant dense<0.5> : tensor<f32>
  %f = cg.cast %i {type = f32} : tensor<4xi64>
  %a = cg.mul %x, %half : tensor<4xf32>, tensor<f32>
  %b = cg.mul %a, %f : tensor<4xf32>, tensor<4xf32>
  %c = cg.mul %b, %w : tensor<4xf32>, tensor<4xf32>
  cg.return %c : tensor<4xf32>
}
