// RUN: espalier-opt %s --plan-expand-bfloat16 | FileCheck %s
// RUN: espalier-opt %s --plan-expand-bfloat16=has-rounding | FileCheck %s --check-prefix=ROUNDING

// bf16 is the upper half of f32.
// CHECK-LABEL: func.func @extend(
// CHECK-SAME:    %[[X:.*]]: bf16)
// CHECK:         %[[BITS:.*]] = arith.bitcast %[[X]] : bf16 to i16
// CHECK:         %[[WIDE:.*]] = arith.extui %[[BITS]] : i16 to i32
// CHECK:         arith.shli %[[WIDE]], %{{.*}} : i32
// CHECK-NOT:     arith.extf
// ROUNDING-LABEL: func.func @extend(
// ROUNDING-NOT:     arith.extf
func.func @extend(%x: bf16) -> f32 {
  %0 = arith.extf %x : bf16 to f32
  return %0 : f32
}

// Vectors too. NaN is no number to be rounded.
// CHECK-LABEL: func.func @round(
// CHECK-SAME:    %[[X:.*]]: vector<8xf32>)
// CHECK:         %[[NAN:.*]] = arith.cmpf uno, %[[X]], %[[X]] : vector<8xf32>
// CHECK:         arith.select %[[NAN]]
// CHECK:         arith.trunci %{{.*}} : vector<8xi32> to vector<8xi16>
// ROUNDING-LABEL: func.func @round(
// ROUNDING:         arith.truncf
func.func @round(%x: vector<8xf32>) -> vector<8xbf16> {
  %0 = arith.truncf %x : vector<8xf32> to vector<8xbf16>
  return %0 : vector<8xbf16>
}

// Near miss: other types.
// CHECK-LABEL: func.func @others(
// CHECK:         arith.extf %{{.*}} : f16 to f32
// CHECK:         arith.truncf %{{.*}} : f64 to f32
func.func @others(%x: f16, %y: f64) -> (f32, f32) {
  %0 = arith.extf %x : f16 to f32
  %1 = arith.truncf %y : f64 to f32
  return %0, %1 : f32, f32
}
