// RUN: espalier-opt %s --cg-bind-sizes=sizes=N=8 | FileCheck %s
// RUN: not espalier-opt %s --cg-bind-sizes=sizes=N=0 2>&1 | FileCheck %s --check-prefix=ZERO
// RUN: not espalier-opt %s --cg-bind-sizes=sizes=N=2,H=1 2>&1 | FileCheck %s --check-prefix=SMALL

// RUN: espalier-opt %s --cg-bind-sizes="use-defaults=true sizes=N=8" | FileCheck %s --check-prefix=DEFAULTS
// RUN: espalier-opt %s --cg-bind-sizes="use-defaults=true sizes=N=8,H=9" | FileCheck %s --check-prefix=GIVEN

// ZERO: expects a size as NAME=NUMBER with a number >= 1, but got 'N=0'
// SMALL: 'cg.conv2d' op

// A default counts where it is asked for, and no number is given.
// DEFAULTS: cg.graph @net({{.*}} {cg.dims = ["8", "3", "16", "16"], cg.name = "x"}) -> tensor<8x4x14x14xf32> {
// GIVEN:    cg.graph @net({{.*}} {cg.dims = ["8", "3", "9", "9"], cg.name = "x"}) -> tensor<8x4x7x7xf32> {

// CHECK-LABEL: cg.graph @net(
// CHECK-SAME:    %[[X:.+]]: tensor<8x3x?x?xf32> {cg.dims = ["8", "3", "H", "H"], cg.name = "x"}) -> tensor<8x4x?x?xf32>
// CHECK-SAME:    attributes {cg.default_sizes = {H = 16 : i64}}
// CHECK:         cg.conv2d {{.*}} : tensor<8x3x?x?xf32>, tensor<4x3x3x3xf32>
cg.graph @net(%x: tensor<?x3x?x?xf32> {cg.name = "x", cg.dims = ["N", "3", "H", "H"]}) -> tensor<?x4x?x?xf32>
    attributes {cg.default_sizes = {H = 16 : i64, N = 4 : i64}} {
  %w = cg.parameter "w" : tensor<4x3x3x3xf32>
  %y = cg.conv2d %x, %w : tensor<?x3x?x?xf32>, tensor<4x3x3x3xf32>
  cg.return %y : tensor<?x4x?x?xf32>
}
