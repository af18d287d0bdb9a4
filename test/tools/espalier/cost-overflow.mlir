// Sizes that no machine has give an error at the op, never a wrapped number.
// RUN: not espalier cost %s --arch macs 2>&1 | FileCheck %s --check-prefix=MACS
// RUN: not espalier cost %s --arch sum 2>&1 | FileCheck %s --check-prefix=SUM
// RUN: not espalier cost %s --arch bound --bind N=4611686018427387904 2>&1 | FileCheck %s --check-prefix=BOUND
// RUN: espalier cost %s --arch bound --symbolic --by graph | FileCheck %s --check-prefix=SYMBOLIC

// MACS:  cost-overflow.mlir:[[#@LINE+4]]:8: error: 'cg.matmul' op expects 'macs' below 2^63, but got more
// SUM:   cost-overflow.mlir:[[#@LINE+9]]:8: error: 'cg.relu' op expects 'bytes_read' of the graph below 2^63, but gets more here
// BOUND: cost-overflow.mlir:[[#@LINE+12]]:8: error: 'cg.relu' op expects a result smaller than 2^63 bytes, but got f32[4611686018427387904, 4]
cg.graph @macs(%x: tensor<1073741824x1073741824xf32>) -> tensor<1073741824x1073741824xf32> {
  %0 = cg.matmul %x, %x : tensor<1073741824x1073741824xf32>, tensor<1073741824x1073741824xf32>
  cg.return %0 : tensor<1073741824x1073741824xf32>
}
cg.graph @sum(%x: tensor<2000000x1000000x500000xf32>) -> () {
  %0 = cg.relu %x : tensor<2000000x1000000x500000xf32>
  %1 = cg.relu %0 : tensor<2000000x1000000x500000xf32>
  %2 = cg.relu %1 : tensor<2000000x1000000x500000xf32>
  cg.return
}
cg.graph @bound(%x: tensor<?x4xf32> {cg.dims = ["N", "4"]}) -> tensor<?x4xf32> {
  %0 = cg.relu %x : tensor<?x4xf32>
  cg.return %0 : tensor<?x4xf32>
}
// SYMBOLIC: FLOPs 4*N
