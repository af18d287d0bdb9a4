// RUN: espalier-opt %s --split-input-file --plan-bufferize-kernels --verify-diagnostics

func.func private @dynamic(%x: memref<4xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 4>} {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  %size = arith.subi %end, %begin : index
  // expected-error@+1 {{kernel 'dynamic' would allocate 'memref<?xf32>': its size is not static; kernels write into places that they are given}}
  %t = memref.alloc(%size) : memref<?xf32>
  memref.store %one, %t[%c0] : memref<?xf32>
  return
}

// -----

func.func private @large(%x: memref<4xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 4>} {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  // expected-error@+1 {{kernel 'large' would allocate 'memref<65537xf32>': temporaries take more than 262144 bytes}}
  %t = memref.alloc() : memref<65537xf32>
  memref.store %one, %t[%c0] : memref<65537xf32>
  return
}

// -----

func.func private @carried(%x: memref<4xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 4>} {
  %c1 = arith.constant 1 : index
  %first = memref.alloc() : memref<4xf32>
  %last = scf.for %i = %begin to %end step %c1 iter_args(%t = %first) -> (memref<4xf32>) {
    // expected-error@+1 {{kernel 'carried' would allocate 'memref<4xf32>': it outlives an iteration}}
    %next = memref.alloc() : memref<4xf32>
    memref.copy %t, %next : memref<4xf32> to memref<4xf32>
    scf.yield %next : memref<4xf32>
  }
  memref.copy %last, %x : memref<4xf32> to memref<4xf32>
  return
}
