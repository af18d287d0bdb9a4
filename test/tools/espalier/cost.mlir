// RUN: espalier cost %s --arch net | FileCheck %s
// RUN: espalier cost %s --arch net --by graph --batch 4 | FileCheck %s --check-prefix=GRAPH
// RUN: espalier cost %s --arch net --by op --symbolic | FileCheck %s --check-prefix=SYMBOLIC
// RUN: espalier cost %s --arch net --json --bind N=2 | FileCheck %s --check-prefix=JSON
// RUN: espalier cost %s --arch net --json --symbolic | FileCheck %s --check-prefix=STRINGS
// RUN: espalier cost %s --arch net --json --bind N=2 -o %t.json && %python %S/Inputs/check_sums.py %t.json
// RUN: espalier cost %s --arch net --json --train --loss square -o %t.json && %python %S/Inputs/check_sums.py %t.json
// RUN: espalier cost %s --arch net --by graph --train --loss square --optimizer adam | FileCheck %s --check-prefix=TRAIN
// RUN: not espalier cost %s --arch net --bind M=2 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not espalier cost %s --arch net --bind N=0 2>&1 | FileCheck %s --check-prefix=ZERO
// RUN: not espalier cost %s --arch image 2>&1 | FileCheck %s --check-prefix=UNBOUND
// RUN: not espalier cost %s --arch image --bind H=3 2>&1 | FileCheck %s --check-prefix=SMALL

// CHECK:      net with N=1
// CHECK:      block MACs FLOPs params read written live
// CHECK-NEXT: stem 27.65 K 56.32 K 432 6.438 KiB 8.000 KiB 8.000 KiB
// CHECK-NEXT: conv 27.65 K 55.30 K 432
// CHECK-NEXT: fc 160 320 160
// CHECK-NEXT: (top level)
// CHECK:      MACs 27,808 27.81 K
// CHECK:      parameters 592{{$}}
// CHECK:      peak activation bytes 8,192 8.000 KiB
// CHECK:      MACs are the multiply-accumulates

// GRAPH:      net with N=4
// GRAPH-EMPTY:
// GRAPH-NEXT: MACs 111,232 111.2 K

// SYMBOLIC: stem.conv.weight cg.parameter
// SYMBOLIC: stem.conv cg.conv2d 27648*N 55296*N 0 768*N + 1728 4096*N 4864*N
// SYMBOLIC: MACs 27808*N

// JSON:      "arch": "net"
// JSON-NEXT: "bindings": {
// JSON-NEXT:   "N": 2
// JSON:      "totals": {
// JSON-NEXT:   "macs": 55616
// JSON:      "rows": [
// JSON-NEXT:   {
// JSON-NEXT:     "path": "stem.conv.weight",
// JSON-NEXT:     "op": "cg.parameter",
// JSON-NEXT:     "location": "{{.*}}cost.mlir:{{[0-9]+}}:

// STRINGS:     "bindings": {},
// STRINGS-NEXT: "totals": {
// STRINGS-NEXT:   "macs": "27808*N"
// STRINGS:        "params": "592"

// The filter of the first convolution needs a gradient, its input does not; the last one needs both.
// TRAIN: MACs 27,808
// TRAIN: One step of training
// TRAIN: MACs 55,776
// TRAIN: state bytes 4,736

// UNKNOWN: error: 'net' has no size 'M'; its sizes are: N
// ZERO:    error: expected a size as NAME=NUMBER with a number of at least 1, but got 'N=0'
// UNBOUND: error: size 'H' of 'image' has no number; give it one with --bind H=NUMBER
// SMALL:   cost.mlir:[[#]]:{{[0-9]+}}: error: 'cg.conv2d' op expects the padded input to cover the dilated filter, but got input extent 3

cg.graph @net(%x: tensor<?x3x8x8xf32> {cg.name = "x", cg.dims = ["N", "3", "8", "8"]}) -> tensor<?x10xf32> {
  %w0 = cg.parameter "stem.conv.weight" : tensor<16x3x3x3xf32>
  %0 = cg.conv2d %x, %w0 pads [1, 1, 1, 1] {cg.scope = "stem.conv"} : tensor<?x3x8x8xf32>, tensor<16x3x3x3xf32>
  %1 = cg.relu %0 {cg.scope = "stem"} : tensor<?x16x8x8xf32>
  %2 = cg.reduce_mean %1 {axes = array<i64: 2, 3>} : tensor<?x16x8x8xf32>
  %w1 = cg.parameter "fc.weight" : tensor<10x16xf32>
  %3 = cg.matmul %2, %w1 transpose_b {cg.scope = "fc"} : tensor<?x16xf32>, tensor<10x16xf32>
  cg.return %3 : tensor<?x10xf32>
}

cg.graph @net.square(%y: tensor<?x10xf32> {cg.name = "y", cg.dims = ["N", "10"]}) -> tensor<f32> {
  %0 = cg.mul %y, %y : tensor<?x10xf32>, tensor<?x10xf32>
  %1 = cg.reduce_sum %0 {axes = array<i64: 0, 1>} : tensor<?x10xf32>
  cg.return %1 : tensor<f32>
}

cg.graph @image(%x: tensor<1x1x?x4xf32> {cg.dims = ["1", "1", "H", "4"]}) -> tensor<1x1x?x1xf32> {
  %w = cg.parameter "w" : tensor<1x1x4x4xf32>
  %0 = cg.conv2d %x, %w : tensor<1x1x?x4xf32>, tensor<1x1x4x4xf32>
  cg.return %0 : tensor<1x1x?x1xf32>
}
