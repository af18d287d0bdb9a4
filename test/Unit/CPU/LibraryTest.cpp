//===- LibraryTest.cpp - oneDNN rows against the formula ------------------===//

#include "Compile.h"

#include "espalier/CodeGen/CPUTarget.h"

#include <cmath>
#include <cstring>

using namespace espalier;
using namespace espalier::test;

namespace {

struct ConvCase {
  const char *name;
  bool nhwc;
  int64_t batch, inputChannels, height, width, outputChannels, kernelHeight, kernelWidth;
  int64_t stride[2], pad[4], dilation[2], groups;

  int64_t outputExtent(int dim) const {
    int64_t extent = dim ? width : height, kernel = dim ? kernelWidth : kernelHeight;
    return (extent + pad[dim] + pad[dim + 2] - dilation[dim] * (kernel - 1) - 1) / stride[dim] + 1;
  }
  std::vector<int64_t> input() const { return {batch, inputChannels, height, width}; }
  std::vector<int64_t> filter() const { return {outputChannels, inputChannels / groups, kernelHeight, kernelWidth}; }
  std::vector<int64_t> output() const { return {batch, outputChannels, outputExtent(0), outputExtent(1)}; }

  std::string type(const std::vector<int64_t> &shape) const {
    return "memref<" + std::to_string(shape[0]) + "x" + std::to_string(shape[1]) + "x" + std::to_string(shape[2]) +
           "x" + std::to_string(shape[3]) + "xf32>";
  }
  std::string image(const std::vector<int64_t> &shape) const {
    return nhwc ? type({shape[0], shape[2], shape[3], shape[1]}) : type(shape);
  }
  std::string logical(const std::vector<int64_t> &shape) const {
    if (!nhwc)
      return "";
    return "logical [" + std::to_string(shape[0]) + ", " + std::to_string(shape[1]) + ", " + std::to_string(shape[2]) +
           ", " + std::to_string(shape[3]) + "] permutation [0, 2, 3, 1]";
  }
  std::string geometry() const {
    auto list = [](llvm::ArrayRef<int64_t> values) {
      std::string text;
      llvm::raw_string_ostream stream(text);
      llvm::interleaveComma(values, stream);
      return "[" + text + "]";
    };
    return " strides " + list(stride) + " pads " + list(pad) + " dilations " + list(dilation) + " groups " +
           std::to_string(groups);
  }
};

/// Visits every multiply-accumulate: indices into input, filter and output (NCHW, OIHW, NCHW).
void forEachMac(const ConvCase &c, llvm::function_ref<void(int64_t, int64_t, int64_t)> visit) {
  int64_t groupInputs = c.inputChannels / c.groups, groupOutputs = c.outputChannels / c.groups;
  int64_t outputHeight = c.outputExtent(0), outputWidth = c.outputExtent(1);
  for (int64_t n = 0; n < c.batch; ++n)
    for (int64_t o = 0; o < c.outputChannels; ++o)
      for (int64_t y = 0; y < outputHeight; ++y)
        for (int64_t x = 0; x < outputWidth; ++x)
          for (int64_t i = 0; i < groupInputs; ++i)
            for (int64_t ky = 0; ky < c.kernelHeight; ++ky)
              for (int64_t kx = 0; kx < c.kernelWidth; ++kx) {
                int64_t row = y * c.stride[0] - c.pad[0] + ky * c.dilation[0];
                int64_t column = x * c.stride[1] - c.pad[1] + kx * c.dilation[1];
                if (row < 0 || row >= c.height || column < 0 || column >= c.width)
                  continue;
                int64_t channel = o / groupOutputs * groupInputs + i;
                visit(((n * c.inputChannels + channel) * c.height + row) * c.width + column,
                      ((o * groupInputs + i) * c.kernelHeight + ky) * c.kernelWidth + kx,
                      ((n * c.outputChannels + o) * outputHeight + y) * outputWidth + x);
              }
}

/// Small integers: every product and sum is exact in f32, so that results compare with ==.
rt::HostTensor smallIntegers(std::vector<int64_t> shape, int64_t seed) {
  return tensor<float>(std::move(shape), [&](int64_t i) { return float((i * 7 + i / 3 + seed) % 5 - 2); });
}

void expectEqual(const rt::HostTensor &actual, const std::vector<double> &expected) {
  ASSERT_EQ(actual.numElements(), static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_EQ(actual.elements<float>()[i], expected[i]) << "element " << i;
}

class Conv : public testing::TestWithParam<ConvCase> {};

TEST_P(Conv, ForwardWithBiasResidualAndClamp) {
  const ConvCase &c = GetParam();
  for (bool isConstant : {false, true}) {
    std::string text = "plan.program @main {\n"
                       "%x = plan.argument \"x\" input " +
                       c.logical(c.input()) + " : " + c.image(c.input()) +
                       "\n"
                       "%w = plan.argument \"w\" parameter : " +
                       c.type(c.filter()) +
                       "\n"
                       "%b = plan.argument \"b\" parameter : memref<" +
                       std::to_string(c.outputChannels) +
                       "xf32>\n"
                       "%r = plan.argument \"r\" input " +
                       c.logical(c.output()) + " : " + c.image(c.output()) +
                       "\n"
                       "%y = plan.argument \"y\" output " +
                       c.logical(c.output()) + " : " + c.image(c.output()) +
                       "\n"
                       "plan.conv2d " +
                       (c.nhwc ? "nhwc" : "nchw") + " %x : " + c.image(c.input()) + ", %w : " + c.type(c.filter()) +
                       " bias %b : memref<" + std::to_string(c.outputChannels) +
                       "xf32> residual %r : " + c.image(c.output()) + " into %y : " + c.image(c.output()) +
                       c.geometry() + " min -3.0 max 6.0" + (isConstant ? " constant_filter" : "") + "\n}";
    rt::Program program = load(text);
    rt::HostTensor x = smallIntegers(c.input(), 1), w = smallIntegers(c.filter(), 2);
    rt::HostTensor b = smallIntegers({c.outputChannels}, 3), r = smallIntegers(c.output(), 4);
    ASSERT_OK(program.write(*program.findInput("x"), x));
    ASSERT_OK(program.write(*program.findInput("w"), w));
    ASSERT_OK(program.write(*program.findInput("b"), b));
    ASSERT_OK(program.write(*program.findInput("r"), r));
    std::vector<double> expected(r.elements<float>().begin(), r.elements<float>().end());
    int64_t plane = c.outputExtent(0) * c.outputExtent(1);
    for (size_t i = 0; i < expected.size(); ++i)
      expected[i] += b.elements<float>()[i / plane % c.outputChannels];
    forEachMac(c, [&](int64_t input, int64_t filter, int64_t output) {
      expected[output] += double(x.elements<float>()[input]) * w.elements<float>()[filter];
    });
    for (double &value : expected)
      value = std::min(6.0, std::max(-3.0, value));
    // Twice: the second run must not depend on what the first left behind.
    for (int run = 0; run < 2; ++run) {
      ASSERT_OK(program.run());
      expectEqual(*program.read(*program.findOutput("y")), expected);
    }
  }
}

TEST_P(Conv, Gradients) {
  const ConvCase &c = GetParam();
  const char *layout = c.nhwc ? "nhwc" : "nchw";
  std::string text = "plan.program @main {\n"
                     "%x = plan.argument \"x\" input " +
                     c.logical(c.input()) + " : " + c.image(c.input()) +
                     "\n"
                     "%w = plan.argument \"w\" parameter : " +
                     c.type(c.filter()) +
                     "\n"
                     "%dy = plan.argument \"dy\" input " +
                     c.logical(c.output()) + " : " + c.image(c.output()) +
                     "\n"
                     "%dx = plan.argument \"dx\" output " +
                     c.logical(c.input()) + " : " + c.image(c.input()) +
                     "\n"
                     "%dw = plan.argument \"dw\" output : " +
                     c.type(c.filter()) +
                     "\n"
                     "plan.conv2d_input_gradient " +
                     layout + " %dy : " + c.image(c.output()) + ", %w : " + c.type(c.filter()) +
                     " into %dx : " + c.image(c.input()) + c.geometry() +
                     "\n"
                     "plan.conv2d_filter_gradient " +
                     layout + " %x : " + c.image(c.input()) + ", %dy : " + c.image(c.output()) +
                     " into %dw : " + c.type(c.filter()) + c.geometry() + "\n}";
  rt::Program program = load(text);
  rt::HostTensor x = smallIntegers(c.input(), 1), w = smallIntegers(c.filter(), 2), dy = smallIntegers(c.output(), 3);
  ASSERT_OK(program.write(*program.findInput("x"), x));
  ASSERT_OK(program.write(*program.findInput("w"), w));
  ASSERT_OK(program.write(*program.findInput("dy"), dy));
  std::vector<double> dx(x.numElements()), dw(w.numElements());
  forEachMac(c, [&](int64_t input, int64_t filter, int64_t output) {
    dx[input] += double(dy.elements<float>()[output]) * w.elements<float>()[filter];
    dw[filter] += double(dy.elements<float>()[output]) * x.elements<float>()[input];
  });
  for (int run = 0; run < 2; ++run) {
    ASSERT_OK(program.run());
    expectEqual(*program.read(*program.findOutput("dx")), dx);
    expectEqual(*program.read(*program.findOutput("dw")), dw);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Conv,
    testing::Values(ConvCase{"Plain", true, 2, 16, 9, 7, 32, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1},
                    ConvCase{"PlainNCHW", false, 2, 16, 9, 7, 32, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1},
                    ConvCase{"OddChannels", true, 1, 3, 11, 10, 5, 3, 3, {2, 2}, {1, 1, 1, 1}, {1, 1}, 1},
                    ConvCase{"AsymmetricPads", true, 1, 8, 8, 8, 16, 2, 3, {1, 2}, {0, 2, 1, 1}, {1, 1}, 1},
                    ConvCase{"Dilated", true, 1, 16, 12, 13, 16, 3, 3, {1, 1}, {2, 2, 2, 2}, {2, 2}, 1},
                    ConvCase{"Depthwise", true, 2, 24, 8, 8, 24, 3, 3, {2, 2}, {1, 1, 1, 1}, {1, 1}, 24},
                    ConvCase{"DepthwiseMultiplier", true, 1, 4, 8, 8, 8, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 4},
                    ConvCase{"Grouped", true, 1, 12, 7, 7, 18, 3, 3, {1, 1}, {0, 0, 0, 0}, {1, 1}, 3},
                    ConvCase{"GroupedNCHW", false, 1, 12, 7, 7, 18, 3, 3, {1, 1}, {0, 0, 0, 0}, {1, 1}, 3},
                    ConvCase{"Pointwise", true, 1, 48, 5, 5, 20, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1},
                    ConvCase{"PointwiseStrided", true, 1, 16, 6, 6, 32, 1, 1, {2, 2}, {0, 0, 0, 0}, {1, 1}, 1},
                    ConvCase{"Stem", true, 1, 3, 16, 16, 8, 7, 7, {2, 2}, {3, 3, 3, 3}, {1, 1}, 1}),
    [](const auto &info) { return info.param.name; });

TEST(Conv, AccumulatesIntoItsOutput) {
  rt::Program program = load(R"mlir(
    plan.program @main {
      %x = plan.argument "x" input : memref<1x4x4x16xf32>
      %w = plan.argument "w" parameter : memref<16x16x1x1xf32>
      %y = plan.argument "y" output : memref<1x4x4x16xf32>
      plan.conv2d nhwc %x : memref<1x4x4x16xf32>, %w : memref<16x16x1x1xf32> residual %y : memref<1x4x4x16xf32>
        into %y : memref<1x4x4x16xf32> strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] groups 1
    })mlir");
  ASSERT_OK(program.write(*program.findInput("x"), tensor<float>({1, 4, 4, 16}, [](int64_t) { return 1.0f; })));
  ASSERT_OK(program.write(*program.findInput("w"), tensor<float>({16, 16, 1, 1}, [](int64_t) { return 0.5f; })));
  ASSERT_OK(program.run());
  ASSERT_OK(program.run());
  expectEqual(*program.read(*program.findOutput("y")), std::vector<double>(256, 16.0));
}

TEST(Conv, ConstantFilterIsPackedAgainAfterAChange) {
  rt::Program program = load(R"mlir(
    plan.program @main {
      %x = plan.argument "x" input : memref<1x4x4x16xf32>
      %w = plan.argument "w" parameter : memref<16x16x3x3xf32>
      %y = plan.argument "y" output : memref<1x2x2x16xf32>
      plan.conv2d nhwc %x : memref<1x4x4x16xf32>, %w : memref<16x16x3x3xf32> into %y : memref<1x2x2x16xf32>
        strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] groups 1 constant_filter
    })mlir");
  rt::PlaceId w = *program.findInput("w");
  ASSERT_OK(program.write(*program.findInput("x"), tensor<float>({1, 4, 4, 16}, [](int64_t) { return 1.0f; })));
  ASSERT_OK(program.write(w, tensor<float>({16, 16, 3, 3}, [](int64_t) { return 1.0f; })));
  ASSERT_OK(program.run());
  expectEqual(*program.read(*program.findOutput("y")), std::vector<double>(64, 144.0));
  auto *values = reinterpret_cast<float *>(program.memory(w).data());
  std::fill(values, values + 16 * 16 * 9, 2.0f);
  program.constantsChanged();
  ASSERT_OK(program.run());
  expectEqual(*program.read(*program.findOutput("y")), std::vector<double>(64, 288.0));
  ASSERT_OK(program.write(w, tensor<float>({16, 16, 3, 3}, [](int64_t) { return 0.0f; })));
  ASSERT_OK(program.run());
  expectEqual(*program.read(*program.findOutput("y")), std::vector<double>(64, 0.0));
}

/// bf16 of small integers, which are exact in it.
rt::HostTensor narrow(const rt::HostTensor &tensor) {
  rt::HostTensor result = *rt::HostTensor::create(rt::DType::BF16, tensor.shape());
  for (int64_t i = 0; i < tensor.numElements(); ++i) {
    uint32_t bits;
    std::memcpy(&bits, &tensor.elements<float>()[i], sizeof bits);
    auto upper = static_cast<uint16_t>(bits >> 16);
    std::memcpy(result.bytes().data() + 2 * i, &upper, sizeof upper);
  }
  return result;
}

/// A program of the three convolutions of 256 channels over images of 3x3, in bf16.
std::string threeConvolutions(int64_t batch) {
  std::string image = "memref<" + std::to_string(batch) + "x3x3x256xbf16>";
  std::string window = " strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1\n";
  return "plan.program @main {\n"
         "%x = plan.argument \"x\" input : " +
         image + "\n%dy = plan.argument \"dy\" input : " + image +
         "\n%w = plan.argument \"w\" parameter : memref<256x256x3x3xbf16>\n"
         "%y = plan.argument \"y\" output : " +
         image + "\n%dx = plan.argument \"dx\" output : " + image +
         "\n%dw = plan.argument \"dw\" output : memref<256x256x3x3xf32>\n"
         "plan.conv2d nhwc %x : " +
         image + ", %w : memref<256x256x3x3xbf16> residual %dy : " + image + " into %y : " + image + window +
         "plan.conv2d_input_gradient nhwc %dy : " + image + ", %w : memref<256x256x3x3xbf16> into %dx : " + image +
         window + "plan.conv2d_filter_gradient nhwc %x : " + image + ", %dy : " + image +
         " into %dw : memref<256x256x3x3xf32>" + window + "}";
}

// Rows as a damaged file may have them: patches divide by the number of pixels, and read whole filters.
TEST(Conv, DamagedRowsMakeNoPatches) {
  Compiled compiled = compile(threeConvolutions(2));
  ASSERT_EQ(compiled.diagnostics, "");
  std::string manifest = manifestOf(compiled.bytes);
  auto prepare = [&](std::string_view from, std::string_view to) {
    std::string damaged = manifest;
    for (size_t at = 0; (at = damaged.find(from, at)) != std::string::npos; at += to.size())
      damaged.replace(at, from.size(), to);
    EXPECT_NE(damaged, manifest) << "no " << from;
    auto executable = rt::Executable::load(bytesOf(withManifest(compiled.bytes, damaged)));
    EXPECT_TRUE(executable.ok()) << executable.status().message();
    auto program = rt::Program::create(*executable, "main", /*threads=*/1);
    EXPECT_TRUE(program.ok()) << program.status().message();
    for (const char *name : {"x", "dy", "w"}) {
      const rt::Place &place = program->table().places[*program->findInput(name)];
      EXPECT_TRUE(program->write(*program->findInput(name), *rt::HostTensor::create(place.dtype, place.shape)).ok());
    }
    return program->prepare();
  };
  // An empty convolution is for the library to do or to refuse.
  (void)prepare("[2,3,3,256]", "[2,0,3,256]");
  rt::Status status = prepare(R"("bf16","kind":"argument","logical":[256,256,3,3])",
                              R"("u8","kind":"argument","logical":[256,256,3,3])");
  EXPECT_NE(status.message().find("filter is u8[256, 256, 3, 3], expected f32 or bf16"), std::string::npos)
      << status.message();
}

// Images are taken some at a time: what is one product for 40 is several for 80, and gives the same bits.
TEST(Conv, ManyImagesAreSeveralProductsOfPatches) {
  mlir::MLIRContext context;
  if (!codegen::CPUTarget::get("host", mlir::UnknownLoc::get(&context))->hasExtension("avx512bf16"))
    GTEST_SKIP() << "this processor has no avx512bf16";
  constexpr int64_t half = 40, imageBytes = 3 * 3 * 256 * 2;
  rt::HostTensor x = narrow(smallIntegers({2 * half, 3, 3, 256}, 1)),
                 dy = narrow(smallIntegers({2 * half, 3, 3, 256}, 2));
  rt::HostTensor w = narrow(smallIntegers({256, 256, 3, 3}, 3));
  rt::Program whole = load(threeConvolutions(2 * half), "main", /*threads=*/2);
  ASSERT_OK(whole.write(*whole.findInput("x"), x));
  ASSERT_OK(whole.write(*whole.findInput("dy"), dy));
  ASSERT_OK(whole.write(*whole.findInput("w"), w));
  ASSERT_OK(whole.run());
  for (size_t row : {0, 1, 2})
    EXPECT_EQ(whole.describeRow(row).rfind("patches ", 0), 0u) << whole.describeRow(row);
  std::vector<double> sum(256 * 256 * 9);
  for (int64_t part : {0, 1}) {
    rt::Program program = load(threeConvolutions(half));
    ASSERT_OK(program.write(*program.findInput("w"), w));
    for (auto [name, all] : {std::pair("x", &x), std::pair("dy", &dy)}) {
      rt::HostTensor some = *rt::HostTensor::create(rt::DType::BF16, {half, 3, 3, 256});
      std::memcpy(some.bytes().data(), all->bytes().data() + part * half * imageBytes, half * imageBytes);
      ASSERT_OK(program.write(*program.findInput(name), some));
    }
    ASSERT_OK(program.run());
    for (const char *name : {"y", "dx"}) {
      rt::HostTensor all = *whole.read(*whole.findOutput(name)), some = *program.read(*program.findOutput(name));
      EXPECT_EQ(std::memcmp(all.bytes().data() + part * half * imageBytes, some.bytes().data(), half * imageBytes), 0);
    }
    rt::HostTensor addend = *program.read(*program.findOutput("dw"));
    for (size_t i = 0; i < sum.size(); ++i)
      sum[i] += addend.elements<float>()[i];
  }
  expectEqual(*whole.read(*whole.findOutput("dw")), sum);
}

struct MatmulCase {
  const char *name;
  int64_t batch; ///< 0: rank 2
  int64_t m, n, k;
  bool transposeLhs, transposeRhs, constantRhs, bias;
};
class Matmul : public testing::TestWithParam<MatmulCase> {};

TEST_P(Matmul, EqualsTheFormula) {
  const MatmulCase &c = GetParam();
  auto shape = [&](int64_t rows, int64_t columns, bool transposed) {
    std::vector<int64_t> dims = transposed ? std::vector{columns, rows} : std::vector{rows, columns};
    if (c.batch)
      dims.insert(dims.begin(), c.batch);
    return dims;
  };
  auto type = [](const std::vector<int64_t> &dims) {
    std::string text = "memref<";
    for (int64_t dim : dims)
      text += std::to_string(dim) + "x";
    return text + "f32>";
  };
  auto lhsShape = shape(c.m, c.k, c.transposeLhs), rhsShape = shape(c.k, c.n, c.transposeRhs);
  auto outputShape = shape(c.m, c.n, false);
  std::string text = "plan.program @main {\n"
                     "%a = plan.argument \"a\" input : " +
                     type(lhsShape) +
                     "\n"
                     "%b = plan.argument \"b\" parameter : " +
                     type(rhsShape) +
                     "\n"
                     "%c = plan.argument \"c\" parameter : " +
                     type({c.n}) +
                     "\n"
                     "%y = plan.argument \"y\" output : " +
                     type(outputShape) +
                     "\n"
                     "plan.matmul %a : " +
                     type(lhsShape) + ", %b : " + type(rhsShape) + (c.bias ? " bias %c : " + type({c.n}) : "") +
                     " into %y : " + type(outputShape) + (c.transposeLhs ? " transpose_lhs" : "") +
                     (c.transposeRhs ? " transpose_rhs" : "") + " min 0.0" + (c.constantRhs ? " constant_rhs" : "") +
                     "\n}";
  rt::Program program = load(text);
  rt::HostTensor a = smallIntegers(lhsShape, 1), b = smallIntegers(rhsShape, 2), bias = smallIntegers({c.n}, 3);
  ASSERT_OK(program.write(*program.findInput("a"), a));
  ASSERT_OK(program.write(*program.findInput("b"), b));
  ASSERT_OK(program.write(*program.findInput("c"), bias));
  std::vector<double> expected;
  for (int64_t batch = 0; batch < std::max<int64_t>(1, c.batch); ++batch)
    for (int64_t i = 0; i < c.m; ++i)
      for (int64_t j = 0; j < c.n; ++j) {
        double sum = c.bias ? bias.elements<float>()[j] : 0;
        for (int64_t l = 0; l < c.k; ++l)
          sum += double(a.elements<float>()[batch * c.m * c.k + (c.transposeLhs ? l * c.m + i : i * c.k + l)]) *
                 b.elements<float>()[batch * c.k * c.n + (c.transposeRhs ? j * c.k + l : l * c.n + j)];
        expected.push_back(std::max(0.0, sum));
      }
  for (int run = 0; run < 2; ++run) {
    ASSERT_OK(program.run());
    expectEqual(*program.read(*program.findOutput("y")), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Matmul,
                         testing::Values(MatmulCase{"Plain", 0, 8, 10, 64, false, false, false, true},
                                         MatmulCase{"Linear", 0, 5, 7, 33, false, true, true, true},
                                         MatmulCase{"NoBias", 0, 1, 100, 256, false, true, true, false},
                                         MatmulCase{"TransposedLhs", 0, 17, 9, 12, true, false, false, false},
                                         MatmulCase{"BothTransposed", 0, 6, 4, 5, true, true, false, true},
                                         MatmulCase{"Batched", 3, 4, 6, 8, false, false, false, true},
                                         MatmulCase{"BatchedTransposed", 2, 5, 3, 7, true, true, false, false}),
                         [](const auto &info) { return info.param.name; });

} // namespace
