// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-apply-optimizer{kind=adamw weight-decay=0.5}))' | FileCheck %s --check-prefix=ADAMW
// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-apply-optimizer{kind=rmsprop momentum=0.9}))' | FileCheck %s --check-prefix=RMSPROP

// The scale of an update multiplies what is subtracted, not the gradient, the moments or the decay of AdamW.
// ADAMW:      %[[W:.+]] = cg.parameter "w"
// ADAMW:      %[[S:.+]] = cg.state "w" slot "scale"
// ADAMW:      %[[G:.+]] = cg.parameter_gradient "w", %{{.+}} {cg.update_scale = "scale"}
// ADAMW:      %[[START:.+]] = cg.mul %[[W]], %{{.+}}
// ADAMW-NOT:  , %[[S]] :
// ADAMW:      cg.mul %[[G]], %[[G]]
// ADAMW-NOT:  , %[[S]] :
// ADAMW:      %[[SCALED:.+]] = cg.mul %{{.+}}, %[[S]] :
// ADAMW-NEXT: %[[UPDATE:.+]] = cg.mul %[[SCALED]], %{{.+}}
// ADAMW-NEXT: cg.sub %[[START]], %[[UPDATE]]

// RMSPROP:      %[[S:.+]] = cg.state "w" slot "scale"
// RMSPROP-NOT:  , %[[S]] :
// RMSPROP:      cg.update "w" slot "momentum", %[[U:.+]] :
// RMSPROP-NEXT: %[[SCALED:.+]] = cg.mul %[[U]], %[[S]] :
// RMSPROP-NEXT: cg.mul %[[SCALED]], %{{.+}}
cg.graph @step(%x: tensor<4xf32> {cg.name = "x"}) -> tensor<f32> {
  %w = cg.parameter "w" : tensor<4xf32>
  %s = cg.state "w" slot "scale" : tensor<4xf32>
  %loss = cg.reduce_sum %x {axes = array<i64: 0>} : tensor<4xf32>
  %g = cg.parameter_gradient "w", %x {cg.update_scale = "scale"} : tensor<4xf32>
  cg.return %loss : tensor<f32>
}
