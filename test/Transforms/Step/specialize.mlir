// RUN: espalier-opt %s --split-input-file --pass-pipeline='builtin.module(cg.graph(cg-specialize{mode=training}))' | FileCheck %s --check-prefix=TRAIN
// RUN: espalier-opt %s --split-input-file --pass-pipeline='builtin.module(cg.graph(cg-specialize{mode=inference}))' | FileCheck %s --check-prefix=INFER

// TRAIN-LABEL: cg.graph @norm(
// TRAIN-SAME:    %[[X:.+]]: tensor<8x4x3x3xf32>
// TRAIN-DAG:     %[[SCALE:.+]] = cg.parameter "bn.weight"
// TRAIN-DAG:     %[[SHIFT:.+]] = cg.parameter "bn.bias"
// TRAIN-DAG:     %[[OLD:.+]] = cg.state "bn.running_mean"
// TRAIN:         %[[Y:.+]], %[[MEAN:.+]], %[[VAR:.+]] = cg.batch_norm_training %[[X]], %[[SCALE]], %[[SHIFT]] {cg.scope = "bn", epsilon = 1.000000e-05 : f64}
// TRAIN:         cg.extent %[[X]] {axes = array<i64: 0, 2, 3>, type = f32}
// TRAIN:         %[[KEPT:.+]] = cg.mul %[[OLD]], %{{.+}}
// TRAIN:         %[[ADDED:.+]] = cg.mul %[[MEAN]], %{{.+}}
// TRAIN:         %[[NEW:.+]] = cg.add %[[KEPT]], %[[ADDED]]
// TRAIN:         cg.update "bn.running_mean", %[[NEW]]
// TRAIN:         cg.update "bn.running_var"
// TRAIN:         cg.return %[[Y]]

// INFER-LABEL: cg.graph @norm(
// INFER:         %[[Y:.+]] = cg.batch_norm_inference
// INFER-NOT:     cg.update
// INFER:         cg.return %[[Y]]
cg.graph @norm(%x: tensor<8x4x3x3xf32>) -> tensor<8x4x3x3xf32> {
  %scale = cg.parameter "bn.weight" : tensor<4xf32> init #cg.fill<1.0 : f64>
  %shift = cg.parameter "bn.bias" : tensor<4xf32> init #cg.fill<0.0 : f64>
  %mean = cg.state "bn.running_mean" : tensor<4xf32> init #cg.fill<0.0 : f64>
  %var = cg.state "bn.running_var" : tensor<4xf32> init #cg.fill<1.0 : f64>
  %y = cg.batch_norm %x, %scale, %shift, %mean, %var {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64, cg.scope = "bn"}
    : tensor<8x4x3x3xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  cg.return %y : tensor<8x4x3x3xf32>
}

// -----

// TRAIN-LABEL: cg.graph @drop(
// TRAIN-SAME:    %[[X:.+]]: tensor<8x4xf32>
// TRAIN:         %[[SEED:.+]] = cg.hyper "seed" : tensor<i64>
// TRAIN:         %[[U:.+]] = cg.random_uniform "drop1" %[[SEED]] like %[[X]]
// TRAIN:         %[[RATE:.+]] = cg.constant dense<2.500000e-01>
// TRAIN:         %[[KEEP:.+]] = cg.compare ge %[[U]], %[[RATE]]
// TRAIN:         %[[SCALE:.+]] = cg.constant dense<1.33333337>
// TRAIN:         %[[SCALED:.+]] = cg.mul %[[X]], %[[SCALE]]
// TRAIN:         %[[Y:.+]] = cg.where %[[KEEP]], %[[SCALED]], %{{.+}}
// TRAIN:         cg.return %[[Y]]

// INFER-LABEL: cg.graph @drop(
// INFER-SAME:    %[[X:.+]]: tensor<8x4xf32>
// INFER-NEXT:    cg.return %[[X]]
cg.graph @drop(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %y = cg.dropout "drop1" %x {rate = 0.25 : f64} : tensor<8x4xf32>
  cg.return %y : tensor<8x4xf32>
}

// -----

// A mask of bf16 would be coarse, and could round up to 1.
// TRAIN-LABEL: cg.graph @narrow_drop(
// TRAIN:         %[[LIKE:.+]] = cg.cast %{{.+}} {type = f32} : tensor<8x4xbf16>
// TRAIN:         %[[U:.+]] = cg.random_uniform "drop1" %{{.+}} like %[[LIKE]] : tensor<i64>, tensor<8x4xf32>
// TRAIN:         cg.compare ge %[[U]], %{{.+}} : tensor<8x4xf32>, tensor<f32>
// TRAIN:         cg.where %{{.+}}, %{{.+}}, %{{.+}} : tensor<8x4xi1>, tensor<8x4xbf16>, tensor<bf16>
cg.graph @narrow_drop(%x: tensor<8x4xbf16>) -> tensor<8x4xbf16> {
  %y = cg.dropout "drop1" %x {rate = 0.25 : f64} : tensor<8x4xbf16>
  cg.return %y : tensor<8x4xbf16>
}

// -----

// A norm used twice: the second update starts from the first one's result.
// TRAIN-LABEL: cg.graph @shared(
// TRAIN:         %[[FIRST:.+]] = cg.add
// TRAIN:         cg.update "bn.running_mean", %[[FIRST]]
// TRAIN:         cg.batch_norm_training
// TRAIN:         cg.mul %[[FIRST]], %{{.+}}
// TRAIN:         cg.update "bn.running_mean"
cg.graph @shared(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %scale = cg.parameter "bn.weight" : tensor<4xf32>
  %shift = cg.parameter "bn.bias" : tensor<4xf32>
  %mean = cg.state "bn.running_mean" : tensor<4xf32>
  %var = cg.state "bn.running_var" : tensor<4xf32>
  %y = cg.batch_norm %x, %scale, %shift, %mean, %var {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  %z = cg.batch_norm %y, %scale, %shift, %mean, %var {epsilon = 1.0e-05 : f64, momentum = 0.1 : f64}
    : tensor<8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  cg.return %z : tensor<8x4xf32>
}
