// RUN: espalier-opt %s --split-input-file --plan-lower-kernel-loops --canonicalize | FileCheck %s

// The channel is contiguous in all operands: it becomes the inner loop, although the operation reduces over the rows.
// f32 reductions may reassociate, f64 ones keep their order.
// CHECK-LABEL: func.func private @channel_sums(
// CHECK-SAME:    %[[X:.+]]: memref<49x16xf32>, %[[Y:.+]]: memref<16xf32>, %[[D:.+]]: memref<49x16xf64>, %[[E:.+]]: memref<16xf64>
// CHECK:         scf.for %[[R:.+]] =
// CHECK:           scf.for %[[C:.+]] =
// CHECK-DAG:         memref.load %[[X]][%[[R]], %[[C]]]
// CHECK-DAG:         memref.load %[[Y]][%[[C]]]
// CHECK:             arith.addf %{{.+}}, %{{.+}} fastmath<reassoc,contract> : f32
// CHECK:         scf.for
// CHECK:           scf.for
// CHECK:             arith.addf %{{.+}}, %{{.+}} : f64
func.func private @channel_sums(%x: memref<49x16xf32>, %y: memref<16xf32>, %d: memref<49x16xf64>, %e: memref<16xf64>,
                                %begin: index, %end: index) attributes {plan.kernel = #plan.kernel<extent = 1>} {
  linalg.generic {indexing_maps = [affine_map<(c, r) -> (r, c)>, affine_map<(c, r) -> (c)>],
                  iterator_types = ["parallel", "reduction"]} ins(%x : memref<49x16xf32>) outs(%y : memref<16xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [affine_map<(c, r) -> (r, c)>, affine_map<(c, r) -> (c)>],
                  iterator_types = ["parallel", "reduction"]} ins(%d : memref<49x16xf64>) outs(%e : memref<16xf64>) {
  ^bb0(%a: f64, %o: f64):
    %s = arith.addf %a, %o : f64
    linalg.yield %s : f64
  }
  return
}

// -----

// Along the row the input is contiguous and the sum stands still.
// CHECK-LABEL: func.func private @row_sums(
// CHECK-SAME:    %[[X:.+]]: memref<49x16xf32>, %[[Y:.+]]: memref<49xf32>
// CHECK:         scf.for %[[R:.+]] = %{{.+}} to %c49
// CHECK:           scf.for %[[C:.+]] = %{{.+}} to %c16
// CHECK:             memref.load %[[X]][%[[R]], %[[C]]]
func.func private @row_sums(%x: memref<49x16xf32>, %y: memref<49xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 1>} {
  linalg.generic {indexing_maps = [affine_map<(c, r) -> (r, c)>, affine_map<(c, r) -> (r)>],
                  iterator_types = ["reduction", "parallel"]} ins(%x : memref<49x16xf32>) outs(%y : memref<49xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// A transposition keeps its order: one operand is contiguous either way, and the last loop wins.
// CHECK-LABEL: func.func private @transpose(
// CHECK-SAME:    %[[X:.+]]: memref<8x32xf32>, %[[Y:.+]]: memref<32x8xf32>
// CHECK:         scf.for %[[I:.+]] = %{{.+}} to %c32
// CHECK:           scf.for %[[J:.+]] = %{{.+}} to %c8
// CHECK:             memref.load %[[X]][%[[J]], %[[I]]]
// CHECK:             memref.store %{{.+}}, %[[Y]][%[[I]], %[[J]]]
func.func private @transpose(%x: memref<8x32xf32>, %y: memref<32x8xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 1>} {
  linalg.transpose ins(%x : memref<8x32xf32>) outs(%y : memref<32x8xf32>) permutation = [1, 0]
  return
}

// -----

// Copies become loops, too; element-wise arithmetic contracts but is not reordered.
// CHECK-LABEL: func.func private @copy(
// CHECK-NOT:     memref.copy
// CHECK:         scf.for
// CHECK:           memref.load
// CHECK-NEXT:      memref.store
// CHECK:         arith.mulf %{{.+}}, %{{.+}} fastmath<contract> : f32
func.func private @copy(%x: memref<32xf32>, %y: memref<32xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 1>} {
  memref.copy %x, %y : memref<32xf32> to memref<32xf32>
  linalg.square ins(%y : memref<32xf32>) outs(%y : memref<32xf32>)
  return
}

// -----

// Accumulators of loops are reductions as well.
// CHECK-LABEL: func.func private @loop_sum(
// CHECK:         arith.addf %{{.+}}, %{{.+}} fastmath<reassoc,contract> : f32
func.func private @loop_sum(%x: memref<32xf32>, %y: memref<1xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 1>} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c32 = arith.constant 32 : index
  %zero = arith.constant 0.0 : f32
  %sum = scf.for %i = %c0 to %c32 step %c1 iter_args(%s = %zero) -> (f32) {
    %a = memref.load %x[%i] : memref<32xf32>
    %t = arith.addf %s, %a : f32
    scf.yield %t : f32
  }
  memref.store %sum, %y[%c0] : memref<1xf32>
  return
}
