// DEFINE: %{insert} = espalier-opt %s --split-input-file --pass-pipeline
// RUN: %{insert}='builtin.module(cg.graph(cg-insert-gradient-scaling))' --remark-format=emitRemark --remarks-filter-missed=cg-insert-gradient-scaling 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file %t.remarks
// RUN: %{insert}='builtin.module(cg.graph(cg-insert-gradient-scaling{source=fixed block=acnet}))' | FileCheck %s --check-prefix=ACNET
// RUN: %{insert}='builtin.module(cg.graph(cg-insert-gradient-scaling{source=fixed block=repvgg}))' | FileCheck %s --check-prefix=REPVGG
// RUN: %{insert}='builtin.module(cg.graph(cg-insert-gradient-scaling{target=update}))' | FileCheck %s --check-prefix=UPDATE

// Each filter of an odd window has a matrix of ones of its own, in the type of its gradient.
// CHECK-LABEL: cg.graph @eligible
// CHECK:      %[[ADD:.+]] = cg.add
// CHECK:      %[[A:.+]] = cg.state "a" slot "gradient_scale" : tensor<3x3xf32> init #cg.values<dense<1.000000e+00> : tensor<3x3xf64>>
// CHECK-NEXT: %[[SCALED:.+]] = cg.mul %{{.+}}, %[[A]] : tensor<4x2x3x3xf32>, tensor<3x3xf32>
// CHECK-NEXT: %[[MARK:.+]] = cg.parameter_gradient "a", %[[SCALED]] {cg.weight_decay = 0.000000e+00 : f64}
// CHECK-NEXT: %[[DEPTHWISE:.+]] = cg.state "depthwise" slot "gradient_scale" : tensor<3x5xf32>
// CHECK-NEXT: %[[SCALED:.+]] = cg.mul %{{.+}}, %[[DEPTHWISE]]
// CHECK-NEXT: cg.parameter_gradient "depthwise", %[[SCALED]]
// CHECK-NEXT: cg.return

// ACNET-LABEL: cg.graph @eligible
// ACNET: cg.state "a" slot "gradient_scale" : tensor<3x3xf32> init #cg.values<dense<{{\[}}[6.000000e-01, 1.200000e+00, 6.000000e-01], [1.200000e+00, 1.800000e+00, 1.200000e+00], [6.000000e-01, 1.200000e+00, 6.000000e-01]]> : tensor<3x3xf64>>
// The branches have 15 + 5 + 3 = 23 taps, the window 15.
// ACNET: cg.state "depthwise" slot "gradient_scale" : tensor<3x5xf32> init #cg.values<dense<{{\[}}[0.65217391304347{{[0-9]+}}, 0.65217{{[0-9]+}}, 1.304347{{[0-9]+}}, 0.65217{{[0-9]+}}, 0.65217{{[0-9]+}}], [1.304347{{[0-9]+}}, 1.304347{{[0-9]+}}, 1.956521{{[0-9]+}}, 1.304347{{[0-9]+}}, 1.304347{{[0-9]+}}], [0.65217

// REPVGG-LABEL: cg.graph @eligible
// REPVGG: cg.state "a" slot "gradient_scale" : tensor<3x3xf32> init #cg.values<dense<{{\[}}[9.000000e-01, 9.000000e-01, 9.000000e-01], [9.000000e-01, 1.800000e+00, 9.000000e-01], [9.000000e-01, 9.000000e-01, 9.000000e-01]]> : tensor<3x3xf64>>

// The optimizer reads the slot.
// UPDATE-LABEL: cg.graph @eligible
// UPDATE: cg.parameter_gradient "a", %{{.+}} {cg.update_scale = "gradient_scale", cg.weight_decay = 0.000000e+00 : f64}
// UPDATE: cg.state "a" slot "gradient_scale"
// UPDATE-NOT: cg.mul
// UPDATE: cg.return
cg.graph @eligible(%x: tensor<1x4x9x9xf32>) -> tensor<1x4x9x9xf32> {
  %a = cg.parameter "a" : tensor<4x2x3x3xf32>
  %d = cg.parameter "depthwise" : tensor<4x1x3x5xf32>
  // The one filter of two convolutions is scaled once.
  %y0 = cg.conv2d %x, %a pads [1, 1, 1, 1] groups 2 : tensor<1x4x9x9xf32>, tensor<4x2x3x3xf32>
  %y1 = cg.conv2d %y0, %a pads [2, 2, 2, 2] dilations [2, 2] groups 2 : tensor<1x4x9x9xf32>, tensor<4x2x3x3xf32>
  %y2 = cg.conv2d %x, %d pads [1, 2, 1, 2] groups 4 : tensor<1x4x9x9xf32>, tensor<4x1x3x5xf32>
  %y = cg.add %y1, %y2 : tensor<1x4x9x9xf32>, tensor<1x4x9x9xf32>
  %ga = cg.parameter_gradient "a", %a {cg.weight_decay = 0.0 : f64} : tensor<4x2x3x3xf32>
  %gd = cg.parameter_gradient "depthwise", %d : tensor<4x1x3x5xf32>
  cg.return %y : tensor<1x4x9x9xf32>
}

// -----

// Near misses: no convolution of these has a filter to scale.
// CHECK-LABEL: cg.graph @not_eligible
// CHECK-NOT: gradient_scale
// CHECK: cg.return
// REMARK-COUNT-2: gradient-not-scaled {{.*}}Reason="its window of 1x1 is not of odd extents of at least 3"
// REMARK: gradient-not-scaled {{.*}}Reason="its window of 1x3 is not of odd extents of at least 3"
// REMARK: gradient-not-scaled {{.*}}Reason="its window of 3x2 is not of odd extents of at least 3"
// REMARK: gradient-not-scaled {{.*}}Reason="its filter is computed: only a parameter has a gradient to scale"
// REMARK: gradient-not-scaled {{.*}}Reason="its filter is computed: only a parameter has a gradient to scale"
// REMARK: gradient-not-scaled {{.*}}Reason="its filter is not trained"
// REMARK-NOT: gradient-not-scaled
cg.graph @not_eligible(%x: tensor<1x4x9x9xf32>, %computed: tensor<4x4x3x3xf32>)
    -> (tensor<1x4x9x9xf32>, tensor<1x4x9x9xf32>, tensor<1x4x9x7xf32>, tensor<1x4x7x8xf32>, tensor<1x4x7x7xf32>,
        tensor<1x4x7x7xf32>, tensor<1x4x7x7xf32>) {
  %point = cg.parameter "point" : tensor<4x4x1x1xf32>
  %row = cg.parameter "row" : tensor<4x4x1x3xf32>
  %even = cg.parameter "even" : tensor<4x4x3x2xf32>
  %factor = cg.parameter "factor" : tensor<4x4x3x3xf32>
  %frozen = cg.parameter "frozen" : tensor<4x4x3x3xf32>
  %bias = cg.parameter "bias" : tensor<4x1x1xf32>
  %0 = cg.conv2d %x, %point : tensor<1x4x9x9xf32>, tensor<4x4x1x1xf32>
  %1 = cg.conv2d %0, %point : tensor<1x4x9x9xf32>, tensor<4x4x1x1xf32>
  %2 = cg.conv2d %x, %row : tensor<1x4x9x9xf32>, tensor<4x4x1x3xf32>
  %3 = cg.conv2d %x, %even : tensor<1x4x9x9xf32>, tensor<4x4x3x2xf32>
  %product = cg.mul %factor, %factor : tensor<4x4x3x3xf32>, tensor<4x4x3x3xf32>
  %4 = cg.conv2d %x, %product : tensor<1x4x9x9xf32>, tensor<4x4x3x3xf32>
  %5 = cg.conv2d %x, %computed : tensor<1x4x9x9xf32>, tensor<4x4x3x3xf32>
  %6 = cg.conv2d %x, %frozen : tensor<1x4x9x9xf32>, tensor<4x4x3x3xf32>
  %biased = cg.add %1, %bias : tensor<1x4x9x9xf32>, tensor<4x1x1xf32>
  // What no result depends on is part of a derivative, as of a transposed convolution.
  %backward = cg.conv2d %x, %factor : tensor<1x4x9x9xf32>, tensor<4x4x3x3xf32>
  %g0 = cg.parameter_gradient "point", %point : tensor<4x4x1x1xf32>
  %g1 = cg.parameter_gradient "row", %row : tensor<4x4x1x3xf32>
  %g2 = cg.parameter_gradient "even", %even : tensor<4x4x3x2xf32>
  %g3 = cg.parameter_gradient "factor", %factor : tensor<4x4x3x3xf32>
  %g4 = cg.parameter_gradient "bias", %bias : tensor<4x1x1xf32>
  cg.return %biased, %1, %2, %3, %4, %5, %6
    : tensor<1x4x9x9xf32>, tensor<1x4x9x9xf32>, tensor<1x4x9x7xf32>, tensor<1x4x7x8xf32>, tensor<1x4x7x7xf32>,
      tensor<1x4x7x7xf32>, tensor<1x4x7x7xf32>
}

// -----

// A filter that is cast for its convolution has a gradient in its own type, and the matrix with it.
// CHECK-LABEL: cg.graph @cast
// CHECK: cg.state "w" slot "gradient_scale" : tensor<3x3xf32>
cg.graph @cast(%x: tensor<1x4x9x9xbf16>) -> tensor<1x4x7x7xbf16> {
  %w = cg.parameter "w" : tensor<4x4x3x3xf32>
  %narrow = cg.cast %w {type = bf16} : tensor<4x4x3x3xf32>
  %y = cg.conv2d %x, %narrow : tensor<1x4x9x9xbf16>, tensor<4x4x3x3xbf16>
  %g = cg.parameter_gradient "w", %w : tensor<4x4x3x3xf32>
  cg.return %y : tensor<1x4x7x7xbf16>
}

// -----

// What a parameter says of itself counts, for each output too.
// CHECK-LABEL: cg.graph @annotated
// ACNET-LABEL: cg.graph @annotated
cg.graph @annotated(%x: tensor<1x1x9x9xf32>) -> tensor<1x2x7x7xf32> {
  // CHECK:  cg.state "w" slot "gradient_scale" : tensor<2x1x3x3xf32> init #cg.values<dense<2.000000e+00> : tensor<2x1x3x3xf64>>
  // ACNET:  cg.state "w" slot "gradient_scale" : tensor<2x1x3x3xf32> init #cg.values<dense<2.000000e+00> : tensor<2x1x3x3xf64>>
  %w = cg.parameter "w" {cg.gradient_scale = dense<2.0> : tensor<2x1x3x3xf32>} : tensor<2x1x3x3xf32>
  %y = cg.conv2d %x, %w : tensor<1x1x9x9xf32>, tensor<2x1x3x3xf32>
  %g = cg.parameter_gradient "w", %w : tensor<2x1x3x3xf32>
  cg.return %y : tensor<1x2x7x7xf32>
}
