// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-apply-optimizer{kind=sgd}))' | FileCheck %s --check-prefix=PLAIN
// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-apply-optimizer{kind=sgd momentum=0.9 nesterov=true weight-decay=0.5}))' | FileCheck %s --check-prefix=NESTEROV
// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-apply-optimizer{kind=adamw weight-decay=0.5}))' | FileCheck %s --check-prefix=ADAMW
// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-clip-gradients{norm=2.0},cg-apply-optimizer{kind=sgd}))' | FileCheck %s --check-prefix=CLIP
// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-apply-optimizer{kind=sgd momentum=0.9},cg-functionalize{return-gradients=true}))' | FileCheck %s --check-prefix=PURE

// PLAIN:      %[[W:.+]] = cg.parameter "w"
// PLAIN:      %[[G:.+]] = cg.parameter_gradient "w"
// PLAIN-NEXT: %[[LR:.+]] = cg.hyper "learning_rate" : tensor<f32>
// PLAIN-NEXT: %[[D:.+]] = cg.mul %[[G]], %[[LR]]
// PLAIN-NEXT: %[[NEW:.+]] = cg.sub %[[W]], %[[D]]
// PLAIN-NEXT: cg.parameter_update "w", %[[NEW]]

// NESTEROV:      %[[W:.+]] = cg.parameter "w"
// NESTEROV:      %[[G:.+]] = cg.parameter_gradient "w"
// NESTEROV:      %[[DECAY:.+]] = cg.mul %[[W]], %{{.+}}
// NESTEROV:      %[[DECAYED:.+]] = cg.add %[[G]], %[[DECAY]]
// NESTEROV:      %[[OLD:.+]] = cg.state "w" slot "momentum" : tensor<4xf32> init #cg.fill<0.000000e+00 : f64>
// NESTEROV:      %[[SCALED:.+]] = cg.mul %[[OLD]], %{{.+}}
// NESTEROV:      %[[V:.+]] = cg.add %[[SCALED]], %[[DECAYED]]
// NESTEROV:      cg.update "w" slot "momentum", %[[V]]
// NESTEROV:      %[[AHEAD:.+]] = cg.mul %[[V]], %{{.+}}
// NESTEROV:      cg.add %[[DECAYED]], %[[AHEAD]]
// NESTEROV:      cg.parameter_update "w"

// The decay of AdamW touches the parameter, never the moments.
// ADAMW:      %[[W:.+]] = cg.parameter "w"
// ADAMW:      %[[G:.+]] = cg.parameter_gradient "w"
// ADAMW:      %[[START:.+]] = cg.mul %[[W]], %{{.+}}
// ADAMW:      cg.state "w" slot "first_moment"
// ADAMW:      cg.mul %[[G]], %{{.+}}
// ADAMW:      cg.mul %[[G]], %[[G]]
// ADAMW:      cg.state "w" slot "second_moment"
// ADAMW-COUNT-2: cg.power
// ADAMW:      %[[NEW:.+]] = cg.sub %[[START]], %{{.+}}
// ADAMW:      cg.parameter_update "w", %[[NEW]]

// CLIP:      cg.reduce_sum
// CLIP:      cg.sqrt
// CLIP:      %[[FACTOR:.+]] = cg.minimum
// CLIP:      %[[CLIPPED:.+]] = cg.mul %{{.+}}, %[[FACTOR]]
// CLIP:      %[[MARK:.+]] = cg.parameter_gradient "w", %[[CLIPPED]]
// CLIP:      cg.mul %[[MARK]], %{{.+}}

// PURE:      cg.graph @step(
// PURE-SAME:   %[[X:.+]]: tensor<4xf32> {cg.name = "x", cg.role = "input"}
// PURE-SAME:   %[[W:.+]]: tensor<4xf32> {cg.init = #cg.fill<1.000000e+00 : f64>, cg.path = "w", cg.role = "parameter"}
// PURE-SAME:   %[[LR:.+]]: tensor<f32> {cg.name = "learning_rate", cg.role = "hyper"}
// PURE-SAME:   %[[V:.+]]: tensor<4xf32> {cg.init = #cg.fill<0.000000e+00 : f64>, cg.path = "w", cg.role = "slot", cg.slot = "momentum"}
// PURE-SAME: -> (tensor<f32> {cg.name = "output0", cg.role = "output"}
// PURE-SAME:     tensor<4xf32> {cg.path = "w", cg.role = "slot", cg.slot = "momentum", cg.tied = 3 : i64}
// PURE-SAME:     tensor<4xf32> {cg.path = "w", cg.role = "parameter", cg.tied = 1 : i64}
// PURE-SAME:     tensor<4xf32> {cg.path = "w", cg.role = "gradient"}
// PURE-NOT:  cg.parameter
// PURE-NOT:  cg.state
cg.graph @step(%x: tensor<4xf32> {cg.name = "x"}) -> tensor<f32> {
  %w = cg.parameter "w" : tensor<4xf32> init #cg.fill<1.0 : f64>
  %p = cg.mul %w, %x : tensor<4xf32>, tensor<4xf32>
  %loss = cg.reduce_sum %p {axes = array<i64: 0>} : tensor<4xf32>
  %g = cg.parameter_gradient "w", %x : tensor<4xf32>
  cg.return %loss : tensor<f32>
}
