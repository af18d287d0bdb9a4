// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-group-parameters{groups=head.*:rate=10:weight-decay=0.25,*.frozen:frozen decay-norms-and-biases=false},canonicalize))' | FileCheck %s
// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-group-parameters{groups=head.*:rate=10:weight-decay=0.25 decay-norms-and-biases=false},cg-clip-gradients{norm=1},cg-apply-optimizer{kind=sgd weight-decay=0.5}))' | FileCheck %s --check-prefix=SGD

// The first group that matches decides, whatever later ones say; attributes survive clipping.
// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-group-parameters{groups=head.weight:rate=2,*:frozen},cg-clip-gradients{value=1}))' | FileCheck %s --check-prefix=FIRST

// CHECK-NOT:  cg.exp
// CHECK:      cg.parameter_gradient "body.weight", %{{.+}} : tensor<2x2xf32>{{$}}
// CHECK-NEXT: cg.parameter_gradient "body.bias", %{{.+}} {cg.weight_decay = 0.000000e+00 : f64} : tensor<2xf32>
// CHECK-NEXT: cg.parameter_gradient "head.weight", %{{.+}} {cg.rate = 1.000000e+01 : f64, cg.weight_decay = 2.500000e-01 : f64} : tensor<2x2xf32>
// CHECK-NOT:  cg.parameter_gradient

// SGD:       %[[B:.+]] = cg.parameter "body.bias"
// SGD:       %[[GB:.+]] = cg.parameter_gradient "body.bias"
// SGD:       %[[D:.+]] = cg.mul %[[GB]], %{{.+}}
// SGD-NEXT:  cg.sub %[[B]], %[[D]]
// SGD:       cg.parameter_update "body.bias"

// FIRST:     cg.minimum
// FIRST-NEXT: cg.parameter_gradient "head.weight", %{{.+}} {cg.rate = 2.000000e+00 : f64}
// FIRST-NOT: cg.parameter_gradient
cg.graph @step(%x: tensor<2x2xf32> {cg.name = "x"}, %v: tensor<2xf32> {cg.name = "v"}) -> tensor<f32> {
  %w = cg.parameter "body.weight" : tensor<2x2xf32>
  %b = cg.parameter "body.bias" : tensor<2xf32>
  %f = cg.parameter "body.frozen" : tensor<2x2xf32>
  %h = cg.parameter "head.weight" : tensor<2x2xf32>
  %loss = cg.reduce_sum %v {axes = array<i64: 0>} : tensor<2xf32>
  %only_for_frozen = cg.exp %x : tensor<2x2xf32>
  %0 = cg.parameter_gradient "body.weight", %x : tensor<2x2xf32>
  %1 = cg.parameter_gradient "body.bias", %v : tensor<2xf32>
  %2 = cg.parameter_gradient "body.frozen", %only_for_frozen : tensor<2x2xf32>
  %3 = cg.parameter_gradient "head.weight", %x : tensor<2x2xf32>
  cg.return %loss : tensor<f32>
}
