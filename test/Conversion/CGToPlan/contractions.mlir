// RUN: not espalier-opt %s --cg-to-plan=forbid-scalar-contractions 2>&1 | FileCheck %s --check-prefix=FORBID
// RUN: espalier-opt %s --cg-to-plan --remarks-filter=cg-to-plan --remark-policy=all 2>&1 | FileCheck %s --check-prefix=REMARK

// FORBID: error: 'cg.matmul' op reaches scalar loops: neither a library call nor tiles compute it
// REMARK: contraction runs as scalar loops
// REMARK: plan.dispatch @kernel_matmul(
cg.graph @loops(%x: tensor<8x64xf32>, %w: tensor<64x32xf32>) -> tensor<8x32xf32> {
  %0 = cg.group(%x, %w) {candidates = ["loops"]} : (tensor<8x64xf32>, tensor<64x32xf32>) -> tensor<8x32xf32> {
  ^bb0(%a: tensor<8x64xf32>, %b: tensor<64x32xf32>):
    %r = cg.matmul %a, %b : tensor<8x64xf32>, tensor<64x32xf32>
    cg.yield %r : tensor<8x32xf32>
  }
  cg.return %0 : tensor<8x32xf32>
}
