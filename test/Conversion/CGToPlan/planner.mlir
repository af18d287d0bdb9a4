// RUN: espalier-opt %s --cg-fuse --cg-to-plan --split-input-file | FileCheck %s

// The update happens in place: one place stands for the parameter before and after.
// CHECK-LABEL: plan.program @in_place {
// CHECK:         %[[W:.+]] = plan.argument "w" parameter : memref<16xf32>
// CHECK:         %[[G:.+]] = plan.argument "g" input
// CHECK:         plan.argument "w" output tied %[[W]]
// CHECK-NEXT:    plan.dispatch @kernel_sub(%[[W]], %[[G]]) : memref<16xf32>, memref<16xf32>
// CHECK-NEXT:  }
// CHECK:       func.func private @kernel_sub(
// CHECK-SAME:    #plan.kernel<extent = 16>
cg.graph @in_place(%w: tensor<16xf32> {cg.path = "w", cg.role = "parameter"}, %g: tensor<16xf32> {cg.name = "g", cg.role = "input"})
    -> (tensor<16xf32> {cg.path = "w", cg.role = "parameter", cg.tied = 0 : i64}) {
  %0 = cg.sub %w, %g : tensor<16xf32>, tensor<16xf32>
  cg.return %0 : tensor<16xf32>
}

// -----

// The old value is read after the new one is computed: a copy at the end.
// CHECK-LABEL: plan.program @read_later {
// CHECK:         %[[W:.+]] = plan.argument "w" parameter
// CHECK:         %[[U:.+]] = plan.argument "w" output tied %[[W]]
// CHECK:         %[[OLD:.+]] = plan.argument "old" output
// CHECK:         %[[T:.+]] = plan.buffer offset 0
// CHECK:         plan.dispatch @[[EXP:.+]](%[[W]], %[[T]])
// CHECK:         plan.dispatch @[[COPY:.+]](%[[W]], %[[OLD]])
// CHECK:         plan.dispatch @[[COPY]](%[[T]], %[[W]])
cg.graph @read_later(%w: tensor<16xf32> {cg.path = "w", cg.role = "parameter"})
    -> (tensor<16xf32> {cg.path = "w", cg.role = "parameter", cg.tied = 0 : i64}, tensor<16xf32> {cg.name = "old"}) {
  %0 = cg.exp %w : tensor<16xf32>
  cg.return %0, %w : tensor<16xf32>, tensor<16xf32>
}

// -----

// Arguments that change places.
// CHECK-LABEL: plan.program @swap {
// CHECK:         %[[A:.+]] = plan.argument "a" state
// CHECK:         %[[B:.+]] = plan.argument "b" state
// CHECK:         %[[T:.+]] = plan.buffer
// CHECK-NEXT:    plan.dispatch @[[COPY:.+]](%[[B]], %[[T]])
// CHECK-NEXT:    %[[S:.+]] = plan.buffer
// CHECK-NEXT:    plan.dispatch @[[COPY]](%[[A]], %[[S]])
// CHECK-NEXT:    plan.dispatch @[[COPY]](%[[T]], %[[A]])
// CHECK-NEXT:    plan.dispatch @[[COPY]](%[[S]], %[[B]])
cg.graph @swap(%a: tensor<16xf32> {cg.path = "a", cg.role = "state"}, %b: tensor<16xf32> {cg.path = "b", cg.role = "state"})
    -> (tensor<16xf32> {cg.path = "a", cg.tied = 0 : i64}, tensor<16xf32> {cg.path = "b", cg.tied = 1 : i64}) {
  cg.return %b, %a : tensor<16xf32>, tensor<16xf32>
}

// -----

// Equal groups share a kernel; a reshape is the same bytes.
// CHECK-LABEL: plan.program @shared {
// CHECK:         %[[X:.+]] = plan.argument "arg0" input
// CHECK:         %[[T:.+]] = plan.buffer offset 0 : memref<64xf32>
// CHECK:         plan.dispatch @[[K:.+]](%[[X]], %[[T]])
// CHECK:         %[[V:.+]] = plan.buffer offset 0 : memref<8x8xf32>
// CHECK:         plan.matmul %[[V]]
// CHECK:         plan.dispatch @[[K]](
// CHECK:       func.func private @[[K]](
// CHECK-NOT:   func.func
cg.graph @shared(%x: tensor<64xf32>) -> tensor<64xf32> {
  %0 = cg.reduce_max %x {axes = array<i64>} : tensor<64xf32>
  %1 = cg.reshape %0 {shape = array<i64: 8, 8>} : tensor<64xf32>
  %2 = cg.matmul %1, %1 : tensor<8x8xf32>, tensor<8x8xf32>
  %3 = cg.reshape %2 {shape = array<i64: 64>} : tensor<8x8xf32>
  %4 = cg.reduce_max %3 {axes = array<i64>} : tensor<64xf32>
  cg.return %4 : tensor<64xf32>
}
