//===- ContractionTest.cpp - Register tiles against the formula -----------===//

#include "Compile.h"

using namespace espalier;
using namespace espalier::test;

namespace {

std::string memref(llvm::ArrayRef<int64_t> shape, llvm::StringRef element) {
  std::string text = "memref<";
  for (int64_t dim : shape)
    text += std::to_string(dim) + "x";
  return text + element.str() + ">";
}

/// A program that runs `operation` once, on inputs "a" and "b" and output "c", which starts as zero.
std::string wrap(const std::string &a, const std::string &b, const std::string &c, llvm::StringRef element,
                 const std::string &operation) {
  return "func.func private @contract(%a: " + a + ", %b: " + b + ", %c: " + c +
         ", %begin: index, %end: index) attributes {plan.kernel = #plan.kernel<extent = 1>} {\n"
         "%zero = arith.constant 0.0 : " +
         element.str() +
         "\n"
         "linalg.fill ins(%zero : " +
         element.str() + ") outs(%c : " + c + ")\n" + operation +
         "\nreturn\n}\n"
         "plan.program @main {\n"
         "%a = plan.argument \"a\" input : " +
         a + "\n%b = plan.argument \"b\" input : " + b + "\n%c = plan.argument \"c\" output : " + c +
         "\nplan.dispatch @contract(%a, %b, %c) : " + a + ", " + b + ", " + c + "\n}";
}

template <typename T> constexpr const char *elementName = sizeof(T) == 4 ? "f32" : "f64";

/// Small integers: sums are exact in any order.
template <typename T> rt::HostTensor smallIntegers(std::vector<int64_t> shape, int64_t seed) {
  return tensor<T>(std::move(shape), [&](int64_t i) { return T((i * 7 + i / 3 + seed) % 5 - 2); });
}

/// Runs the text for several processors, since tiles depend on their registers, and compares.
template <typename T>
void check(const std::string &text, const rt::HostTensor &a, const rt::HostTensor &b, const std::vector<T> &expected) {
  codegen::ArtifactOptions options;
  options.forbidScalarContractions = true;
  for (const char *cpu : {"host", "x86-64-v2"}) {
    options.cpu = cpu;
    Compiled compiled = compile(text, options);
    ASSERT_EQ(compiled.diagnostics, "");
    auto executable = rt::Executable::load(bytesOf(compiled.bytes));
    ASSERT_TRUE(executable.ok()) << executable.status().message();
    rt::Program program = std::move(*rt::Program::create(*executable, "main", 1));
    ASSERT_OK(program.write(*program.findInput("a"), a));
    ASSERT_OK(program.write(*program.findInput("b"), b));
    ASSERT_OK(program.run());
    rt::HostTensor c = *program.read(*program.findOutput("c"));
    for (size_t i = 0; i < expected.size(); ++i)
      ASSERT_EQ(c.elements<T>()[i], expected[i]) << "element " << i << " on " << cpu;
  }
}

template <typename T> void checkMatmul(int64_t m, int64_t n, int64_t k) {
  std::string a = memref({m, k}, elementName<T>), b = memref({k, n}, elementName<T>),
              c = memref({m, n}, elementName<T>);
  rt::HostTensor lhs = smallIntegers<T>({m, k}, 1), rhs = smallIntegers<T>({k, n}, 2);
  std::vector<T> expected(m * n);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t l = 0; l < k; ++l)
      for (int64_t j = 0; j < n; ++j)
        expected[i * n + j] += lhs.elements<T>()[i * k + l] * rhs.elements<T>()[l * n + j];
  check(wrap(a, b, c, elementName<T>, "linalg.matmul ins(%a, %b : " + a + ", " + b + ") outs(%c : " + c + ")"), lhs,
        rhs, expected);
}

class MatmulTiles : public testing::TestWithParam<std::tuple<int64_t, int64_t, int64_t>> {};
TEST_P(MatmulTiles, F32) {
  auto [m, n, k] = GetParam();
  checkMatmul<float>(m, n, k);
}
TEST_P(MatmulTiles, F64) {
  auto [m, n, k] = GetParam();
  checkMatmul<double>(m, n, k);
}
INSTANTIATE_TEST_SUITE_P(Shapes, MatmulTiles,
                         testing::Values(std::tuple(64, 64, 64), std::tuple(1, 70, 64), std::tuple(37, 53, 41),
                                         std::tuple(128, 3, 40), std::tuple(7, 129, 65), std::tuple(65, 100, 16)));

struct ConvShape {
  int64_t batch, channels, extent, filters, kernel, stride, dilation;
  bool depthwise;
};
class ConvTiles : public testing::TestWithParam<ConvShape> {};

template <typename T> void checkConv(const ConvShape &s) {
  int64_t out = (s.extent - s.dilation * (s.kernel - 1) - 1) / s.stride + 1;
  std::vector<int64_t> inputShape{s.batch, s.extent, s.extent, s.channels}, outputShape{s.batch, out, out, s.filters},
      filterShape{s.kernel, s.kernel, s.channels};
  if (!s.depthwise)
    filterShape.push_back(s.filters);
  rt::HostTensor x = smallIntegers<T>(inputShape, 1), w = smallIntegers<T>(filterShape, 2);
  std::vector<T> expected(s.batch * out * out * s.filters);
  size_t index = 0;
  for (int64_t n = 0; n < s.batch; ++n)
    for (int64_t i = 0; i < out; ++i)
      for (int64_t j = 0; j < out; ++j)
        for (int64_t f = 0; f < s.filters; ++f, ++index)
          for (int64_t ky = 0; ky < s.kernel; ++ky)
            for (int64_t kx = 0; kx < s.kernel; ++kx)
              for (int64_t c = s.depthwise ? f : 0; c < (s.depthwise ? f + 1 : s.channels); ++c) {
                int64_t row = i * s.stride + ky * s.dilation, column = j * s.stride + kx * s.dilation;
                int64_t tap = (ky * s.kernel + kx) * s.channels + c;
                expected[index] += x.elements<T>()[((n * s.extent + row) * s.extent + column) * s.channels + c] *
                                   w.elements<T>()[s.depthwise ? tap : tap * s.filters + f];
              }
  std::string a = memref(inputShape, elementName<T>), b = memref(filterShape, elementName<T>),
              c = memref(outputShape, elementName<T>);
  std::string attributes = " {strides = dense<" + std::to_string(s.stride) + "> : tensor<2xi64>, dilations = dense<" +
                           std::to_string(s.dilation) + "> : tensor<2xi64>}";
  check(wrap(a, b, c, elementName<T>,
             (s.depthwise ? "linalg.depthwise_conv_2d_nhwc_hwc" : "linalg.conv_2d_nhwc_hwcf") + attributes +
                 " ins(%a, %b : " + a + ", " + b + ") outs(%c : " + c + ")"),
        x, w, expected);
}
TEST_P(ConvTiles, F32) { checkConv<float>(GetParam()); }
TEST_P(ConvTiles, F64) { checkConv<double>(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Shapes, ConvTiles,
                         testing::Values(ConvShape{1, 16, 10, 64, 3, 1, 1, false},
                                         ConvShape{2, 3, 17, 20, 7, 2, 1, false}, ConvShape{1, 8, 9, 5, 1, 1, 1, false},
                                         ConvShape{1, 16, 15, 33, 3, 1, 2, false},
                                         ConvShape{1, 24, 11, 24, 3, 1, 1, true},
                                         ConvShape{2, 70, 9, 70, 3, 2, 1, true}));

} // namespace
