// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-accumulate-gradients{count=4 part=early},cg-functionalize))' | FileCheck %s --check-prefix=EARLY
// RUN: espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-accumulate-gradients{count=4 part=last},cg-clip-gradients{value=0.5},cg-apply-optimizer{kind=rmsprop centered=true},cg-average-parameters{decay=0.99}))' | FileCheck %s --check-prefix=LAST

// An early part is a pure function from the old sum to the new one; no parameter changes.
// EARLY:      cg.graph @step(%[[X:[^:]+]]: tensor<4xf32>
// EARLY-SAME:   %[[OLD:[^:]+]]: tensor<4xf32> {cg.init = #cg.fill<0.000000e+00 : f64>, cg.path = "w", cg.role = "slot", cg.slot = "accumulated"}
// EARLY-SAME: -> (
// EARLY-NOT:    cg.role = "parameter"
// EARLY-SAME:   tensor<4xf32> {cg.path = "w", cg.role = "slot", cg.slot = "accumulated", cg.tied = 2 : i64})
// EARLY:      %[[QUARTER:.+]] = cg.constant dense<2.500000e-01>
// EARLY:      %[[SHARE:.+]] = cg.mul %[[X]], %[[QUARTER]]
// EARLY:      %[[SUM:.+]] = cg.add %[[OLD]], %[[SHARE]]
// EARLY:      cg.return %{{.+}}, %{{.+}}, %[[SUM]]

// The order at the mark: accumulate, clip, optimise; then average.
// LAST:       %[[W:.+]] = cg.parameter "w"
// LAST:       %[[OLD:.+]] = cg.state "w" slot "accumulated"
// LAST:       %[[SUM:.+]] = cg.add %[[OLD]], %{{.+}}
// LAST:       cg.update "w" slot "accumulated"
// LAST:       %[[ABOVE:.+]] = cg.maximum %[[SUM]], %{{.+}}
// LAST:       %[[CLIPPED:.+]] = cg.minimum %[[ABOVE]], %{{.+}}
// LAST:       %[[G:.+]] = cg.parameter_gradient "w", %[[CLIPPED]]
// LAST:       cg.mul %[[G]], %[[G]]
// LAST:       cg.update "w" slot "second_moment"
// LAST:       cg.update "w" slot "first_moment"
// LAST:       cg.maximum
// LAST:       cg.parameter_update "w", %[[NEW:.+]] :
// LAST:       %[[STEP:.+]] = cg.hyper "step"
// LAST:       %[[BEFORE:.+]] = cg.sub %[[STEP]], %{{.+}}
// LAST:       %[[WEIGHT:.+]] = cg.minimum %[[BEFORE]], %{{.+}}
// Running statistics are averaged too.
// LAST:       cg.state "mean" slot "average"
// LAST:       cg.update "mean" slot "average"
// LAST:       %[[AVERAGE:.+]] = cg.state "w" slot "average"
// LAST:       %[[DIFFERENCE:.+]] = cg.sub %[[AVERAGE]], %[[NEW]]
// LAST:       %[[MOVED:.+]] = cg.mul %[[DIFFERENCE]], %[[WEIGHT]]
// LAST:       %[[RESULT:.+]] = cg.add %[[NEW]], %[[MOVED]]
// LAST:       cg.update "w" slot "average", %[[RESULT]]
cg.graph @step(%x: tensor<4xf32> {cg.name = "x"}) -> tensor<f32> {
  %w = cg.parameter "w" : tensor<4xf32>
  %p = cg.mul %w, %x : tensor<4xf32>, tensor<4xf32>
  %loss = cg.reduce_sum %p {axes = array<i64: 0>} : tensor<4xf32>
  %g = cg.parameter_gradient "w", %x : tensor<4xf32>
  cg.update "mean", %p : tensor<4xf32>
  cg.return %loss : tensor<f32>
}
