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

cg.graph @group_c2(%x: tensor<4xf32>) {
  // expected-error@+1 {{'cg.group' op expects a body with arguments of types 'tensor<4xf32>', but got 'tensor<5xf32>'}}
  %0 = cg.group(%x) {candidates = ["loops"]} : (tensor<4xf32>) -> tensor<5xf32> {
  ^bb0(%a: tensor<5xf32>):
    cg.yield %a : tensor<5xf32>
  }
  cg.return
}

// -----

cg.graph @group_c2_yield(%x: tensor<4xf32>) {
  // expected-error@+1 {{'cg.group' op expects a body that yields values of types 'tensor<5xf32>', but got 'tensor<4xf32>'}}
  %0 = cg.group(%x) {candidates = ["loops"]} : (tensor<4xf32>) -> tensor<5xf32> {
  ^bb0(%a: tensor<4xf32>):
    cg.yield %a : tensor<4xf32>
  }
  cg.return
}

// -----

cg.graph @group_c3(%x: tensor<4xf32>) {
  // expected-error@+1 {{'cg.group' op expects each candidate once, but got ["loops", "loops"]}}
  %0 = cg.group(%x) {candidates = ["loops", "loops"]} : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    cg.yield %a : tensor<4xf32>
  }
  cg.return
}

// -----

cg.graph @group_c4(%x: tensor<4x2xf32>) {
  // expected-error@+1 {{'cg.group' op expects a permutation of the dimensions of 'tensor<4x2xf32>', but got array<i64: 0, 0>}}
  %0 = cg.group(%x) {candidates = ["loops"], layouts = [array<i64: 0, 0>]} : (tensor<4x2xf32>) -> tensor<4x2xf32> {
  ^bb0(%a: tensor<4x2xf32>):
    cg.yield %a : tensor<4x2xf32>
  }
  cg.return
}
