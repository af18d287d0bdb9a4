// RUN: espalier-opt %s --espalier-kernels-to-llvm-pipeline | FileCheck %s

// CHECK-NOT:   plan.
// CHECK-LABEL: llvm.func internal @scale.body(
// CHECK-SAME:    %{{.+}}: !llvm.ptr {llvm.noalias}, %{{.+}}: !llvm.ptr {llvm.noalias}, %{{.+}}: i64, %{{.+}}: i64)
// CHECK-SAME:    no_inline
// CHECK-NOT:     llvm.call
// CHECK:         llvm.fmul %{{.+}}, %{{.+}} {fastmathFlags = #llvm.fastmath<contract>} : f32
// CHECK-LABEL: llvm.func @scale(
// CHECK-SAME:    %[[PLACES:.+]]: !llvm.ptr, %[[BEGIN:.+]]: i64, %[[END:.+]]: i64)
// CHECK:         %[[X:.+]] = llvm.load
// CHECK:         %[[SLOT:.+]] = llvm.getelementptr %[[PLACES]][1]
// CHECK:         %[[Y:.+]] = llvm.load %[[SLOT]]
// CHECK:         llvm.call @scale.body(%[[X]], %[[Y]], %[[BEGIN]], %[[END]])
func.func private @scale(%x: memref<64xf32>, %y: memref<64xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 64>} {
  %c1 = arith.constant 1 : index
  %half = arith.constant 0.5 : f32
  scf.for %i = %begin to %end step %c1 {
    %a = memref.load %x[%i] : memref<64xf32>
    %b = arith.mulf %a, %half : f32
    memref.store %b, %y[%i] : memref<64xf32>
  }
  return
}
plan.program @main {
  %x = plan.argument "x" input : memref<64xf32>
  %y = plan.argument "y" output : memref<64xf32>
  plan.dispatch @scale(%x, %y) : memref<64xf32>, memref<64xf32>
}
