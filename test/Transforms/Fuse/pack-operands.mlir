// RUN: espalier-opt %s --split-input-file --cg-pack-operands | FileCheck %s
// RUN: espalier-opt %s --split-input-file --cg-pack-operands=prepare-weights | FileCheck %s --check-prefix=PREPARE

// The filter is copied once for both convolutions: in this graph, or in one that runs once. The result of `@prepare` that
// nothing reads any more leaves.
// CHECK-LABEL: cg.graph @forward(
// CHECK-SAME:    %{{.+}}: tensor<1x4x6x6xf32>, %[[W:.+]]: tensor<8x4x1x3xf32>
// CHECK:         %[[COPY:.+]] = cg.group(%[[W]]) {candidates = ["loops"], cg.scope = "stem"}
// CHECK:           cg.transpose %{{.+}} {permutation = array<i64: 2, 3, 1, 0>}
// CHECK:         cg.group(%{{.+}}, %[[COPY]])
// CHECK-NEXT:    ^bb0(%[[X:.+]]: tensor<1x4x6x6xf32>, %[[P:.+]]: tensor<1x3x4x8xf32>):
// CHECK-NEXT:      %[[V:.+]] = cg.transpose %[[P]] {permutation = array<i64: 3, 2, 0, 1>}
// CHECK-NEXT:      cg.conv2d %[[X]], %[[V]]
// CHECK-NOT:     candidates = ["loops"]
// CHECK:         cg.group(%{{.+}}, %[[COPY]])

// PREPARE-LABEL: cg.graph @prepare(
// PREPARE-SAME:    -> (tensor<1x3x4x8xf32> {cg.name = "packed1", cg.role = "output"})
// PREPARE:         cg.exp
// PREPARE:         cg.transpose
// PREPARE-LABEL: cg.graph @forward(
// PREPARE-SAME:    %{{.+}}: tensor<1x4x6x6xf32>, %[[W:.+]]: tensor<1x3x4x8xf32> {cg.name = "packed1", cg.role = "packed"})
// PREPARE:         cg.group(%{{.+}}, %[[W]])
// PREPARE:         cg.group(%{{.+}}, %[[W]])
cg.graph @prepare(%w: tensor<8x4x1x3xf32> {cg.name = "w", cg.role = "parameter"})
    -> (tensor<8x4x1x3xf32> {cg.name = "packed0", cg.role = "output"}) {
  %0 = cg.group(%w) {candidates = ["loops"]} : (tensor<8x4x1x3xf32>) -> tensor<8x4x1x3xf32> {
  ^bb0(%a: tensor<8x4x1x3xf32>):
    %e = cg.exp %a : tensor<8x4x1x3xf32>
    cg.yield %e : tensor<8x4x1x3xf32>
  }
  cg.return %0 : tensor<8x4x1x3xf32>
}
cg.graph @forward(%x: tensor<1x4x6x6xf32>, %w: tensor<8x4x1x3xf32> {cg.name = "packed0", cg.role = "packed"})
    -> (tensor<1x8x6x4xf32>, tensor<1x8x6x4xf32>) {
  %0 = cg.group(%x, %w) {candidates = ["onednn", "tile"], chosen = "tile", cg.scope = "stem"} : (tensor<1x4x6x6xf32>, tensor<8x4x1x3xf32>) -> tensor<1x8x6x4xf32> {
  ^bb0(%a: tensor<1x4x6x6xf32>, %b: tensor<8x4x1x3xf32>):
    %y = cg.conv2d %a, %b : tensor<1x4x6x6xf32>, tensor<8x4x1x3xf32>
    cg.yield %y : tensor<1x8x6x4xf32>
  }
  %1 = cg.group(%x, %w) {candidates = ["onednn", "tile"], chosen = "tile"} : (tensor<1x4x6x6xf32>, tensor<8x4x1x3xf32>) -> tensor<1x8x6x4xf32> {
  ^bb0(%a: tensor<1x4x6x6xf32>, %b: tensor<8x4x1x3xf32>):
    %y = cg.conv2d %a, %b : tensor<1x4x6x6xf32>, tensor<8x4x1x3xf32>
    %z = cg.relu %y : tensor<1x8x6x4xf32>
    cg.yield %z : tensor<1x8x6x4xf32>
  }
  cg.return %0, %1 : tensor<1x8x6x4xf32>, tensor<1x8x6x4xf32>
}

// -----

// Near misses: the library packs for itself; rows are contiguous already.
// CHECK-LABEL: cg.graph @others(
// CHECK-NOT:     cg.transpose
// PREPARE-NOT: cg.graph @prepare
cg.graph @others(%x: tensor<8x4xf32>, %v: tensor<6x4xf32> {cg.role = "parameter"}, %w: tensor<4x6xf32> {cg.role = "parameter"})
    -> (tensor<8x6xf32>, tensor<8x6xf32>) {
  %0 = cg.group(%x, %v) {candidates = ["onednn", "tile"]} : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32> {
  ^bb0(%a: tensor<8x4xf32>, %b: tensor<6x4xf32>):
    %y = cg.matmul %a, %b transpose_b : tensor<8x4xf32>, tensor<6x4xf32>
    cg.yield %y : tensor<8x6xf32>
  }
  %1 = cg.group(%x, %w) {candidates = ["tile"]} : (tensor<8x4xf32>, tensor<4x6xf32>) -> tensor<8x6xf32> {
  ^bb0(%a: tensor<8x4xf32>, %b: tensor<4x6xf32>):
    %y = cg.matmul %a, %b : tensor<8x4xf32>, tensor<4x6xf32>
    cg.yield %y : tensor<8x6xf32>
  }
  cg.return %0, %1 : tensor<8x6xf32>, tensor<8x6xf32>
}
