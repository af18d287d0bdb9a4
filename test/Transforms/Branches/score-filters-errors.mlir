// RUN: not espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-score-filters))' 2>&1 | FileCheck %s
// RUN: not espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-score-filters{score=fisher}))' 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: fisher

cg.graph @scored(%x: tensor<1x4x9x9xf32>) -> tensor<1x4x9x9xf32> {
  // CHECK: [[#@LINE+1]]:{{.*}} error: 'cg.state' op is there already: filters have one score
  %s = cg.state "a" slot "score" : tensor<f32>
  cg.return %x : tensor<1x4x9x9xf32>
}
