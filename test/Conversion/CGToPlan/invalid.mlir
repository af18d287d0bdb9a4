// RUN: espalier-opt %s --cg-to-plan --split-input-file --verify-diagnostics

cg.graph @not_fused(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{'cg.exp' op expects to be in a 'cg.group'}}
  %0 = cg.exp %x : tensor<4xf32>
  cg.return %0 : tensor<4xf32>
}

// -----

// expected-error@+1 {{'cg.graph' op expects arguments of static shape, but got 'tensor<?xf32>'}}
cg.graph @dynamic(%x: tensor<?xf32>) {
  cg.return
}

// -----

cg.graph @two_reductions(%x: tensor<4x4xf32>) -> tensor<f32> {
  %0 = cg.group(%x) {candidates = ["loops"]} : (tensor<4x4xf32>) -> tensor<f32> {
  ^bb0(%a: tensor<4x4xf32>):
    %s = cg.reduce_sum %a {axes = array<i64: 0>} : tensor<4x4xf32>
    // expected-error@+1 {{'cg.reduce_sum' op reduces the result of a reduction, which is another kernel}}
    %t = cg.reduce_sum %s {axes = array<i64: 0>} : tensor<4xf32>
    cg.yield %t : tensor<f32>
  }
  cg.return %0 : tensor<f32>
}

// -----

cg.graph @other_dims(%x: tensor<4x5xf32>) -> (tensor<5xf32>, tensor<4xf32>) {
  %0:2 = cg.group(%x) {candidates = ["loops"]} : (tensor<4x5xf32>) -> (tensor<5xf32>, tensor<4xf32>) {
  ^bb0(%a: tensor<4x5xf32>):
    %s = cg.reduce_sum %a {axes = array<i64: 0>} : tensor<4x5xf32>
    // expected-error@+1 {{'cg.reduce_sum' op expects to reduce 'tensor<4x5xf32>' as the group's first reduction does, but got 'tensor<4x5xf32>'}}
    %t = cg.reduce_sum %a {axes = array<i64: 1>} : tensor<4x5xf32>
    cg.yield %s, %t : tensor<5xf32>, tensor<4xf32>
  }
  cg.return %0#0, %0#1 : tensor<5xf32>, tensor<4xf32>
}

// -----

cg.graph @computed_view(%x: tensor<4x5xf32>) -> tensor<5x4xf32> {
  %0 = cg.group(%x) {candidates = ["loops"]} : (tensor<4x5xf32>) -> tensor<5x4xf32> {
  ^bb0(%a: tensor<4x5xf32>):
    %e = cg.exp %a : tensor<4x5xf32>
    // expected-error@+1 {{'cg.transpose' op expects operands in memory, but got a value that its group computes}}
    %t = cg.transpose %e {permutation = array<i64: 1, 0>} : tensor<4x5xf32>
    cg.yield %t : tensor<5x4xf32>
  }
  cg.return %0 : tensor<5x4xf32>
}

// -----

cg.graph @no_lowering(%x: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %0 = cg.group(%x) {candidates = ["loops"]} : (tensor<4x5xf32>) -> tensor<4x5xf32> {
  ^bb0(%a: tensor<4x5xf32>):
    // expected-error@+1 {{'cg.softmax' op has no lowering to loops}}
    %s = cg.softmax %a {axis = 1 : i64} : tensor<4x5xf32>
    cg.yield %s : tensor<4x5xf32>
  }
  cg.return %0 : tensor<4x5xf32>
}

// -----

cg.graph @other_space(%x: tensor<4x5xf32>, %b: tensor<5xf32>) -> (tensor<4x5xf32>, tensor<5xf32>) {
  // expected-error@+1 {{'cg.group' op yields 'tensor<5xf32>', which is not the shape of its group's loops}}
  %0:2 = cg.group(%x, %b) {candidates = ["loops"]} : (tensor<4x5xf32>, tensor<5xf32>) -> (tensor<4x5xf32>, tensor<5xf32>) {
  ^bb0(%a: tensor<4x5xf32>, %c: tensor<5xf32>):
    %e = cg.exp %a : tensor<4x5xf32>
    %f = cg.exp %c : tensor<5xf32>
    cg.yield %e, %f : tensor<4x5xf32>, tensor<5xf32>
  }
  cg.return %0#0, %0#1 : tensor<4x5xf32>, tensor<5xf32>
}

// -----

cg.graph @no_call(%x: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error@+1 {{'cg.group' op expects one contraction and what the library can add to it}}
  %0 = cg.group(%x) {candidates = ["onednn"]} : (tensor<4x5xf32>) -> tensor<4x5xf32> {
  ^bb0(%a: tensor<4x5xf32>):
    %e = cg.exp %a : tensor<4x5xf32>
    cg.yield %e : tensor<4x5xf32>
  }
  cg.return %0 : tensor<4x5xf32>
}

// -----

// expected-error@+1 {{'cg.graph' op expects 'cg.tied' of result 0 to be the index of an argument of type 'tensor<4xf32>'}}
cg.graph @tied(%x: tensor<5xf32>, %y: tensor<4xf32>) -> (tensor<4xf32> {cg.tied = 0 : i64}) {
  cg.return %y : tensor<4xf32>
}

// -----

// expected-error@+1 {{'cg.graph' op expects one result for each tied argument, but got two for argument 0}}
cg.graph @tied_twice(%x: tensor<4xf32>) -> (tensor<4xf32> {cg.tied = 0 : i64}, tensor<4xf32> {cg.tied = 0 : i64}) {
  cg.return %x, %x : tensor<4xf32>, tensor<4xf32>
}

// -----

cg.graph @mixed_orders(%x: tensor<1x4x6x6xf32>, %w: tensor<4x4x1x1xf32>) -> tensor<1x4x6x6xf32> {
  // expected-error@+1 {{'cg.group' op expects all images in one order, NCHW or NHWC, and the filter in the order OIHW}}
  %0 = cg.group(%x, %w) {candidates = ["onednn"], layouts = [array<i64: 0, 2, 3, 1>]} : (tensor<1x4x6x6xf32>, tensor<4x4x1x1xf32>) -> tensor<1x4x6x6xf32> {
  ^bb0(%a: tensor<1x4x6x6xf32>, %b: tensor<4x4x1x1xf32>):
    %y = cg.conv2d %a, %b : tensor<1x4x6x6xf32>, tensor<4x4x1x1xf32>
    cg.yield %y : tensor<1x4x6x6xf32>
  }
  %1 = cg.group(%0) {candidates = ["loops"]} : (tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32> {
  ^bb0(%a: tensor<1x4x6x6xf32>):
    cg.yield %a : tensor<1x4x6x6xf32>
  }
  cg.return %1 : tensor<1x4x6x6xf32>
}

// -----

cg.graph @unknown_candidate(%x: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error@+1 {{'cg.group' op expects a candidate of a CPU, which are onednn, tile, loops, but got 'cudnn'}}
  %0 = cg.group(%x) {candidates = ["cudnn", "loops"]} : (tensor<4x5xf32>) -> tensor<4x5xf32> {
  ^bb0(%a: tensor<4x5xf32>):
    %e = cg.exp %a : tensor<4x5xf32>
    cg.yield %e : tensor<4x5xf32>
  }
  cg.return %0 : tensor<4x5xf32>
}

// -----

cg.graph @no_tiles(%x: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error@+1 {{'cg.group' op cannot become tiles: it has no contraction}}
  %0 = cg.group(%x) {candidates = ["tile"]} : (tensor<4x5xf32>) -> tensor<4x5xf32> {
  ^bb0(%a: tensor<4x5xf32>):
    %e = cg.exp %a : tensor<4x5xf32>
    cg.yield %e : tensor<4x5xf32>
  }
  cg.return %0 : tensor<4x5xf32>
}

// -----

cg.graph @unpacked(%x: tensor<4x5xf32>, %w: tensor<6x5xf32>) -> tensor<4x6xf32> {
  // expected-error@+1 {{'cg.group' op cannot become tiles: the features of the filter are not contiguous in memory}}
  %0 = cg.group(%x, %w) {candidates = ["tile"]} : (tensor<4x5xf32>, tensor<6x5xf32>) -> tensor<4x6xf32> {
  ^bb0(%a: tensor<4x5xf32>, %b: tensor<6x5xf32>):
    %y = cg.matmul %a, %b transpose_b : tensor<4x5xf32>, tensor<6x5xf32>
    cg.yield %y : tensor<4x6xf32>
  }
  cg.return %0 : tensor<4x6xf32>
}

// -----

cg.graph @more_than_tiles(%x: tensor<4x5xf32>, %w: tensor<5x6xf32>) -> tensor<4x6xf32> {
  // expected-error@+1 {{'cg.group' op cannot become tiles: not everything after its contraction is elementwise on the result}}
  %0 = cg.group(%x, %w) {candidates = ["tile"]} : (tensor<4x5xf32>, tensor<5x6xf32>) -> tensor<4x6xf32> {
  ^bb0(%a: tensor<4x5xf32>, %b: tensor<5x6xf32>):
    %y = cg.matmul %a, %b : tensor<4x5xf32>, tensor<5x6xf32>
    %s = cg.reduce_sum %y {axes = array<i64: 0>} : tensor<4x6xf32>
    %z = cg.add %y, %s : tensor<4x6xf32>, tensor<6xf32>
    cg.yield %z : tensor<4x6xf32>
  }
  cg.return %0 : tensor<4x6xf32>
}
