// RUN: espalier-opt %s --split-input-file --plan-kernels-to-llvm --verify-diagnostics

func.func private @unexpanded(%x: memref<1xf32>, %begin: index, %end: index)
    attributes {plan.kernel = #plan.kernel<extent = 1>} {
  %a = memref.load %x[%begin] : memref<1xf32>
  // expected-error@+1 {{'math.sin' op has no expansion for 'f32'}}
  %b = math.sin %a : f32
  memref.store %b, %x[%begin] : memref<1xf32>
  return
}

// -----

// expected-error@+1 {{declares kernel 'declared', which has no body}}
func.func private @declared(memref<1xf32>, index, index) attributes {plan.kernel = #plan.kernel<extent = 1>}
