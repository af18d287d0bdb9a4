//===- ProgramTest.cpp - Arguments, memory and threads of a program -------===//

#include "Compile.h"

#include <atomic>
#include <cstdlib>
#include <new>

// Counts what the process allocates through operator new, oneDNN included.
static std::atomic<int64_t> allocations{0};

void *operator new(size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void *memory = std::malloc(bytes ? bytes : 1))
    return memory;
  throw std::bad_alloc();
}
void *operator new(size_t bytes, const std::nothrow_t &) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(bytes ? bytes : 1);
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
void operator delete(void *memory, const std::nothrow_t &) noexcept { std::free(memory); }

using namespace espalier;
using namespace espalier::test;

namespace {

/// y = sum over columns, w' = w - x (in place), of an NHWC image.
constexpr const char *text = R"mlir(
  func.func private @update(%w: memref<64x32xf32>, %x: memref<64x32xf32>, %u: memref<64x32xf32>,
                            %begin: index, %end: index) attributes {plan.kernel = #plan.kernel<extent = 64, grain = 3>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c32 = arith.constant 32 : index
    scf.for %i = %begin to %end step %c1 {
      scf.for %j = %c0 to %c32 step %c1 {
        %a = memref.load %w[%i, %j] : memref<64x32xf32>
        %b = memref.load %x[%i, %j] : memref<64x32xf32>
        %d = arith.subf %a, %b : f32
        memref.store %d, %u[%i, %j] : memref<64x32xf32>
      }
    }
    return
  }
  func.func private @sum(%x: memref<64x32xf32>, %y: memref<64xf32>, %begin: index, %end: index)
      attributes {plan.kernel = #plan.kernel<extent = 64, grain = 5>} {
    %zero = arith.constant 0.0 : f32
    %size = arith.subi %end, %begin : index
    %rows = memref.subview %x[%begin, 0] [%size, 32] [1, 1]
        : memref<64x32xf32> to memref<?x32xf32, strided<[32, 1], offset: ?>>
    %sums = memref.subview %y[%begin] [%size] [1] : memref<64xf32> to memref<?xf32, strided<[1], offset: ?>>
    linalg.fill ins(%zero : f32) outs(%sums : memref<?xf32, strided<[1], offset: ?>>)
    linalg.reduce { arith.addf } ins(%rows : memref<?x32xf32, strided<[32, 1], offset: ?>>)
        outs(%sums : memref<?xf32, strided<[1], offset: ?>>) dimensions = [1]
    return
  }
  plan.program @main {
    %x = plan.argument "x" input : memref<64x32xf32>
    %w = plan.argument "w" parameter : memref<64x32xf32>
    %u = plan.argument "w" output tied %w : memref<64x32xf32> : memref<64x32xf32>
    %y = plan.argument "y" output : memref<64xf32>
    plan.dispatch @update(%w, %x, %u) : memref<64x32xf32>, memref<64x32xf32>, memref<64x32xf32>
    plan.dispatch @sum(%u, %y) : memref<64x32xf32>, memref<64xf32>
  }
  plan.program @evaluate {
    %w = plan.argument "w" parameter : memref<64x32xf32>
    %y = plan.argument "sums" output : memref<64xf32>
    plan.dispatch @sum(%w, %y) : memref<64x32xf32>, memref<64xf32>
  }
)mlir";

rt::HostTensor ones() {
  return tensor<float>({64, 32}, [](int64_t) { return 1.0f; });
}
rt::HostTensor ramp() {
  return tensor<float>({64, 32}, [](int64_t i) { return float(i); });
}

class ProgramTest : public testing::Test {
protected:
  static std::shared_ptr<const rt::Executable> executable() {
    static std::shared_ptr<const rt::Executable> loaded = [] {
      Compiled compiled = compile(text);
      EXPECT_EQ(compiled.diagnostics, "");
      return *rt::Executable::load(bytesOf(compiled.bytes));
    }();
    return loaded;
  }
  static rt::Program program(int threads = 1, std::string_view name = "main") {
    return std::move(*rt::Program::create(executable(), name, threads));
  }
};

TEST_F(ProgramTest, UpdatesTiedArgumentsInPlace) {
  rt::Program main = program();
  ASSERT_OK(main.write(*main.findInput("x"), ones()));
  ASSERT_OK(main.write(*main.findInput("w"), ramp()));
  ASSERT_OK(main.run());
  ASSERT_OK(main.run());
  rt::HostTensor w = *main.read(*main.findInput("w")), y = *main.read(*main.findOutput("y"));
  for (int64_t i = 0; i < 64 * 32; ++i)
    ASSERT_EQ(w.elements<float>()[i], float(i - 2));
  for (int64_t i = 0; i < 64; ++i)
    ASSERT_EQ(y.elements<float>()[i], float(32 * 32 * i + 31 * 16 - 64));
}

TEST_F(ProgramTest, SharesMemoryWithAnotherProgram) {
  rt::Program main = program(), evaluate = program(1, "evaluate");
  ASSERT_OK(main.write(*main.findInput("x"), ones()));
  ASSERT_OK(main.write(*main.findInput("w"), ramp()));
  ASSERT_OK(evaluate.bindFrom(main));
  ASSERT_OK(main.run());
  ASSERT_OK(evaluate.run());
  EXPECT_EQ(evaluate.read(*evaluate.findOutput("sums"))->elements<float>()[0], 31 * 16 - 32);
}

TEST_F(ProgramTest, ThreadsDoNotChangeBits) {
  std::vector<float> first;
  for (int threads : {1, 2, 5}) {
    rt::Program main = program(threads);
    EXPECT_EQ(main.threads(), threads);
    ASSERT_OK(main.write(*main.findInput("x"), tensor<float>({64, 32}, [](int64_t i) { return 1.0f / (i + 1); })));
    ASSERT_OK(main.write(*main.findInput("w"), ramp()));
    ASSERT_OK(main.run());
    rt::HostTensor y = *main.read(*main.findOutput("y"));
    std::vector<float> values(y.elements<float>().begin(), y.elements<float>().end());
    if (first.empty())
      first = values;
    EXPECT_EQ(values, first) << threads << " threads";
  }
}

TEST_F(ProgramTest, AllocatesNothingAfterTheFirstRun) {
  rt::Program main = program(2);
  ASSERT_OK(main.write(*main.findInput("x"), ones()));
  ASSERT_OK(main.write(*main.findInput("w"), ramp()));
  ASSERT_OK(main.run());
  size_t rows = 0;
  int64_t before = allocations;
  for (int i = 0; i < 10; ++i) {
    rt::Status status = main.run([&](size_t) { ++rows; });
    ASSERT_TRUE(status.ok());
  }
  EXPECT_EQ(allocations - before, 0);
  EXPECT_EQ(rows, 10 * main.table().rows.size());
}

TEST_F(ProgramTest, BindingErrors) {
  rt::Program main = program();
  rt::PlaceId x = *main.findInput("x"), w = *main.findInput("w"), y = *main.findOutput("y");
  EXPECT_EQ(main.run().message(), "input 'x' of program 'main' has no value");
  EXPECT_EQ(main.read(x).status().message(), "input 'x' has no value yet");
  EXPECT_EQ(main.write(x, tensor<float>({32, 64}, [](int64_t) { return 0.0f; })).message(),
            "input 'x' expects f32[64, 32], but got f32[32, 64]");
  EXPECT_EQ(main.write(x, tensor<double>({64, 32}, [](int64_t) { return 0.0; })).message(),
            "input 'x' expects f32[64, 32], but got f64[64, 32]");
  EXPECT_EQ(main.write(99, ones()).message(), "place #99 is no argument");
  std::vector<uint8_t> memory(64 * 32 * 4 + 64);
  EXPECT_EQ(main.bind(x, {memory.data(), 12}).message(), "argument 'x' has 8192 bytes, but 12 were bound");
  EXPECT_EQ(main.bind(x, {memory.data() + 1, 8192}).message(), "memory of argument 'x' is not aligned to its elements");
  EXPECT_FALSE(main.findInput("y"));
  EXPECT_EQ(main.findOutput("w"), w + 1);

  // 'w' is written through the output that is tied to it.
  ASSERT_OK(main.bind(x, {memory.data(), 8192}));
  ASSERT_OK(main.bind(w, {memory.data() + 64, 8192}));
  EXPECT_EQ(main.run().message(), "arguments 'x' and 'w' share memory that the program writes");
  ASSERT_OK(main.write(y, tensor<float>({64}, [](int64_t) { return 0.0f; })));
  std::vector<uint8_t> other(8192);
  ASSERT_OK(main.bind(w, {other.data(), 8192}));
  ASSERT_OK(main.run());
  EXPECT_EQ(rt::Program::create(executable(), "nothing").status().message(),
            "artifact has no program 'nothing'; it has: main, evaluate");
}

TEST(Relayout, LogicalShapesArePermutedAndPadded) {
  rt::Program program = load(R"mlir(
    func.func private @copy(%x: memref<2x5x4x16xf32>, %y: memref<2x5x4x16xf32>, %begin: index, %end: index)
        attributes {plan.kernel = #plan.kernel<extent = 1>} {
      memref.copy %x, %y : memref<2x5x4x16xf32> to memref<2x5x4x16xf32>
      return
    }
    plan.program @main {
      %x = plan.argument "x" input logical [2, 3, 5, 4] permutation [0, 2, 3, 1] : memref<2x5x4x16xf32>
      %y = plan.argument "y" output logical [2, 3, 5, 4] permutation [0, 2, 3, 1] : memref<2x5x4x16xf32>
      %raw = plan.argument "raw" output : memref<2x5x4x16xf32>
      plan.dispatch @copy(%x, %y) : memref<2x5x4x16xf32>, memref<2x5x4x16xf32>
      plan.dispatch @copy(%x, %raw) : memref<2x5x4x16xf32>, memref<2x5x4x16xf32>
    })mlir");
  rt::HostTensor x = tensor<float>({2, 3, 5, 4}, [](int64_t i) { return float(i + 1); });
  ASSERT_OK(program.write(*program.findInput("x"), x));
  ASSERT_OK(program.run());
  rt::HostTensor y = *program.read(*program.findOutput("y")), raw = *program.read(*program.findOutput("raw"));
  ASSERT_EQ(y.shape(), x.shape());
  for (int64_t i = 0; i < x.numElements(); ++i)
    ASSERT_EQ(y.elements<float>()[i], x.elements<float>()[i]);
  for (int64_t i = 0; i < raw.numElements(); ++i) {
    int64_t channel = i % 16, column = i / 16 % 4, row = i / 64 % 5, image = i / 320;
    float expected = channel < 3 ? float(((image * 3 + channel) * 5 + row) * 4 + column + 1) : 0.0f;
    ASSERT_EQ(raw.elements<float>()[i], expected) << "element " << i;
  }
}

} // namespace
