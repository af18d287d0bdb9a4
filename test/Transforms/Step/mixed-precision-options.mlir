// RUN: not espalier-opt %s --cg-mixed-precision=type=f16 2>&1 | FileCheck %s --check-prefix=F16
// RUN: espalier-opt %s --cg-mixed-precision=graph=chosen | FileCheck %s

// F16: error: expects bf16 as the narrow type, but got f16

// CHECK-LABEL: cg.graph @other(
// CHECK:         cg.matmul {{.*}}xf32>
cg.graph @other(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %w = cg.parameter "w" : tensor<4x4xf32>
  %y = cg.matmul %x, %w : tensor<2x4xf32>, tensor<4x4xf32>
  cg.return %y : tensor<2x4xf32>
}

// CHECK-LABEL: cg.graph @chosen(
// CHECK:         cg.matmul {{.*}}xbf16>
cg.graph @chosen(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %w = cg.parameter "w" : tensor<4x4xf32>
  %y = cg.matmul %x, %w : tensor<2x4xf32>, tensor<4x4xf32>
  cg.return %y : tensor<2x4xf32>
}
