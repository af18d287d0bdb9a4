// RUN: espalier-opt %s --cg-estimate-gradient-scaling='temperature=1 remove-diagonal filters=b.weight' --canonicalize | FileCheck %s
// RUN: not espalier-opt %s --cg-estimate-gradient-scaling='filters=b.weight,c.weight' 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: not espalier-opt %s --cg-estimate-gradient-scaling='temperature=0' 2>&1 | FileCheck %s --check-prefix=COLD
// RUN: not espalier-opt %s --cg-estimate-gradient-scaling='temperature=inf' 2>&1 | FileCheck %s --check-prefix=HOT
// RUN: espalier-opt %s --cg-estimate-gradient-scaling --remarks-filter=cg-estimate-gradient-scaling --remark-policy=all 2>&1 | FileCheck %s --check-prefix=REMARK

// CHECK-LABEL: cg.graph @two(
// CHECK-NOT:     cg.mutual_information %{{.+}} window [3, 3]
// CHECK:         cg.mutual_information %{{.+}} window [5, 3] dilations [1, 1] remove_diagonal
// CHECK-NOT:     cg.mutual_information
// CHECK:         cg.update "b.weight" slot "gradient_scale"
// CHECK-NOT:     cg.update

// MISSING: error: expects a filter 'c.weight' whose gradient can be scaled, but the network has none
// COLD: error: expects a temperature above 0, but got 0
// HOT: error: expects a temperature above 0, but got INF
// REMARK: [[@LINE+6]]:{{[0-9]+}}: remark: [Missed] scale-not-estimated | Category:cg-estimate-gradient-scaling{{.*}}its window of 1x1 is not of odd extents of at least 3
cg.graph @two(%x: tensor<2x3x8x8xf32>) -> tensor<2x3x2x4xf32> {
  %a = cg.parameter "a.weight" : tensor<3x3x3x3xf32>
  %0 = cg.conv2d %x, %a : tensor<2x3x8x8xf32>, tensor<3x3x3x3xf32>
  %c = cg.parameter "c.weight" : tensor<3x3x1x1xf32>
  // The window of `c` is a point.
  %1 = cg.conv2d %0, %c : tensor<2x3x6x6xf32>, tensor<3x3x1x1xf32>
  %b = cg.parameter "b.weight" : tensor<3x3x5x3xf32>
  %2 = cg.conv2d %1, %b : tensor<2x3x6x6xf32>, tensor<3x3x5x3xf32>
  cg.return %2 : tensor<2x3x2x4xf32>
}
