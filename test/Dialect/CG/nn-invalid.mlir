// RUN: espalier-opt %s --split-input-file --verify-diagnostics

cg.graph @conv2d_c1(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error@+1 {{'cg.conv2d' op expects 'strides' to be 2 integers of at least 1, but got [0, 1]}}
  %0 = cg.conv2d %x, %w strides [0, 1] : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>
  cg.return
}

// -----

cg.graph @conv2d_c1_pads(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error@+1 {{'cg.conv2d' op expects 'pads' to be 4 integers of at least 0, but got [1, 1]}}
  %0 = cg.conv2d %x, %w pads [1, 1] : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>
  cg.return
}

// -----

cg.graph @conv2d_c1_dilations(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error@+1 {{'cg.conv2d' op expects 'dilations' to be 2 integers of at least 1, but got [1, -9223372036854775808]}}
  %0 = cg.conv2d %x, %w dilations [1, -9223372036854775808] : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>
  cg.return
}

// -----

cg.graph @conv2d_c1_groups(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error@+1 {{'cg.conv2d' op expects 'groups' to be at least 1, but got 0}}
  %0 = cg.conv2d %x, %w groups 0 : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>
  cg.return
}

// -----

cg.graph @conv2d_c2(%x: tensor<1x4x8x8xf32>, %w: tensor<6x5x3x3xf32>) {
  // expected-error@+1 {{'cg.conv2d' op expects input channels (4) to equal filter channels (5) times groups (1)}}
  %0 = cg.conv2d %x, %w : tensor<1x4x8x8xf32>, tensor<6x5x3x3xf32>
  cg.return
}

// -----

cg.graph @conv2d_c2_element_types(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf64>) {
  // expected-error@+1 {{'cg.conv2d' op expects one element type, but got input f32[1, 4, 8, 8] and filter f64[6, 4, 3, 3]}}
  %0 = cg.conv2d %x, %w : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf64>
  cg.return
}

// -----

cg.graph @conv2d_c2_overflow(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error@+1 {{'cg.conv2d' op expects input channels (4) to equal filter channels (4) times groups (4611686018427387904)}}
  %0 = cg.conv2d %x, %w groups 4611686018427387904 : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>
  cg.return
}

// -----

cg.graph @conv2d_c3(%x: tensor<1x4x8x8xf32>, %w: tensor<5x2x3x3xf32>) {
  // expected-error@+1 {{'cg.conv2d' op expects filter features (5) to be a multiple of groups (2)}}
  %0 = cg.conv2d %x, %w groups 2 : tensor<1x4x8x8xf32>, tensor<5x2x3x3xf32>
  cg.return
}

// -----

cg.graph @conv2d_c4(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error@+1 {{'cg.conv2d' op expects the padded input to cover the dilated filter, but got input extent 8 with pads 0 and 0, filter extent 3 with dilation 4}}
  %0 = cg.conv2d %x, %w dilations [4, 1] : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>
  cg.return
}

// -----

cg.graph @conv2d_c4_no_tap(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x0xf32>) {
  // expected-error@+1 {{'cg.conv2d' op expects the padded input to cover the dilated filter, but got input extent 8 with pads 0 and 0, filter extent 0 with dilation 1}}
  %0 = cg.conv2d %x, %w : tensor<1x4x8x8xf32>, tensor<6x4x3x0xf32>
  cg.return
}

// -----

cg.graph @conv2d_c4_overflow(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error@+1 {{'cg.conv2d' op expects the padded input to cover the dilated filter, but got input extent 8 with pads 4611686018427387904 and 4611686018427387904, filter extent 3 with dilation 1}}
  %0 = cg.conv2d %x, %w pads [4611686018427387904, 0, 4611686018427387904, 0] : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>
  cg.return
}

// -----

cg.graph @conv2d_rank(%x: tensor<4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error@+1 {{'cg.conv2d' op expects tensors of rank 4, but got f32[4, 8, 8] and f32[6, 4, 3, 3]}}
  %0 = cg.conv2d %x, %w : tensor<4x8x8xf32>, tensor<6x4x3x3xf32>
  cg.return
}

// -----

cg.graph @conv2d_input_gradient_c1(%g: tensor<1x6x7x6xf32>, %w: tensor<6x4x3x3xf32>, %x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.conv2d_input_gradient' op expects a cotangent like f32[1, 6, 6, 6], but got f32[1, 6, 7, 6]}}
  %0 = cg.conv2d_input_gradient %g, %w, %x : tensor<1x6x7x6xf32>, tensor<6x4x3x3xf32>, tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @conv2d_filter_gradient_c1(%g: tensor<1x6x7x6xf32>, %w: tensor<6x4x3x3xf32>, %x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.conv2d_filter_gradient' op expects a cotangent like f32[1, 6, 6, 6], but got f32[1, 6, 7, 6]}}
  %0 = cg.conv2d_filter_gradient %x, %g, %w : tensor<1x4x8x8xf32>, tensor<1x6x7x6xf32>, tensor<6x4x3x3xf32>
  cg.return
}

// -----

cg.graph @conv2d_filter_gradient_c2(%g: tensor<1x6x6x6xf32>, %w: tensor<6x4x3x3xbf16>, %x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.conv2d_filter_gradient' op expects a filter of the input's element type, or of f32 where that is narrower, but got bf16[6, 4, 3, 3] for f32[1, 4, 8, 8]}}
  %0 = cg.conv2d_filter_gradient %x, %g, %w : tensor<1x4x8x8xf32>, tensor<1x6x6x6xf32>, tensor<6x4x3x3xbf16>
  cg.return
}

// -----

cg.graph @conv2d_filter_gradient_c2_cotangent(%g: tensor<1x6x6x6xf32>, %w: tensor<6x4x3x3xf32>, %x: tensor<1x4x8x8xbf16>) {
  // expected-error@+1 {{'cg.conv2d_filter_gradient' op expects a cotangent like bf16[1, 6, 6, 6], but got f32[1, 6, 6, 6]}}
  %0 = cg.conv2d_filter_gradient %x, %g, %w : tensor<1x4x8x8xbf16>, tensor<1x6x6x6xf32>, tensor<6x4x3x3xf32>
  cg.return
}

// -----

cg.graph @matmul_c1(%a: tensor<4xf32>, %b: tensor<4x2xf32>) {
  // expected-error@+1 {{'cg.matmul' op expects operands of rank 2 or more, the second of rank 2 or that of the first, but got f32[4] and f32[4, 2]}}
  %0 = cg.matmul %a, %b : tensor<4xf32>, tensor<4x2xf32>
  cg.return
}

// -----

cg.graph @matmul_c1_batch(%a: tensor<3x2x4xf32>, %b: tensor<5x4x2xf32>) {
  // expected-error@+1 {{'cg.matmul' op expects operands with equal leading extents, but got f32[3, 2, 4] and f32[5, 4, 2]}}
  %0 = cg.matmul %a, %b : tensor<3x2x4xf32>, tensor<5x4x2xf32>
  cg.return
}

// -----

cg.graph @matmul_c2(%a: tensor<2x4xf32>, %b: tensor<4x3xf32>) {
  // expected-error@+1 {{'cg.matmul' op expects equal contracted extents, but got 4 of f32[2, 4] and 3 of f32[4, 3]}}
  %0 = cg.matmul %a, %b transpose_b : tensor<2x4xf32>, tensor<4x3xf32>
  cg.return
}

// -----

cg.graph @matmul_c2_element_types(%a: tensor<2x4xf32>, %b: tensor<4x3xf64>) {
  // expected-error@+1 {{'cg.matmul' op expects operands of one element type, but got f32[2, 4] and f64[4, 3]}}
  %0 = cg.matmul %a, %b : tensor<2x4xf32>, tensor<4x3xf64>
  cg.return
}

// -----

cg.graph @matmul_c3(%a: tensor<2x4xf32>, %b: tensor<4x3xf32>) {
  // expected-error@+1 {{'cg.matmul' op expects 'result_type' to be the operands' element type, or f32 where that is narrower, but got 'bf16' for f32[2, 4]}}
  %0 = cg.matmul %a, %b {result_type = bf16} : tensor<2x4xf32>, tensor<4x3xf32>
  cg.return
}

// -----

cg.graph @batch_norm_c1(%x: tensor<1x4x8x8xf32>, %a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>, %d: tensor<5xf32>) {
  // expected-error@+1 {{'cg.batch_norm' op expects vectors over dimension 1 of the input, but got f32[5] for f32[1, 4, 8, 8]}}
  %0 = cg.batch_norm %x, %a, %b, %c, %d {epsilon = 1.000000e-05 : f64, momentum = 1.000000e-01 : f64} : tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<5xf32>
  cg.return
}

// -----

cg.graph @batch_norm_c1_rank(%x: tensor<4xf32>, %a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>, %d: tensor<4xf32>) {
  // expected-error@+1 {{'cg.batch_norm' op expects an input of rank 2 or more, but got f32[4]}}
  %0 = cg.batch_norm %x, %a, %b, %c, %d {epsilon = 1.000000e-05 : f64, momentum = 1.000000e-01 : f64} : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  cg.return
}

// -----

cg.graph @batch_norm_c2(%x: tensor<1x4x8x8xf32>, %a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>, %d: tensor<4xf32>) {
  // expected-error@+1 {{'cg.batch_norm' op expects 'epsilon' to be at least 0, but got -1.000000e+00}}
  %0 = cg.batch_norm %x, %a, %b, %c, %d {epsilon = -1.000000e+00 : f64, momentum = 1.000000e-01 : f64} : tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  cg.return
}

// -----

cg.graph @batch_norm_c2_momentum(%x: tensor<1x4x8x8xf32>, %a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>, %d: tensor<4xf32>) {
  // expected-error@+1 {{'cg.batch_norm' op expects 'momentum' in [0, 1], but got 1.500000e+00}}
  %0 = cg.batch_norm %x, %a, %b, %c, %d {epsilon = 1.000000e-05 : f64, momentum = 1.500000e+00 : f64} : tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  cg.return
}

// -----

cg.graph @batch_norm_attribute(%x: tensor<1x4x8x8xf32>, %a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>, %d: tensor<4xf32>) {
  // expected-error@+1 {{'cg.batch_norm' op requires attribute 'momentum'}}
  %0 = cg.batch_norm %x, %a, %b, %c, %d {epsilon = 1.000000e-05 : f64} : tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  cg.return
}

// -----

cg.graph @batch_norm_inference_c1(%x: tensor<1x4x8x8xf32>, %a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>, %d: tensor<4xf64>) {
  // expected-error@+1 {{'cg.batch_norm_inference' op expects vectors over dimension 1 of the input, but got f64[4] for f32[1, 4, 8, 8]}}
  %0 = cg.batch_norm_inference %x, %a, %b, %c, %d {epsilon = 1.000000e-05 : f64} : tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf64>
  cg.return
}

// -----

cg.graph @batch_norm_inference_c2(%x: tensor<1x4x8x8xf32>, %a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>, %d: tensor<4xf32>) {
  // expected-error@+1 {{'cg.batch_norm_inference' op expects 'epsilon' to be at least 0, but got nan}}
  %0 = cg.batch_norm_inference %x, %a, %b, %c, %d {epsilon = 0x7FF8000000000000 : f64} : tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  cg.return
}

// -----

cg.graph @batch_norm_training_c1(%x: tensor<1x4x8x8xf32>, %a: tensor<4xf32>, %b: tensor<5xf32>) {
  // expected-error@+1 {{'cg.batch_norm_training' op expects vectors over dimension 1 of the input, but got f32[5] for f32[1, 4, 8, 8]}}
  %0:3 = cg.batch_norm_training %x, %a, %b {epsilon = 1.000000e-05 : f64} : tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<5xf32>
  cg.return
}

// -----

cg.graph @batch_norm_training_c2(%x: tensor<1x4x8x8xf32>, %a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error@+1 {{'cg.batch_norm_training' op expects 'epsilon' to be at least 0, but got -1.000000e+00}}
  %0:3 = cg.batch_norm_training %x, %a, %b {epsilon = -1.000000e+00 : f64} : tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>
  cg.return
}

// -----

cg.graph @dropout_c1(%x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.dropout' op expects 'rate' in [0, 1), but got 1.000000e+00}}
  %0 = cg.dropout "d" %x {rate = 1.000000e+00 : f64} : tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @max_pool2d_c1(%x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.max_pool2d' op expects 'kernel' to be 2 integers of at least 1, but got [0, 2]}}
  %0 = cg.max_pool2d %x kernel [0, 2] : tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @max_pool2d_c1_strides(%x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.max_pool2d' op expects 'strides' to be 2 integers of at least 1, but got [2]}}
  %0 = cg.max_pool2d %x kernel [2, 2] strides [2] : tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @max_pool2d_c1_pads(%x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.max_pool2d' op expects 'pads' to be 4 integers of at least 0, but got [0, 0, 0, -1]}}
  %0 = cg.max_pool2d %x kernel [3, 3] pads [0, 0, 0, -1] : tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @max_pool2d_c1_wide_pads(%x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.max_pool2d' op expects pads of at most half the kernel extent 3, but got 0 and 2}}
  %0 = cg.max_pool2d %x kernel [3, 3] pads [0, 0, 2, 0] : tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @max_pool2d_c2(%x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.max_pool2d' op expects the padded input to cover the window, but got input extent 8 with pads 0 and 0, kernel extent 9}}
  %0 = cg.max_pool2d %x kernel [9, 3] ceil_mode : tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @max_pool2d_rank(%x: tensor<8x8xf32>) {
  // expected-error@+1 {{'cg.max_pool2d' op expects an input of rank 4, but got f32[8, 8]}}
  %0 = cg.max_pool2d %x kernel [2, 2] : tensor<8x8xf32>
  cg.return
}

// -----

cg.graph @max_pool2d_gradient_c1(%g: tensor<1x4x4x5xf32>, %x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.max_pool2d_gradient' op expects a cotangent like f32[1, 4, 4, 4], but got f32[1, 4, 4, 5]}}
  %0 = cg.max_pool2d_gradient %g, %x kernel [2, 2] : tensor<1x4x4x5xf32>, tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @avg_pool2d_c1(%x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.avg_pool2d' op expects 'kernel' to be 2 integers of at least 1, but got [0, 2]}}
  %0 = cg.avg_pool2d %x kernel [0, 2] : tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @avg_pool2d_c1_strides(%x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.avg_pool2d' op expects 'strides' to be 2 integers of at least 1, but got [2]}}
  %0 = cg.avg_pool2d %x kernel [2, 2] strides [2] : tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @avg_pool2d_c1_pads(%x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.avg_pool2d' op expects 'pads' to be 4 integers of at least 0, but got [0, 0, 0, -1]}}
  %0 = cg.avg_pool2d %x kernel [3, 3] pads [0, 0, 0, -1] : tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @avg_pool2d_c1_wide_pads(%x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.avg_pool2d' op expects pads of at most half the kernel extent 3, but got 0 and 2}}
  %0 = cg.avg_pool2d %x kernel [3, 3] pads [0, 0, 2, 0] : tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @avg_pool2d_c2(%x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.avg_pool2d' op expects the padded input to cover the window, but got input extent 8 with pads 0 and 0, kernel extent 9}}
  %0 = cg.avg_pool2d %x kernel [9, 3] ceil_mode : tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @avg_pool2d_rank(%x: tensor<8x8xf32>) {
  // expected-error@+1 {{'cg.avg_pool2d' op expects an input of rank 4, but got f32[8, 8]}}
  %0 = cg.avg_pool2d %x kernel [2, 2] : tensor<8x8xf32>
  cg.return
}

// -----

cg.graph @avg_pool2d_gradient_c1(%g: tensor<1x4x4x5xf32>, %x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.avg_pool2d_gradient' op expects a cotangent like f32[1, 4, 4, 4], but got f32[1, 4, 4, 5]}}
  %0 = cg.avg_pool2d_gradient %g, %x kernel [2, 2] : tensor<1x4x4x5xf32>, tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @max_pool2d_select_c1(%v: tensor<1x4x8x7xf32>, %x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.max_pool2d_select' op expects values like f32[1, 4, 8, 8], but got f32[1, 4, 8, 7]}}
  %0 = cg.max_pool2d_select %v, %x kernel [2, 2] : tensor<1x4x8x7xf32>, tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @max_pool2d_select_c2(%v: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.max_pool2d_select' op expects the padded input to cover the window, but got input extent 8 with pads 0 and 0, kernel extent 9}}
  %0 = cg.max_pool2d_select %v, %v kernel [9, 3] : tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @adaptive_avg_pool2d_c1(%x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.adaptive_avg_pool2d' op expects 'extents' to be 2 integers of at least 1, but got [7, 0]}}
  %0 = cg.adaptive_avg_pool2d %x extents [7, 0] : tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @adaptive_avg_pool2d_c2(%x: tensor<1x4x8x0xf32>) {
  // expected-error@+1 {{'cg.adaptive_avg_pool2d' op expects an image with rows and columns, but got f32[1, 4, 8, 0]}}
  %0 = cg.adaptive_avg_pool2d %x extents [7, 7] : tensor<1x4x8x0xf32>
  cg.return
}

// -----

cg.graph @adaptive_avg_pool2d_rank(%x: tensor<8x8xf32>) {
  // expected-error@+1 {{'cg.adaptive_avg_pool2d' op expects an image with rows and columns, but got f32[8, 8]}}
  %0 = cg.adaptive_avg_pool2d %x extents [7, 7] : tensor<8x8xf32>
  cg.return
}

// -----

cg.graph @adaptive_avg_pool2d_too_large(%x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.adaptive_avg_pool2d' op expects a result smaller than 2^63 bytes, but got f32[1, 4, 4611686018427387904, 7]}}
  %0 = cg.adaptive_avg_pool2d %x extents [4611686018427387904, 7] : tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @adaptive_avg_pool2d_gradient_c1(%g: tensor<1x3x7x7xf32>, %x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.adaptive_avg_pool2d_gradient' op expects a cotangent of known rows and columns for f32[1, 4, 8, 8], but got f32[1, 3, 7, 7]}}
  %0 = cg.adaptive_avg_pool2d_gradient %g, %x : tensor<1x3x7x7xf32>, tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @adaptive_avg_pool2d_gradient_c1_unknown(%g: tensor<1x4x?x7xf32>, %x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.adaptive_avg_pool2d_gradient' op expects a cotangent of known rows and columns for f32[1, 4, 8, 8], but got f32[1, 4, ?0, 7]}}
  %0 = cg.adaptive_avg_pool2d_gradient %g, %x : tensor<1x4x?x7xf32>, tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @adaptive_avg_pool2d_gradient_c2(%g: tensor<1x4x7x7xf32>, %x: tensor<1x4x0x8xf32>) {
  // expected-error@+1 {{'cg.adaptive_avg_pool2d_gradient' op expects an image with rows and columns, but got f32[1, 4, 0, 8]}}
  %0 = cg.adaptive_avg_pool2d_gradient %g, %x : tensor<1x4x7x7xf32>, tensor<1x4x0x8xf32>
  cg.return
}

// -----

cg.graph @mutual_information_c1(%x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.mutual_information' op expects 'window' to be 2 odd integers of at least 1, but got [3, 2]}}
  %0 = cg.mutual_information %x window [3, 2] : tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @mutual_information_c2(%x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.mutual_information' op expects 'dilations' to be 4 integers of at least 1, but got [1, 2]}}
  %0 = cg.mutual_information %x, %x window [3, 3] dilations [1, 2] : tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>
  cg.return
}

// -----

cg.graph @mutual_information_c3(%x: tensor<1x4x8x8xf32>, %y: tensor<1x3x8x8xf32>) {
  // expected-error@+1 {{'cg.mutual_information' op expects images of one element type with equal channels, but got f32[1, 4, 8, 8] and f32[1, 3, 8, 8]}}
  %0 = cg.mutual_information %x, %y window [3, 3] : tensor<1x4x8x8xf32>, tensor<1x3x8x8xf32>
  cg.return
}

// -----

cg.graph @mutual_information_none() {
  // expected-error@+2 {{'cg.mutual_information' op expects at least 1 image, but got 0}}
  // expected-error@+1 {{'cg.mutual_information' op failed to infer returned types}}
  %0 = "cg.mutual_information"() {window = array<i64: 3, 3>} : () -> tensor<4x3x3xf64>
  cg.return
}

// -----

cg.graph @mutual_information_c4(%x: tensor<1x4x8x8xf32>) {
  // expected-error@+1 {{'cg.mutual_information' op expects images that reach further than half the window (8 along dimension 3), but got f32[1, 4, 8, 8]}}
  %0 = cg.mutual_information %x window [3, 5] dilations [7, 4] : tensor<1x4x8x8xf32>
  cg.return
}

// -----

// What a window reaches must be a number.
cg.graph @mutual_information_overflow(%x: tensor<1x4x8x?xf32>) {
  // expected-error@+1 {{'cg.mutual_information' op expects images that reach further than half the window}}
  %0 = cg.mutual_information %x window [3, 5] dilations [1, 9223372036854775807] : tensor<1x4x8x?xf32>
  cg.return
}
