//===- CandidateTest.cpp - each way to run a contraction ------------------===//
//
// Convolutions, their gradients and matrix products of many drawn shapes, odd ones above all, run by each candidate and
// compared with the reference evaluator.
//
//===----------------------------------------------------------------------===//

#include "../TestRegistry.h"
#include "CompiledProgram.h"

#include "espalier/Analysis/ReferenceEvaluator.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"

#include <random>

using namespace mlir;
using namespace espalier;
using namespace espalier::cg;
using namespace espalier::cg::test;

namespace {

struct Configuration {
  const char *candidate, *element;
  bool prepareWeights;
};

/// Draws graphs of one contraction each, in text form.
class ContractionSource {
public:
  ContractionSource(uint64_t seed, std::string element) : random(seed), element(std::move(element)) {}

  /// `kind` is conv2d, conv2d_input_gradient, conv2d_filter_gradient or matmul.
  std::string draw(const std::string &kind, const std::string &name) {
    return kind == "matmul" ? matmul(name) : convolution(kind, name, drawShape());
  }

  /// Filters that are larger than a cache over images of a few pixels, in both directions of a window.
  std::vector<std::string> drawLarge(const std::string &kind, const std::string &name) {
    return {convolution(kind, name, {4, 1, 256, 264, {3, 3}, {1, 1}, {1, 1}, {3, 4}, {1, 1, 1, 1}}),
            convolution(kind, name, {3, 1, 264, 256, {3, 3}, {1, 1}, {2, 1}, {5, 3}, {2, 0, 1, 2}}),
            convolution(kind, name, {2, 1, 256, 256, {3, 3}, {2, 2}, {1, 1}, {7, 5}, {1, 0, 1, 2}})};
  }

  /// Dilated windows whose padding is wider than the result.
  std::vector<std::string> drawWide(const std::string &kind, const std::string &name) {
    return {convolution(kind, name, {1, 1, 3, 6, {1, 3}, {1, 1}, {1, 3}, {1, 5}, {0, 6, 0, 0}}),
            convolution(kind, name, {2, 1, 16, 32, {3, 3}, {1, 1}, {9, 9}, {8, 8}, {9, 9, 9, 9}})};
  }

private:
  int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random); }
  int64_t pickOf(std::initializer_list<int64_t> values) { return *(values.begin() + pick(0, values.size() - 1)); }

  std::string type(ArrayRef<int64_t> shape) const {
    std::string text = "tensor<";
    for (int64_t extent : shape)
      text += std::to_string(extent) + "x";
    return text + element + ">";
  }

  static std::string argument(const std::string &name, const std::string &type, const std::string &role = "input") {
    return llvm::formatv("%{0}: {1} {{cg.name = \"{0}\", cg.role = \"{2}\"}", name, type, role);
  }

  /// What follows `%0`, of this type, and the graph's end.
  std::string finish(const std::string &result, const std::string &bias, bool takesResidual, std::string &arguments) {
    std::string text, last = "%0";
    auto append = [&](const std::string &op) {
      text += llvm::formatv("  %e{0} = {1}\n", numOps, op);
      last = "%e" + std::to_string(numOps++);
    };
    if (pick(0, 1)) {
      arguments += ", " + argument("bias", bias, "parameter");
      append(llvm::formatv("cg.add {0}, %bias : {1}, {2}", last, result, bias));
    }
    if (takesResidual && pick(0, 1)) {
      arguments += ", " + argument("residual", result);
      append(llvm::formatv("cg.add {0}, %residual : {1}, {1}", last, result));
    }
    if (pick(0, 1))
      append(llvm::formatv("cg.relu {0} : {1}", last, result));
    return text + llvm::formatv("  cg.return {0} : {1}\n", last, result).str();
  }

  struct Shape {
    int64_t batch, groups, channels, features; // channels and features of a group
    std::array<int64_t, 2> kernel, stride, dilation, extent;
    std::array<int64_t, 4> pads;
  };

  Shape drawShape() {
    bool isDepthwise = pick(0, 4) == 0;
    int64_t groups = isDepthwise ? pick(2, 17) : pickOf({1, 1, 1, 2, 3});
    int64_t channels = isDepthwise ? 1 : pick(1, 17), features = isDepthwise ? pickOf({1, 1, 2}) : pick(1, 17);
    if (pick(0, 5) == 0)
      features = pickOf({40, 144, 131});
    int64_t batch = pick(1, 5);
    std::array<int64_t, 2> kernel, stride, dilation, extent;
    std::array<int64_t, 4> pads;
    bool isPointwise = pick(0, 3) == 0;
    for (unsigned d : {0u, 1u}) {
      kernel[d] = isPointwise ? 1 : pick(1, 5);
      stride[d] = isPointwise ? pickOf({1, 1, 2}) : pick(1, 3);
      dilation[d] = pick(1, 2);
      pads[d] = isPointwise ? 0 : pick(0, 3);
      pads[d + 2] = isPointwise ? 0 : pick(0, 3);
      int64_t reach = dilation[d] * (kernel[d] - 1) + 1;
      extent[d] = std::max<int64_t>(1, reach - pads[d] - pads[d + 2]) + pick(0, 9);
    }
    return {batch, groups, channels, features, kernel, stride, dilation, extent, pads};
  }

  std::string convolution(const std::string &kind, const std::string &name, const Shape &shape) {
    auto [batch, groups, channels, features, kernel, stride, dilation, extent, pads] = shape;
    std::array<int64_t, 2> output;
    for (unsigned d : {0u, 1u})
      output[d] = (extent[d] + pads[d] + pads[d + 2] - dilation[d] * (kernel[d] - 1) - 1) / stride[d] + 1;
    std::string image = type({batch, groups * channels, extent[0], extent[1]});
    std::string filter = type({groups * features, channels, kernel[0], kernel[1]});
    std::string result = type({batch, groups * features, output[0], output[1]});
    std::string window =
        llvm::formatv("strides [{0}, {1}] pads [{2}, {3}, {4}, {5}] dilations [{6}, {7}] groups {8}", stride[0],
                      stride[1], pads[0], pads[1], pads[2], pads[3], dilation[0], dilation[1], groups);
    std::string bias = type({groups * features, 1, 1});
    std::string a = kind == "conv2d_input_gradient" ? result : image;
    std::string b = kind == "conv2d_filter_gradient" ? result : filter;
    bool isForward = kind == "conv2d";
    std::string computed = isForward ? result : kind == "conv2d_input_gradient" ? image : filter;
    std::string arguments =
        argument("x", a) + ", " + argument("w", b, kind == "conv2d_filter_gradient" ? "input" : "parameter");
    std::string like = isForward ? "" : ", %like", likeType = isForward ? "" : ", " + computed;
    std::string body = llvm::formatv("  %0 = cg.{0} %x, %w{1} {2} : {3}, {4}{5}\n", kind, like, window, a, b, likeType);
    if (!isForward)
      arguments += ", " + argument("like", computed);
    body += isForward ? finish(computed, bias, /*takesResidual=*/true, arguments)
                      : llvm::formatv("  cg.return %0 : {0}\n", computed).str();
    return llvm::formatv("cg.graph @{0}({1}) -> {2} {{\n{3}}\n", name, arguments, computed, body);
  }

  std::string matmul(const std::string &name) {
    int64_t m = pickOf({1, 2, 7, 17, 64, 130}), k = pick(1, 40), n = pickOf({1, 3, 10, 16, 33, 160});
    bool ta = pick(0, 1), tb = pick(0, 1);
    SmallVector<int64_t> lead;
    if (pick(0, 2) == 0)
      lead.push_back(pick(1, 4));
    auto shape = [&](int64_t rows, int64_t columns) {
      SmallVector<int64_t> all(lead);
      all.append({rows, columns});
      return type(all);
    };
    std::string a = ta ? shape(k, m) : shape(m, k), b = tb ? shape(n, k) : shape(k, n), result = shape(m, n);
    std::string arguments = argument("x", a) + ", " + argument("w", b, "parameter");
    std::string body = llvm::formatv("  %0 = cg.matmul %x, %w {0} {1} : {2}, {3}\n", ta ? "transpose_a" : "",
                                     tb ? "transpose_b" : "", a, b);
    body += finish(result, type({n}), /*takesResidual=*/false, arguments);
    return llvm::formatv("cg.graph @{0}({1}) -> {2} {{\n{3}}\n", name, arguments, result, body);
  }

  std::mt19937_64 random;
  std::string element;
  int numOps = 0;
};

class CandidateTest : public testing::TestWithParam<std::tuple<Configuration, std::string>> {
protected:
  CandidateTest() : context(makeRegistry(), MLIRContext::Threading::DISABLED) { context.loadAllAvailableDialects(); }

  void check(const std::string &text, uint64_t seed) {
    auto [configuration, kind] = GetParam();
    SCOPED_TRACE(text);
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(module);
    auto graph = *module->getOps<GraphOp>().begin();
    std::mt19937_64 random(seed);
    std::vector<ReferenceTensor> arguments;
    std::vector<std::string> names; // what compilation leaves of the arguments keeps its name
    for (auto [index, type] : llvm::enumerate(graph.getArgumentTypes())) {
      names.push_back(graph.getArgumentName(index));
      ReferenceTensor &tensor = arguments.emplace_back(cast<RankedTensorType>(type));
      for (double &value : tensor.data)
        value = round(std::uniform_real_distribution<double>(-1.0, 1.0)(random));
    }
    auto expected = evaluateReference(
        graph, arguments, [](Operation *op) -> FailureOr<ReferenceTensor> { return op->emitError("no storage"); });
    ASSERT_TRUE(succeeded(expected));

    FusedOptions options;
    options.prepareWeights = configuration.prepareWeights;
    options.preferredCandidate = configuration.candidate;
    auto executable = compile(*module, options);
    ASSERT_TRUE(executable);
    std::optional<rt::Program> prepare;
    auto forward = rt::Program::create(executable, "f", /*threads=*/2);
    ASSERT_TRUE(bool(forward)) << forward.status().message();
    int numContractions = 0, numChosen = 0;
    for (const rt::Row &row : forward->table().rows) {
      numContractions += !row.candidate.empty();
      numChosen += row.candidate == configuration.candidate;
      EXPECT_NE(row.candidate, "loops") << row.reason;
    }
    EXPECT_EQ(numContractions, 1);
    // The library has no say where a window lies in padding alone, nor in bf16 on every processor.
    EXPECT_TRUE(numChosen == 1 || std::string(configuration.candidate) == "onednn");
    auto write = [&](rt::Program &program) {
      for (auto [index, argument] : llvm::enumerate(arguments))
        if (auto place = program.findInput(names[index])) {
          rt::Status status = program.write(*place, toHost(argument));
          ASSERT_TRUE(status.ok()) << status.message();
        }
    };
    write(*forward);
    if (executable->artifact().findProgram("prepare")) {
      prepare.emplace(std::move(*rt::Program::create(executable, "prepare", 1)));
      write(*prepare);
      rt::Status status = prepare->run();
      ASSERT_TRUE(status.ok()) << status.message();
      ASSERT_TRUE(forward->bindFrom(*prepare).ok());
    }
    rt::Status status = forward->run();
    ASSERT_TRUE(status.ok()) << status.message();
    auto actual = forward->read(*forward->findOutput("output0"));
    ASSERT_TRUE(bool(actual)) << actual.status().message();
    expectClose(*actual, expected->results[0], tolerance());
  }

  static std::string element() { return std::get<0>(GetParam()).element; }
  /// To the element type, or to f32 where that is wider.
  static double round(double value) {
    auto single = static_cast<float>(value);
    return element() == "bf16" ? fromBFloat16(toBFloat16(single)) : single;
  }
  /// Sums of bf16 are f32, and rounded once to 8 significant bits.
  static double tolerance() { return element() == "bf16" ? 0x1p-8 + 2e-5 : element() == "f32" ? 2e-5 : 1e-12; }

  MLIRContext context;
};

TEST_P(CandidateTest, equalsTheReference) {
  auto [configuration, kind] = GetParam();
  constexpr int numShapes = 24;
  for (int i = 0; i < numShapes && !HasFatalFailure(); ++i)
    check(ContractionSource(i, configuration.element).draw(kind, "f"), i);
}

TEST_P(CandidateTest, largeFiltersEqualTheReference) {
  auto [configuration, kind] = GetParam();
  if (std::string(kind) == "matmul")
    return;
  uint64_t seed = 0;
  for (const std::string &text : ContractionSource(100, configuration.element).drawLarge(kind, "f"))
    check(text, seed++);
}

TEST_P(CandidateTest, widePaddingEqualsTheReference) {
  auto [configuration, kind] = GetParam();
  if (std::string(kind) == "matmul")
    return;
  for (uint64_t seed = 0; seed < 4; ++seed) // with and without a bias, a residual, a clamp
    for (const std::string &text : ContractionSource(seed, configuration.element).drawWide(kind, "f"))
      check(text, seed);
}

INSTANTIATE_TEST_SUITE_P(
    All, CandidateTest,
    testing::Combine(testing::Values(Configuration{"tile", "f64", false}, Configuration{"tile", "f32", true},
                                     Configuration{"onednn", "f32", true}, Configuration{"tile", "bf16", true},
                                     Configuration{"onednn", "bf16", false}),
                     testing::Values("conv2d", "conv2d_input_gradient", "conv2d_filter_gradient", "matmul")),
    [](const auto &info) {
      const Configuration &configuration = std::get<0>(info.param);
      return std::string(configuration.candidate) + "_" + configuration.element + "_" + std::get<1>(info.param);
    });

} // namespace
