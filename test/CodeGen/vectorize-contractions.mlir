// RUN: espalier-opt %s --split-input-file --plan-vectorize-contractions="vector-bytes=32 vector-registers=16" --canonicalize | FileCheck %s

// Vectors along the columns, rows unrolled: 12 accumulators of 8 lanes stay in registers over the reduction.
// CHECK-LABEL: func.func private @matmul(
// CHECK-NOT:     linalg.matmul
// CHECK:         scf.for %{{.+}} = %c0 to %c32 step %c16
// CHECK:           scf.for %{{.+}} = %c0 to %c24 step %c6
// CHECK-COUNT-12:    vector.load %{{.+}} : memref<24x32xf32>, vector<8xf32>
// CHECK:             scf.for %{{.+}} = %c0 to %c64 step %c1 iter_args
// CHECK-COUNT-12:      arith.addf %{{.+}}, %{{.+}} fastmath<contract> : vector<8xf32>
// CHECK:               scf.yield
// CHECK-COUNT-12:    vector.store
func.func private @matmul(%a: memref<24x64xf32>, %b: memref<64x32xf32>, %c: memref<24x32xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 1>} {
  linalg.matmul ins(%a, %b : memref<24x64xf32>, memref<64x32xf32>) outs(%c : memref<24x32xf32>)
  return
}

// -----

// What is left over of a loop is a smaller tile, not a mask.
// CHECK-LABEL: func.func private @remainder(
// CHECK-NOT:     mask
// CHECK:         vector<4xf64>
// CHECK:         vector<3xf64>
func.func private @remainder(%a: memref<5x64xf64>, %b: memref<64x7xf64>, %c: memref<5x7xf64>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 1>} {
  linalg.matmul ins(%a, %b : memref<5x64xf64>, memref<64x7xf64>) outs(%c : memref<5x7xf64>)
  return
}

// -----

// A filter packed by blocks of 16 channels: the output's last index is a sum.
// CHECK-LABEL: func.func private @packed_conv(
// CHECK-NOT:     linalg.generic
// CHECK:         vector.load %{{.+}} : memref<4x3x3x8x16xf32>, vector<8xf32>
func.func private @packed_conv(%x: memref<1x10x10x8xf32>, %w: memref<4x3x3x8x16xf32>, %y: memref<1x8x8x64xf32>,
                               %begin: index, %end: index) attributes {plan.kernel = #plan.kernel<extent = 1>} {
  linalg.generic {
      indexing_maps = [affine_map<(n, h, w, fo, fi, kh, kw, c) -> (n, h + kh, w + kw, c)>,
                       affine_map<(n, h, w, fo, fi, kh, kw, c) -> (fo, kh, kw, c, fi)>,
                       affine_map<(n, h, w, fo, fi, kh, kw, c) -> (n, h, w, fo * 16 + fi)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : memref<1x10x10x8xf32>, memref<4x3x3x8x16xf32>) outs(%y : memref<1x8x8x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// Near misses: columns are strided in the right operand; integers; a dynamic extent.
// CHECK-LABEL: func.func private @others(
// CHECK:         linalg.generic
// CHECK:         linalg.matmul
// CHECK:         linalg.matmul
func.func private @others(%a: memref<24x64xf32>, %b: memref<32x64xf32>, %c: memref<24x32xf32>, %i: memref<8x8xi32>,
                          %begin: index, %end: index) attributes {plan.kernel = #plan.kernel<extent = 24>} {
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                                   affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<24x64xf32>, memref<32x64xf32>) outs(%c : memref<24x32xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  linalg.matmul ins(%i, %i : memref<8x8xi32>, memref<8x8xi32>) outs(%i : memref<8x8xi32>)
  %size = arith.subi %end, %begin : index
  %rows = memref.subview %a[%begin, 0] [%size, 64] [1, 1]
      : memref<24x64xf32> to memref<?x64xf32, strided<[64, 1], offset: ?>>
  %out = memref.subview %a[%begin, 0] [%size, 32] [1, 1]
      : memref<24x64xf32> to memref<?x32xf32, strided<[64, 1], offset: ?>>
  %right = memref.subview %b[0, 0] [32, 32] [1, 1] : memref<32x64xf32> to memref<32x32xf32, strided<[64, 1]>>
  %left = memref.subview %rows[0, 0] [%size, 32] [1, 1]
      : memref<?x64xf32, strided<[64, 1], offset: ?>> to memref<?x32xf32, strided<[64, 1], offset: ?>>
  linalg.matmul ins(%left, %right : memref<?x32xf32, strided<[64, 1], offset: ?>>, memref<32x32xf32, strided<[64, 1]>>)
      outs(%out : memref<?x32xf32, strided<[64, 1], offset: ?>>)
  return
}
