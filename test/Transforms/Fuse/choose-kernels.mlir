// RUN: espalier-opt %s --split-input-file --cg-fuse --cg-assign-layout --cg-choose-kernels="cpu=x86-64-v3 kernel-table=%S/Inputs/kernels.table" | FileCheck %s
// RUN: espalier-opt %s --split-input-file --cg-fuse --cg-assign-layout --cg-choose-kernels="cpu=x86-64-v3 prefer=tile" | FileCheck %s --check-prefix=PREFER

// CHECK-LABEL: cg.graph @measured(
// CHECK:         candidates = ["onednn", "tile", "loops"], chosen = "tile", reason = "measured on x86-64-v3/256: onednn 2.0 us, tile 1.5 us"
// PREFER:        chosen = "tile", reason = "preferred by an option"
cg.graph @measured(%x: tensor<8x16xf32>, %w: tensor<16x32xf32>) -> tensor<8x32xf32> {
  %0 = cg.matmul %x, %w : tensor<8x16xf32>, tensor<16x32xf32>
  cg.return %0 : tensor<8x32xf32>
}

// -----

// Weights that change only between runs have times of their own. What is fused behind does not count.
// CHECK-LABEL: cg.graph @constant(
// CHECK:         candidates = ["onednn", "tile"], chosen = "onednn", reason = "measured on x86-64-v3/256: onednn 0.9 us, tile 1.4 us"
cg.graph @constant(%x: tensor<8x16xf32>, %w: tensor<16x32xf32> {cg.role = "parameter"}) -> tensor<8x32xf32> {
  %0 = cg.matmul %x, %w : tensor<8x16xf32>, tensor<16x32xf32>
  %1 = cg.relu %0 : tensor<8x32xf32>
  cg.return %1 : tensor<8x32xf32>
}

// -----

// Near miss: faster, but by less than measurements differ.
// CHECK-LABEL: cg.graph @close(
// CHECK:         chosen = "onednn", reason = "measured on x86-64-v3/256: onednn 1.0 us, tile 0.9 us, which is no difference"
cg.graph @close(%x: tensor<8x16xf32>, %w: tensor<16x48xf32>) -> tensor<8x48xf32> {
  %0 = cg.matmul %x, %w : tensor<8x16xf32>, tensor<16x48xf32>
  cg.return %0 : tensor<8x48xf32>
}

// -----

// Near miss: the time of the other candidate is of another processor.
// CHECK-LABEL: cg.graph @unmeasured(
// CHECK:         chosen = "onednn", reason = "by rule, the first of onednn, tile: no times of both for x86-64-v3/256"
cg.graph @unmeasured(%x: tensor<8x16xf32>, %w: tensor<16x64xf32>) -> tensor<8x64xf32> {
  %0 = cg.matmul %x, %w : tensor<8x16xf32>, tensor<16x64xf32>
  cg.return %0 : tensor<8x64xf32>
}

// -----

// No choice: each reason says why the others cannot.
// CHECK-LABEL: cg.graph @only(
// CHECK:         candidates = ["tile", "loops"], chosen = "tile", reason = "the only one; not onednn: the library computes in f32 and bf16"
// CHECK:         candidates = ["tile"], chosen = "tile", reason = "the only one; not onednn: the processor has no avx512bf16"
// CHECK:         candidates = ["loops"]}
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      cg.exp
// PREFER-LABEL: cg.graph @only(
// PREFER:         chosen = "tile"
// PREFER:         chosen = "tile"
cg.graph @only(%x: tensor<8x16xf64>, %w: tensor<16x32xf64>, %y: tensor<8x16xbf16>, %v: tensor<16x32xbf16>,
               %z: tensor<4xf32>) -> (tensor<8x32xf64>, tensor<8x32xbf16>, tensor<4xf32>) {
  %0 = cg.matmul %x, %w : tensor<8x16xf64>, tensor<16x32xf64>
  %1 = cg.matmul %y, %v : tensor<8x16xbf16>, tensor<16x32xbf16>
  %2 = cg.exp %z : tensor<4xf32>
  cg.return %0, %1, %2 : tensor<8x32xf64>, tensor<8x32xbf16>, tensor<4xf32>
}
