// DEFINE: %{score} = espalier-opt %s --split-input-file --pass-pipeline
// RUN: %{score}='builtin.module(cg.graph(cg-score-filters))' --remark-format=emitRemark --remarks-filter-missed=cg-score-filters 2>%t.remarks | FileCheck %s --check-prefixes=CHECK,SYNFLOW
// RUN: FileCheck %s --check-prefix=REMARK --input-file %t.remarks
// RUN: %{score}='builtin.module(cg.graph(cg-score-filters{score=snip}))' | FileCheck %s --check-prefixes=CHECK,SNIP
// RUN: %{score}='builtin.module(cg.graph(cg-score-filters{score=gradient-norm}))' | FileCheck %s --check-prefixes=CHECK,NORM

// CHECK-LABEL: cg.graph @scored(
// CHECK:         %[[W:.+]] = cg.parameter "a"
// CHECK:         cg.parameter_gradient "a", %[[G:.+]] {cg.weight_decay
// SYNFLOW:       %[[PRODUCT:.+]] = cg.mul %[[W]], %[[G]]
// SYNFLOW-NEXT:  %[[SUM:.+]] = cg.reduce_sum %[[PRODUCT]] {axes = array<i64: 0, 1, 2, 3>}
// SNIP:          %[[PRODUCT:.+]] = cg.mul %[[W]], %[[G]]
// SNIP-NEXT:     %[[ABSOLUTE:.+]] = cg.abs %[[PRODUCT]]
// SNIP-NEXT:     %[[SUM:.+]] = cg.reduce_sum %[[ABSOLUTE]]
// NORM:          %[[SQUARE:.+]] = cg.mul %[[G]], %[[G]]
// NORM-NEXT:     %[[SQUARES:.+]] = cg.reduce_sum %[[SQUARE]]
// NORM-NEXT:     %[[SUM:.+]] = cg.sqrt %[[SQUARES]]
// CHECK-NEXT:    %[[OLD:.+]] = cg.state "a" slot "score" : tensor<f32> init #cg.fill<0.0
// CHECK-NEXT:    %[[NEW:.+]] = cg.add %[[OLD]], %[[SUM]] : tensor<f32>
// CHECK-NEXT:    cg.update "a" slot "score", %[[NEW]] : tensor<f32>
// CHECK-NEXT:    cg.return
cg.graph @scored(%x: tensor<1x4x9x9xf32>, %g: tensor<4x2x3x3xf32>) -> tensor<1x4x9x9xf32> {
  %a = cg.parameter "a" : tensor<4x2x3x3xf32>
  // The one filter of two convolutions has one score.
  %y0 = cg.conv2d %x, %a pads [1, 1, 1, 1] groups 2 : tensor<1x4x9x9xf32>, tensor<4x2x3x3xf32>
  %y1 = cg.conv2d %y0, %a pads [2, 2, 2, 2] dilations [2, 2] groups 2 : tensor<1x4x9x9xf32>, tensor<4x2x3x3xf32>
  %ga = cg.parameter_gradient "a", %g {cg.weight_decay = 0.0 : f64} : tensor<4x2x3x3xf32>
  cg.return %y1 : tensor<1x4x9x9xf32>
}

// -----

// Sums of narrow numbers are taken in f32.
// CHECK-LABEL: cg.graph @narrow(
// CHECK:         cg.cast %{{.+}} : tensor<4x4x3x3xbf16>
// CHECK:         cg.state "n" slot "score" : tensor<f32>
// CHECK:         cg.update "n" slot "score"
cg.graph @narrow(%x: tensor<1x4x9x9xbf16>, %g: tensor<4x4x3x3xbf16>) -> tensor<1x4x7x7xbf16> {
  %w = cg.parameter "n" : tensor<4x4x3x3xbf16>
  %y = cg.conv2d %x, %w : tensor<1x4x9x9xbf16>, tensor<4x4x3x3xbf16>
  %gw = cg.parameter_gradient "n", %g : tensor<4x4x3x3xbf16>
  cg.return %y : tensor<1x4x7x7xbf16>
}

// -----

// CHECK-LABEL: cg.graph @not_scored(
// CHECK-NOT:     slot "score"
// CHECK:         cg.return
// REMARK:      [Missed] not-scored | Category:cg-score-filters | Reason="its window of 1x1 is not of odd extents of at least 3"
// REMARK: Reason="its window of 3x5 is not square"
// REMARK: Reason="its filter is not trained"
// REMARK-NOT:  not-scored
cg.graph @not_scored(%x: tensor<1x4x9x9xf32>)
    -> (tensor<1x4x9x9xf32>, tensor<1x4x7x5xf32>, tensor<1x4x7x7xf32>) {
  %w0 = cg.parameter "point" : tensor<4x4x1x1xf32>
  %y0 = cg.conv2d %x, %w0 : tensor<1x4x9x9xf32>, tensor<4x4x1x1xf32>
  %w1 = cg.parameter "oblong" : tensor<4x4x3x5xf32>
  %y1 = cg.conv2d %x, %w1 : tensor<1x4x9x9xf32>, tensor<4x4x3x5xf32>
  %w2 = cg.parameter "frozen" : tensor<4x4x3x3xf32>
  %y2 = cg.conv2d %x, %w2 : tensor<1x4x9x9xf32>, tensor<4x4x3x3xf32>
  %g0 = cg.parameter_gradient "point", %w0 : tensor<4x4x1x1xf32>
  %g1 = cg.parameter_gradient "oblong", %w1 : tensor<4x4x3x5xf32>
  cg.return %y0, %y1, %y2 : tensor<1x4x9x9xf32>, tensor<1x4x7x5xf32>, tensor<1x4x7x7xf32>
}
