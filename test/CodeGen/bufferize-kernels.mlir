// RUN: espalier-opt %s --split-input-file --plan-bufferize-kernels --cse --canonicalize | FileCheck %s

#id = affine_map<(d0) -> (d0)>

// The result is computed in its destination: no temporary, no copy.
// CHECK-LABEL: func.func private @in_destination(
// CHECK-SAME:    %[[A:.+]]: memref<4x16xf32>, %[[OUT:.+]]: memref<4x16xf32>,
// CHECK-NOT:     alloc
// CHECK:         scf.for
// CHECK-DAG:       %[[ROW:.+]] = memref.subview %[[A]]
// CHECK-DAG:       %[[TO:.+]] = memref.subview %[[OUT]]
// CHECK:           linalg.generic {{.*}} ins(%[[ROW]] : {{.*}}) outs(%[[TO]] :
// CHECK-NOT:     copy
func.func private @in_destination(%a: memref<4x16xf32>, %out: memref<4x16xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 4>} {
  %c1 = arith.constant 1 : index
  %ta = bufferization.to_tensor %a restrict : memref<4x16xf32> to tensor<4x16xf32>
  scf.for %i = %begin to %end step %c1 {
    %row = tensor.extract_slice %ta[%i, 0] [1, 16] [1, 1] : tensor<4x16xf32> to tensor<16xf32>
    %empty = tensor.empty() : tensor<16xf32>
    %twice = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
        ins(%row : tensor<16xf32>) outs(%empty : tensor<16xf32>) {
    ^bb0(%x: f32, %o: f32):
      %y = arith.addf %x, %x : f32
      linalg.yield %y : f32
    } -> tensor<16xf32>
    %to = memref.subview %out[%i, 0] [1, 16] [1, 1] : memref<4x16xf32> to memref<16xf32, strided<[1], offset: ?>>
    bufferization.materialize_in_destination %twice in restrict writable %to
        : (tensor<16xf32>, memref<16xf32, strided<[1], offset: ?>>) -> ()
  }
  return
}

// -----

#id = affine_map<(d0) -> (d0)>

// A temporary of static size becomes a stack slot outside the loop.
// CHECK-LABEL: func.func private @temporary(
// CHECK:         %[[SLOT:.+]] = memref.alloca() {alignment = 64 : i64} : memref<16xf32>
// CHECK:         scf.for
// CHECK:           linalg.fill {{.*}} outs(%[[SLOT]]
// CHECK-NOT:     dealloc
func.func private @temporary(%a: memref<4x16xf32>, %out: memref<4xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 4>} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  scf.for %i = %begin to %end step %c1 {
    %buffer = memref.alloc() : memref<16xf32>
    linalg.fill ins(%zero : f32) outs(%buffer : memref<16xf32>)
    %x = memref.load %buffer[%c0] : memref<16xf32>
    memref.store %x, %out[%i] : memref<4xf32>
    memref.dealloc %buffer : memref<16xf32>
  }
  return
}

// -----

// Functions that are no kernels are left alone.
// CHECK-LABEL: func.func private @no_kernel(
// CHECK:         memref.alloc()
func.func private @no_kernel() -> memref<4xf32> {
  %0 = memref.alloc() : memref<4xf32>
  return %0 : memref<4xf32>
}
