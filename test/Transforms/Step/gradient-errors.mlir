// RUN: not espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-group-parameters{groups=v*:frozen}))' 2>&1 | FileCheck %s --check-prefix=UNMATCHED
// UNMATCHED: error: expects parameters that match 'v*', but the network has none

// RUN: not espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-group-parameters{groups=*:frozen}))' 2>&1 | FileCheck %s --check-prefix=FROZEN
// FROZEN: error: expects a parameter to train, but all are frozen

// RUN: not espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-group-parameters{groups=[a}))' 2>&1 | FileCheck %s --check-prefix=PATTERN
// PATTERN: error: expects a pattern of parameter paths, but got '[a':

// RUN: not espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-group-parameters{groups=w:rate=-1}))' 2>&1 | FileCheck %s --check-prefix=SETTING
// SETTING: error: expects weight-decay=NUMBER, rate=NUMBER or frozen in a parameter group, with numbers of at least 0, but got 'rate=-1'

// RUN: not espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-clip-gradients{norm=1 value=1}))' 2>&1 | FileCheck %s --check-prefix=CLIP
// CLIP: error: expects a norm > 0 or a value > 0 to clip gradients to, but got norm 1.0{{.*}} and value 1.0

// RUN: not espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-accumulate-gradients{count=0}))' 2>&1 | FileCheck %s --check-prefix=COUNT
// COUNT: error: expects a batch of at least 1 part, but got 0

// RUN: not espalier-opt %s --pass-pipeline='builtin.module(cg.graph(cg-average-parameters{decay=1}))' 2>&1 | FileCheck %s --check-prefix=DECAY
// DECAY: error: expects a decay of at least 0 and below 1, but got 1.0

// RUN: sed 's/"w", %x/"w", %x {cg.update_scale = "scale"}/' %s | not espalier-opt --pass-pipeline='builtin.module(cg.graph(cg-apply-optimizer{kind=adam}))' 2>&1 | FileCheck %s --check-prefix=SLOT
// SLOT: error: 'cg.parameter_gradient' op expects a state of 'w' with the slot "scale", but there is none
cg.graph @step(%x: tensor<4xf32> {cg.name = "x"}) -> tensor<f32> {
  %w = cg.parameter "w" : tensor<4xf32>
  %loss = cg.reduce_sum %x {axes = array<i64: 0>} : tensor<4xf32>
  %g = cg.parameter_gradient "w", %x : tensor<4xf32>
  cg.return %loss : tensor<f32>
}
