// RUN: espalier-opt %s --cg-fuse --split-input-file --verify-diagnostics

cg.graph @composite(%x: tensor<4x5xf32>, %s: tensor<5xf32>) -> tensor<4x5xf32> {
  // expected-error@+1 {{'cg.batch_norm_training' op expects to be decomposed before fusion: it has 3 results}}
  %0:3 = cg.batch_norm_training %x, %s, %s {epsilon = 1.0e-05 : f64} : tensor<4x5xf32>, tensor<5xf32>, tensor<5xf32>
  cg.return %0#0 : tensor<4x5xf32>
}

// -----

cg.graph @dynamic(%x: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error@+1 {{'cg.exp' op expects a static shape, but got 'tensor<?xf32>'}}
  %0 = cg.exp %x : tensor<?xf32>
  cg.return %0 : tensor<?xf32>
}

// -----

cg.graph @twice(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{'cg.group' op is there already: the graph has been fused}}
  %0 = cg.group(%x) {candidates = ["loops"]} : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    cg.yield %a : tensor<4xf32>
  }
  cg.return %0 : tensor<4xf32>
}
