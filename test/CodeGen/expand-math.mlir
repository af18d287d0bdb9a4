// RUN: espalier-opt %s --plan-expand-math | FileCheck %s

// No function is left, no branch appears, and nothing may be reordered.
// CHECK-LABEL: func.func @all(
// CHECK-NOT:     math.{{exp|log|tanh|erf|pow}}
// CHECK-NOT:     reassoc
// CHECK-NOT:     scf.if
// CHECK:         return
func.func @all(%x: f32, %y: f64, %v: vector<8xf32>, %h: bf16) -> (f32, f64, vector<8xf32>, bf16, f64, f32, f64, f32) {
  %0 = math.exp %x : f32
  %1 = math.log %y : f64
  %2 = math.tanh %v : vector<8xf32>
  %3 = math.erf %h : bf16
  %4 = math.expm1 %y : f64
  %5 = math.log1p %x : f32
  %6 = math.powf %y, %y : f64
  %7 = math.sinh %x : f32
  return %0, %1, %2, %3, %4, %5, %6, %7 : f32, f64, vector<8xf32>, bf16, f64, f32, f64, f32
}

// What the instruction set has stays.
// CHECK-LABEL: func.func @instructions(
// CHECK:         math.sqrt
// CHECK:         math.rsqrt
// CHECK:         math.absf
// CHECK:         math.floor
func.func @instructions(%x: f32) -> (f32, f32, f32, f32) {
  %0 = math.sqrt %x : f32
  %1 = math.rsqrt %x : f32
  %2 = math.absf %x : f32
  %3 = math.floor %x : f32
  return %0, %1, %2, %3 : f32, f32, f32, f32
}
