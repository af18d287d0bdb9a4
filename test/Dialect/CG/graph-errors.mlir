// RUN: espalier-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{'cg.graph' op expects ranked tensors as arguments, but got 'f32'}}
cg.graph @graph_c1(%x: f32) {
  cg.return
}

// -----

// expected-error@+1 {{'cg.graph' op expects ranked tensors as results, but got 'tensor<*xf32>'}}
cg.graph @graph_c1_results(%x: tensor<f32>) -> tensor<*xf32> {
  cg.return %x : tensor<f32>
}

// -----

// expected-error@+1 {{'cg.graph' op expects 'cg.dims' with 2 strings for argument 0, but got ["N"]}}
cg.graph @graph_c2(%x: tensor<?x2xf32> {cg.dims = ["N"]}) {
  cg.return
}

// -----

// expected-error@+1 {{'cg.graph' op expects 'cg.dims' of argument 0 to name the extents of 'tensor<?x2xf32>', but got "3"}}
cg.graph @graph_c2_number(%x: tensor<?x2xf32> {cg.dims = ["N", "3"]}) {
  cg.return
}

// -----

// expected-error@+1 {{'cg.graph' op expects 'cg.dims' of argument 0 to name the extents of 'tensor<?xf32>', but got ""}}
cg.graph @graph_c2_empty(%x: tensor<?xf32> {cg.dims = [""]}) {
  cg.return
}

// -----

cg.graph @graph_c3() {
  // expected-note@+1 {{first named here}}
  %0 = cg.parameter "w" : tensor<2xf32>
  // expected-error@+1 {{'cg.parameter' op expects 'w' to have type 'tensor<2xf32>', but got 'tensor<3xf32>'}}
  %1 = cg.parameter "w" : tensor<3xf32>
  cg.return
}

// -----

cg.graph @graph_c3_update(%x: tensor<3xf32>) {
  // expected-note@+1 {{first named here}}
  %0 = cg.state "w" slot "m" : tensor<2xf32>
  // expected-error@+1 {{'cg.update' op expects 'w#m' to have type 'tensor<2xf32>', but got 'tensor<3xf32>'}}
  cg.update "w" slot "m", %x : tensor<3xf32>
  cg.return
}

// -----

cg.graph @return_c1(%x: tensor<2xf32>) -> tensor<3xf32> {
  // expected-error@+1 {{'cg.return' op expects operand types 'tensor<3xf32>', but got 'tensor<2xf32>'}}
  cg.return %x : tensor<2xf32>
}

// -----

cg.graph @parameter_c1() {
  // expected-error@+1 {{'cg.parameter' op expects a static shape, but got 'tensor<?xf32>'}}
  %0 = cg.parameter "w" : tensor<?xf32>
  cg.return
}

// -----

cg.graph @state_c1() {
  // expected-error@+1 {{'cg.state' op expects a static shape, but got 'tensor<?xf32>'}}
  %0 = cg.state "w" : tensor<?xf32>
  cg.return
}

// -----

// expected-error@+1 {{'cg.graph' op expects 'cg.default_sizes' to map sizes to numbers, but got 8 : i64}}
cg.graph @graph_c4(%x: tensor<?x2xf32> {cg.dims = ["N", "2"]}) attributes {cg.default_sizes = 8 : i64} {
  cg.return
}

// -----

// expected-error@+1 {{'cg.graph' op expects 'cg.default_sizes' to hold sizes that 'cg.dims' names, but got "H"}}
cg.graph @graph_c4_name(%x: tensor<?x2xf32> {cg.dims = ["N", "2"]}) attributes {cg.default_sizes = {H = 8 : i64}} {
  cg.return
}

// -----

// expected-error@+1 {{'cg.graph' op expects the default of size "N" to be an i64 number of at least 1, but got 0 : i64}}
cg.graph @graph_c4_number(%x: tensor<?x2xf32> {cg.dims = ["N", "2"]}) attributes {cg.default_sizes = {N = 0 : i64}} {
  cg.return
}

// -----

// expected-error@+1 {{'cg.graph' op expects the default of size "N" to be an i64 number of at least 1, but got 8 : i32}}
cg.graph @graph_c4_type(%x: tensor<?x2xf32> {cg.dims = ["N", "2"]}) attributes {cg.default_sizes = {N = 8 : i32}} {
  cg.return
}

// -----

cg.graph @hyper_c1() {
  // expected-error@+1 {{'cg.hyper' op expects a static shape, but got 'tensor<?xf32>'}}
  %0 = cg.hyper "w" : tensor<?xf32>
  cg.return
}

// -----

cg.graph @parameter_c2() {
  // expected-error@+1 {{'cg.parameter' op expects a path that is not empty, but got ""}}
  %0 = cg.parameter "" : tensor<2xf32>
  cg.return
}

// -----

cg.graph @state_c2() {
  // expected-error@+1 {{'cg.state' op expects a path that is not empty, but got ""}}
  %0 = cg.state "" : tensor<2xf32>
  cg.return
}

// -----

cg.graph @parameter_c3() {
  // expected-error@+1 {{'cg.parameter' op expects initial values of the shape of 'tensor<2x2xf32>', but got 'tensor<4xf64>'}}
  %0 = cg.parameter "w" : tensor<2x2xf32> init #cg.values<dense<1.0> : tensor<4xf64>>
  cg.return
}

// -----

cg.graph @state_c3() {
  // expected-error@+1 {{'cg.state' op expects initial values of the shape of 'tensor<f32>', but got 'tensor<1xf64>'}}
  %0 = cg.state "w" : tensor<f32> init #cg.values<dense<1.0> : tensor<1xf64>>
  cg.return
}

// -----

// expected-error@+1 {{'cg.return' op expects parent op 'cg.graph'}}
cg.return
