// RUN: espalier-opt %s --split-input-file --verify-diagnostics

cg.graph @group_c1(%x: tensor<?xf32>) {
  // expected-error@+1 {{'cg.group' op expects static shapes, but got 'tensor<?xf32>'}}
  %0 = cg.group(%x) {candidates = ["loops"]} : (tensor<?xf32>) -> tensor<?xf32> {
  ^bb0(%a: tensor<?xf32>):
    cg.yield %a : tensor<?xf32>
  }
  cg.return
}

// -----

cg.graph @group_c2(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.group' op expects a body with arguments of types 'tensor<2x3xf32>', but got 'tensor<3x2xf32>'}}
  %0 = cg.group(%x) {candidates = ["loops"]} : (tensor<2x3xf32>) -> tensor<3x2xf32> {
  ^bb0(%a: tensor<3x2xf32>):
    cg.yield %a : tensor<3x2xf32>
  }
  cg.return
}

// -----

cg.graph @group_c2_results(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.group' op expects a body that yields values of types 'tensor<3x2xf32>', but got 'tensor<2x3xf32>'}}
  %0 = cg.group(%x) {candidates = ["loops"]} : (tensor<2x3xf32>) -> tensor<3x2xf32> {
  ^bb0(%a: tensor<2x3xf32>):
    cg.yield %a : tensor<2x3xf32>
  }
  cg.return
}

// -----

cg.graph @group_c3(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.group' op expects at least one candidate, but got none}}
  %0 = cg.group(%x) {candidates = []} : (tensor<2x3xf32>) -> tensor<2x3xf32> {
  ^bb0(%a: tensor<2x3xf32>):
    cg.yield %a : tensor<2x3xf32>
  }
  cg.return
}

// -----

cg.graph @group_c3_chosen(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.group' op expects 'chosen' to be one of ["loops"], but got "magic"}}
  %0 = cg.group(%x) {candidates = ["loops"], chosen = "magic"} : (tensor<2x3xf32>) -> tensor<2x3xf32> {
  ^bb0(%a: tensor<2x3xf32>):
    cg.yield %a : tensor<2x3xf32>
  }
  cg.return
}

// -----

cg.graph @group_c3_twice(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.group' op expects each candidate once, but got ["loops", "loops"]}}
  %0 = cg.group(%x) {candidates = ["loops", "loops"]} : (tensor<2x3xf32>) -> tensor<2x3xf32> {
  ^bb0(%a: tensor<2x3xf32>):
    cg.yield %a : tensor<2x3xf32>
  }
  cg.return
}

// -----

cg.graph @group_c4(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.group' op expects 1 layouts, but got 2}}
  %0 = cg.group(%x) {candidates = ["loops"], layouts = [array<i64>, array<i64>]} : (tensor<2x3xf32>) -> tensor<2x3xf32> {
  ^bb0(%a: tensor<2x3xf32>):
    cg.yield %a : tensor<2x3xf32>
  }
  cg.return
}

// -----

cg.graph @group_c4_entries(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.group' op expects a permutation of the dimensions of 'tensor<2x3xf32>', but got array<i64: 1, 1>}}
  %0 = cg.group(%x) {candidates = ["loops"], layouts = [array<i64: 1, 1>]} : (tensor<2x3xf32>) -> tensor<2x3xf32> {
  ^bb0(%a: tensor<2x3xf32>):
    cg.yield %a : tensor<2x3xf32>
  }
  cg.return
}

// -----

cg.graph @group_c4_kind(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.group' op expects a permutation of the dimensions of 'tensor<2x3xf32>', but got "nhwc"}}
  %0 = cg.group(%x) {candidates = ["loops"], layouts = ["nhwc"]} : (tensor<2x3xf32>) -> tensor<2x3xf32> {
  ^bb0(%a: tensor<2x3xf32>):
    cg.yield %a : tensor<2x3xf32>
  }
  cg.return
}

// -----

cg.graph @yield_outside(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'cg.yield' op expects parent op 'cg.group'}}
  cg.yield %x : tensor<2x3xf32>
}
