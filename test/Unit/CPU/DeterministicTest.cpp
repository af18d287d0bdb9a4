//===- DeterministicTest.cpp - library rows for any number of threads -----===//
//
// Rows large enough to be cut into pieces. On small integers every sum is exact, so that pieces must give what the
// whole gives; on other numbers their bits must not depend on the number of threads.
//
//===----------------------------------------------------------------------===//

#include "Compile.h"

#include <array>
#include <cmath>

using namespace espalier;
using namespace espalier::test;

namespace {

struct Case {
  const char *name;
  std::vector<std::vector<int64_t>> inputs;
  const char *text; ///< of a program with the inputs `a` and `b` and the output `y`
};

const Case cases[] = {
    {"Conv",
     {{12, 24, 24, 16}, {32, 16, 3, 3}},
     R"(plan.program @main {
      %a = plan.argument "a" input : memref<12x24x24x16xf32>
      %b = plan.argument "b" input : memref<32x16x3x3xf32>
      %y = plan.argument "y" output : memref<12x24x24x32xf32>
      plan.conv2d nhwc %a : memref<12x24x24x16xf32>, %b : memref<32x16x3x3xf32>
        residual %y : memref<12x24x24x32xf32> into %y : memref<12x24x24x32xf32>
        strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
    })"},
    {"InputGradient",
     {{12, 24, 24, 16}, {16, 32, 3, 3}},
     R"(plan.program @main {
      %a = plan.argument "a" input : memref<12x24x24x16xf32>
      %b = plan.argument "b" input : memref<16x32x3x3xf32>
      %y = plan.argument "y" output : memref<12x24x24x32xf32>
      plan.conv2d_input_gradient nhwc %a : memref<12x24x24x16xf32>, %b : memref<16x32x3x3xf32>
        into %y : memref<12x24x24x32xf32> strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
    })"},
    {"FilterGradient",
     {{12, 24, 24, 16}, {12, 24, 24, 20}},
     R"(plan.program @main {
      %a = plan.argument "a" input : memref<12x24x24x16xf32>
      %b = plan.argument "b" input : memref<12x24x24x20xf32>
      %y = plan.argument "y" output : memref<20x16x3x3xf32>
      plan.conv2d_filter_gradient nhwc %a : memref<12x24x24x16xf32>, %b : memref<12x24x24x20xf32>
        into %y : memref<20x16x3x3xf32> strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
    })"},
    {"FilterGradientNCHW",
     {{10, 3, 32, 32}, {10, 64, 32, 32}},
     R"(plan.program @main {
      %a = plan.argument "a" input : memref<10x3x32x32xf32>
      %b = plan.argument "b" input : memref<10x64x32x32xf32>
      %y = plan.argument "y" output : memref<64x3x3x3xf32>
      plan.conv2d_filter_gradient nchw %a : memref<10x3x32x32xf32>, %b : memref<10x64x32x32xf32>
        into %y : memref<64x3x3x3xf32> strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1
    })"},
    {"Matmul",
     {{60, 2000}, {2000, 100}},
     R"(plan.program @main {
      %a = plan.argument "a" input : memref<60x2000xf32>
      %b = plan.argument "b" input : memref<2000x100xf32>
      %y = plan.argument "y" output : memref<60x100xf32>
      plan.matmul %a : memref<60x2000xf32>, %b : memref<2000x100xf32> into %y : memref<60x100xf32>
    })"},
    {"MatmulTransposed",
     {{2000, 60}, {100, 2000}},
     R"(plan.program @main {
      %a = plan.argument "a" input : memref<2000x60xf32>
      %b = plan.argument "b" input : memref<100x2000xf32>
      %y = plan.argument "y" output : memref<60x100xf32>
      plan.matmul %a : memref<2000x60xf32>, %b : memref<100x2000xf32> into %y : memref<60x100xf32>
        transpose_lhs transpose_rhs
    })"},
};

class Deterministic : public testing::TestWithParam<Case> {
protected:
  /// The output, of operands whose elements `value` gives.
  rt::HostTensor run(int threads, bool isDeterministic, llvm::function_ref<float(int64_t)> value) {
    rt::Program program = load(GetParam().text, "main", threads);
    program.setDeterministic(isDeterministic);
    for (auto [name, shape] : llvm::zip_equal(std::array{"a", "b"}, GetParam().inputs))
      EXPECT_TRUE(program.write(*program.findInput(name), tensor<float>(shape, value)).ok());
    // What a row accumulates into.
    rt::PlaceId output = *program.findOutput("y");
    EXPECT_TRUE(
        program.write(output, *rt::HostTensor::create(rt::DType::F32, program.table().places[output].shape)).ok());
    rt::Status status = program.run();
    EXPECT_TRUE(status.ok()) << status.message();
    return *program.read(output);
  }

  static void expectEqualBits(const rt::HostTensor &actual, const rt::HostTensor &expected) {
    ASSERT_EQ(actual.numElements(), expected.numElements());
    for (int64_t i = 0; i < actual.numElements(); ++i)
      ASSERT_EQ(actual.elements<float>()[i], expected.elements<float>()[i]) << "element " << i;
  }
};

TEST_P(Deterministic, PiecesGiveTheWhole) {
  auto smallInteger = [](int64_t i) { return float((i * 7 + i / 3) % 5 - 2); };
  rt::HostTensor whole = run(1, /*isDeterministic=*/false, smallInteger);
  for (int threads : {1, 2})
    expectEqualBits(run(threads, /*isDeterministic=*/true, smallInteger), whole);
}

TEST_P(Deterministic, SameBitsForAnyThreads) {
  auto number = [](int64_t i) { return std::sin(float(i % 10007)); };
  rt::HostTensor one = run(1, /*isDeterministic=*/true, number);
  for (int threads : {2, 3, 5})
    expectEqualBits(run(threads, /*isDeterministic=*/true, number), one);
}

INSTANTIATE_TEST_SUITE_P(Rows, Deterministic, testing::ValuesIn(cases),
                         [](const auto &info) { return info.param.name; });

} // namespace
