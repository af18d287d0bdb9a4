// RUN: espalier-opt %s --split-input-file --plan-isolate-kernels | FileCheck %s

// CHECK-LABEL: module
// CHECK:         func.func private @distinct(%{{.+}}: memref<8xf32> {llvm.noalias}, %{{.+}}: memref<8xf32> {llvm.noalias}, %{{.+}}: index, %{{.+}}: index)
// CHECK:         func.func private @in_place(%{{.+}}: memref<8xf32>, %{{.+}}: memref<8xf32>, %{{.+}}: index, %{{.+}}: index)
// CHECK-NOT:     @unused
// CHECK-NOT:     plan.program
func.func private @distinct(%a: memref<8xf32>, %b: memref<8xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 8>} { return }
func.func private @in_place(%a: memref<8xf32>, %b: memref<8xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 8>} { return }
func.func private @unused(%a: memref<8xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 8>} { return }
plan.program @main {
  %w = plan.argument "w" parameter : memref<8xf32>
  %u = plan.argument "w" output tied %w : memref<8xf32> : memref<8xf32>
  %t = plan.buffer offset 0 : memref<8xf32>
  plan.dispatch @distinct(%w, %t) : memref<8xf32>, memref<8xf32>
  plan.dispatch @in_place(%w, %u) : memref<8xf32>, memref<8xf32>
}

// -----

// Places of the arena may overlap in part; views are looked through.
// CHECK-LABEL: module
// CHECK:         @overlapping(%{{.+}}: memref<24xf32>, %{{.+}}: memref<16xf32>, %{{.+}}: index, %{{.+}}: index)
// CHECK:         @adjacent(%{{.+}}: memref<16xf32> {llvm.noalias}, %{{.+}}: memref<16xf32> {llvm.noalias}
// CHECK:         @same_view(%{{.+}}: memref<24xf32>, %{{.+}}: memref<8xf32>, %{{.+}}: index, %{{.+}}: index)
func.func private @overlapping(%a: memref<24xf32>, %b: memref<16xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 8>} { return }
func.func private @adjacent(%a: memref<16xf32>, %b: memref<16xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 8>} { return }
func.func private @same_view(%a: memref<24xf32>, %b: memref<8xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 8>} { return }
plan.program @main {
  %a = plan.buffer offset 0 : memref<24xf32>
  %b = plan.buffer offset 64 : memref<16xf32>
  %c = plan.buffer offset 128 : memref<16xf32>
  %d = plan.view %a offset 64 : memref<24xf32> to memref<8xf32>
  plan.dispatch @overlapping(%a, %b) : memref<24xf32>, memref<16xf32>
  plan.dispatch @adjacent(%c, %b) : memref<16xf32>, memref<16xf32>
  plan.dispatch @same_view(%a, %d) : memref<24xf32>, memref<8xf32>
}

// -----

// A module of kernels alone keeps them, and assumes nothing about their arguments.
// CHECK-LABEL: module
// CHECK:         @library(%{{.+}}: memref<8xf32>, %{{.+}}: index, %{{.+}}: index)
func.func private @library(%a: memref<8xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 8>} { return }
