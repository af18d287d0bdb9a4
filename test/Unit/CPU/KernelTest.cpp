//===- KernelTest.cpp - Kernels compiled and run --------------------------===//

#include "Compile.h"

#include <cmath>
#include <cstring>

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

/// Rounds 64 numbers to bf16 and extends them again.
static constexpr const char *rounding = R"mlir(
  func.func private @round(%x: memref<64xf32>, %narrow: memref<64xbf16>, %begin: index, %end: index)
      attributes {plan.kernel = #plan.kernel<extent = 64>} {
    %c1 = arith.constant 1 : index
    scf.for %i = %begin to %end step %c1 {
      %value = memref.load %x[%i] : memref<64xf32>
      %rounded = arith.truncf %value : f32 to bf16
      memref.store %rounded, %narrow[%i] : memref<64xbf16>
    }
    return
  }
  func.func private @extend(%narrow: memref<64xbf16>, %wide: memref<64xf32>, %begin: index, %end: index)
      attributes {plan.kernel = #plan.kernel<extent = 64>} {
    %c1 = arith.constant 1 : index
    scf.for %i = %begin to %end step %c1 {
      %value = memref.load %narrow[%i] : memref<64xbf16>
      %extended = arith.extf %value : bf16 to f32
      memref.store %extended, %wide[%i] : memref<64xf32>
    }
    return
  }
  plan.program @main {
    %x = plan.argument "x" input : memref<64xf32>
    %narrow = plan.argument "narrow" output : memref<64xbf16>
    %wide = plan.argument "wide" output : memref<64xf32>
    plan.dispatch @round(%x, %narrow) : memref<64xf32>, memref<64xbf16>
    plan.dispatch @extend(%narrow, %wide) : memref<64xbf16>, memref<64xf32>
  }
)mlir";

class BFloat16 : public testing::TestWithParam<const char *> {};

TEST_P(BFloat16, RoundsToNearestEven) {
  struct Case {
    uint32_t bits;
    uint16_t rounded;
  };
  static constexpr Case cases[] = {
      {0x00000000, 0x0000}, {0x80000000, 0x8000}, {0x3f800000, 0x3f80}, {0xbf800000, 0xbf80},
      {0x3f807fff, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81}, // below, at and above a tie, even below
      {0x3f817fff, 0x3f81}, {0x3f818000, 0x3f82}, {0x3f818001, 0x3f82}, // and above
      {0x3fffffff, 0x4000}, {0x7f7f7fff, 0x7f7f}, {0x7f7fffff, 0x7f80}, // to the next power, and to infinity
      {0x7f800000, 0x7f80}, {0xff800000, 0xff80}, {0x7fc00000, 0x7fc0}, // infinities and NaN
      {0x7f800001, 0x7fc0}, {0xffffffff, 0xffff}, {0x00800000, 0x0080}, // NaN whose upper half is that of infinity
  };
  codegen::ArtifactOptions options;
  options.cpu = GetParam();
  Compiled compiled = compile(rounding, options);
  ASSERT_EQ(compiled.diagnostics, "");
  auto executable = rt::Executable::load(bytesOf(compiled.bytes));
  ASSERT_TRUE(bool(executable)) << executable.status().message();
  auto program = rt::Program::create(*executable, std::string_view("main"), /*threads=*/1);
  ASSERT_TRUE(bool(program)) << program.status().message();
  auto caseOf = [](int64_t i) -> const Case & { return cases[static_cast<size_t>(i) % std::size(cases)]; };
  ASSERT_OK(program->write(*program->findInput("x"), tensor<float>({64}, [&](int64_t i) {
    float value;
    std::memcpy(&value, &caseOf(i).bits, sizeof value);
    return value;
  })));
  ASSERT_OK(program->run());
  auto narrow = program->read(*program->findOutput("narrow")), wide = program->read(*program->findOutput("wide"));
  ASSERT_TRUE(bool(narrow) && bool(wide));
  for (int64_t i = 0; i < 64; ++i) {
    uint16_t rounded;
    uint32_t extended;
    std::memcpy(&rounded, narrow->bytes().data() + 2 * i, sizeof rounded);
    std::memcpy(&extended, wide->bytes().data() + 4 * i, sizeof extended);
    EXPECT_EQ(rounded, caseOf(i).rounded) << "of bits " << std::hex << caseOf(i).bits;
    EXPECT_EQ(extended, uint32_t(rounded) << 16);
  }
}

// The first rounds by an instruction where the processor has one, the others by integers.
INSTANTIATE_TEST_SUITE_P(Targets, BFloat16, testing::Values("host", "x86-64-v3", "x86-64-v2"),
                         [](const auto &info) { return "Target" + std::to_string(info.index); });
