// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-insert-gradient-scaling{source=fixed matrix=1:2:1,2:3:2.5,1:2:1}))' --remark-format=emitRemark --remarks-filter-missed=cg-insert-gradient-scaling 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file %t.remarks

// The matrix is taken as it is, for filters of its size.
// CHECK: cg.state "fits" slot "gradient_scale" : tensor<3x3xf32> init #cg.values<dense<{{\[}}[1.000000e+00, 2.000000e+00, 1.000000e+00], [2.000000e+00, 3.000000e+00, 2.500000e+00], [1.000000e+00, 2.000000e+00, 1.000000e+00]]> : tensor<3x3xf64>>
// CHECK-NOT: slot
// REMARK: gradient-not-scaled {{.*}}Reason="its window is 3x5, but the matrix is 3x3"
// REMARK-NOT: gradient-not-scaled
cg.graph @net(%x: tensor<1x4x9x9xf32>) -> tensor<1x4x7x5xf32> {
  %fits = cg.parameter "fits" : tensor<4x4x3x3xf32>
  %wide = cg.parameter "wide" : tensor<4x4x3x5xf32>
  %y = cg.conv2d %x, %fits pads [1, 1, 1, 1] : tensor<1x4x9x9xf32>, tensor<4x4x3x3xf32>
  %z = cg.conv2d %y, %wide : tensor<1x4x9x9xf32>, tensor<4x4x3x5xf32>
  %g0 = cg.parameter_gradient "fits", %fits : tensor<4x4x3x3xf32>
  %g1 = cg.parameter_gradient "wide", %wide : tensor<4x4x3x5xf32>
  cg.return %z : tensor<1x4x7x5xf32>
}
