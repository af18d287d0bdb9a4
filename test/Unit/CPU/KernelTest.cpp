//===- KernelTest.cpp - Kernels compiled and run --------------------------===//

#include "Compile.h"

#include <cmath>

using namespace espalier;
using namespace espalier::test;

/// relu(a + b) on rows [begin, end), in loops on memory.
static constexpr const char *loops = R"mlir(
  func.func private @relu_add(%a: memref<8x16xf32>, %b: memref<8x16xf32>, %out: memref<8x16xf32>,
                              %begin: index, %end: index) attributes {plan.kernel = #plan.kernel<extent = 8>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c16 = arith.constant 16 : index
    %zero = arith.constant 0.0 : f32
    scf.for %i = %begin to %end step %c1 {
      scf.for %j = %c0 to %c16 step %c1 {
        %x = memref.load %a[%i, %j] : memref<8x16xf32>
        %y = memref.load %b[%i, %j] : memref<8x16xf32>
        %sum = arith.addf %x, %y : f32
        %relu = arith.maximumf %sum, %zero : f32
        memref.store %relu, %out[%i, %j] : memref<8x16xf32>
      }
    }
    return
  }
  plan.program @main {
    %x = plan.argument "x" input : memref<8x16xf32>
    %w = plan.argument "w" parameter : memref<8x16xf32>
    %y = plan.argument "y" output : memref<8x16xf32>
    %t = plan.buffer offset 64 : memref<8x16xf32>
    plan.dispatch @relu_add(%x, %w, %t) : memref<8x16xf32>, memref<8x16xf32>, memref<8x16xf32>
    plan.dispatch @relu_add(%t, %x, %y) : memref<8x16xf32>, memref<8x16xf32>, memref<8x16xf32>
  }
)mlir";

/// The same on tensors: destination-passing, for bufferization.
static constexpr const char *tensors = R"mlir(
  #row = affine_map<(d0, d1) -> (d0, d1)>
  func.func private @relu_add(%a: memref<8x16xf32>, %b: memref<8x16xf32>, %out: memref<8x16xf32>,
                              %begin: index, %end: index)
      attributes {plan.kernel = #plan.kernel<extent = 8, grain = 2>} {
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %ta = bufferization.to_tensor %a restrict : memref<8x16xf32> to tensor<8x16xf32>
    %tb = bufferization.to_tensor %b restrict : memref<8x16xf32> to tensor<8x16xf32>
    %size = arith.subi %end, %begin : index
    %as = tensor.extract_slice %ta[%begin, 0] [%size, 16] [1, 1] : tensor<8x16xf32> to tensor<?x16xf32>
    %bs = tensor.extract_slice %tb[%begin, 0] [%size, 16] [1, 1] : tensor<8x16xf32> to tensor<?x16xf32>
    %destination = memref.subview %out[%begin, 0] [%size, 16] [1, 1]
        : memref<8x16xf32> to memref<?x16xf32, strided<[16, 1], offset: ?>>
    %empty = tensor.empty(%size) : tensor<?x16xf32>
    %sum = linalg.add ins(%as, %bs : tensor<?x16xf32>, tensor<?x16xf32>) outs(%empty : tensor<?x16xf32>)
        -> tensor<?x16xf32>
    %relu = linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel", "parallel"]}
        ins(%sum : tensor<?x16xf32>) outs(%empty : tensor<?x16xf32>) {
    ^bb0(%x: f32, %o: f32):
      %m = arith.maximumf %x, %zero : f32
      linalg.yield %m : f32
    } -> tensor<?x16xf32>
    bufferization.materialize_in_destination %relu in restrict writable %destination
        : (tensor<?x16xf32>, memref<?x16xf32, strided<[16, 1], offset: ?>>) -> ()
    return
  }
  plan.program @main {
    %x = plan.argument "x" input : memref<8x16xf32>
    %w = plan.argument "w" parameter : memref<8x16xf32>
    %y = plan.argument "y" output : memref<8x16xf32>
    %t = plan.buffer offset 64 : memref<8x16xf32>
    plan.dispatch @relu_add(%x, %w, %t) : memref<8x16xf32>, memref<8x16xf32>, memref<8x16xf32>
    plan.dispatch @relu_add(%t, %x, %y) : memref<8x16xf32>, memref<8x16xf32>, memref<8x16xf32>
  }
)mlir";

struct ReluAddCase {
  const char *name, *text;
  int threads;
};
class ReluAdd : public testing::TestWithParam<ReluAddCase> {};

TEST_P(ReluAdd, EqualsTheFormula) {
  rt::Program program = load(GetParam().text, "main", GetParam().threads);
  auto x = [](int64_t i) { return float(i % 13) - 6; };
  auto w = [](int64_t i) { return float(i % 7) - 3; };
  ASSERT_OK(program.write(*program.findInput("x"), tensor<float>({8, 16}, x)));
  ASSERT_OK(program.write(*program.findInput("w"), tensor<float>({8, 16}, w)));
  ASSERT_OK(program.run());
  rt::HostTensor y = *program.read(*program.findOutput("y"));
  for (int64_t i = 0; i < 128; ++i)
    ASSERT_EQ(y.elements<float>()[i], std::max(0.0f, std::max(0.0f, x(i) + w(i)) + x(i))) << "element " << i;
}

INSTANTIATE_TEST_SUITE_P(Kernels, ReluAdd,
                         testing::Values(ReluAddCase{"Loops", loops, 1}, ReluAddCase{"LoopsThreads", loops, 2},
                                         ReluAddCase{"Tensors", tensors, 1}, ReluAddCase{"TensorsThreads", tensors, 2}),
                         [](const auto &info) { return info.param.name; });
