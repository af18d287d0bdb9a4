//===- WeightEvaluatorTest.cpp - fast evaluation against the reference ----===//

#include "espalier/Analysis/WeightEvaluator.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace mlir;
using namespace espalier::cg;

namespace {

class WeightEvaluatorTest : public testing::Test {
protected:
  WeightEvaluatorTest() { context.loadDialect<CGDialect>(); }

  static void draw(Operation *op, MutableArrayRef<double> elements) {
    std::mt19937_64 random(llvm::hash_value(cast<ParameterOp>(op).getPath()));
    for (double &element : elements)
      element = std::uniform_real_distribution<double>(0.5, 1.5)(random) * (random() % 2 ? 1 : -1);
  }

  LogicalResult evaluate(StringRef text, std::vector<std::vector<double>> &results, ReferenceLimits limits = {}) {
    module = parseSourceString<ModuleOp>(text, &context);
    if (!module)
      return failure();
    GraphOp graph = *module->getOps<GraphOp>().begin();
    results.clear();
    for (Type type : graph.getResultTypes()) // what is not written shows
      results.emplace_back(cast<RankedTensorType>(type).getNumElements(), std::nan(""));
    return evaluateWeights(
        graph,
        [](Operation *op) -> FailureOr<WeightSource> {
          std::vector<double> all(cast<RankedTensorType>(op->getResult(0).getType()).getNumElements());
          draw(op, all);
          return WeightSource([all = std::move(all)](int64_t offset, MutableArrayRef<double> elements) {
            std::copy_n(all.begin() + offset, elements.size(), elements.begin());
          });
        },
        [&](unsigned index, int64_t offset, ArrayRef<double> elements) {
          llvm::copy(elements, results[index].begin() + offset);
        },
        limits);
  }

  /// A graph with these ops, and these results of one type.
  void check(const std::string &ops, const std::string &results, const std::string &types) {
    std::string text = "cg.graph @w() -> (" + types + ") {\n" + ops + "cg.return " + results + " : " + types + "\n}";
    SCOPED_TRACE(text);
    std::vector<std::vector<double>> actual;
    ASSERT_TRUE(succeeded(evaluate(text, actual)));
    FailureOr<ReferenceRun> expected =
        evaluateReference(*module->getOps<GraphOp>().begin(), {}, [](Operation *op) -> FailureOr<ReferenceTensor> {
          ReferenceTensor tensor(cast<ParameterOp>(op).getType());
          draw(op, tensor.data);
          return tensor;
        });
    ASSERT_TRUE(succeeded(expected));
    for (auto [value, numbers] : llvm::zip_equal(expected->results, actual)) {
      ASSERT_EQ(numbers.size(), value.data.size());
      double largest = 0, difference = 0;
      for (auto [a, b] : llvm::zip_equal(numbers, value.data)) {
        largest = std::max(largest, std::fabs(b));
        difference = std::max(difference, std::fabs(a - b));
      }
      EXPECT_LE(difference, 1e-13 * largest);
    }
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

/// Filters of every size of a product: below, at and beyond what a tile, a block and a panel hold.
TEST_F(WeightEvaluatorTest, composesFilters) {
  struct Case {
    int64_t features, middle, channels, groups;
    std::array<int64_t, 2> outer, inner, stride, dilation;
  };
  std::mt19937_64 random(1);
  auto pick = [&](std::initializer_list<int64_t> values) { return *(values.begin() + random() % values.size()); };
  for (int i = 0; i < 60; ++i) {
    Case c;
    c.groups = pick({1, 1, 2, 5});
    c.features = pick({1, 3, 8, 17, 70});
    c.middle = c.groups * pick({1, 7, 16, 24, 40, 520});
    c.channels = pick({1, 5, 16, 24, 25, 49});
    if (i == 0)
      c = {9, 16, 530, 1, {}, {}, {}, {}};
    for (int d : {0, 1}) {
      c.outer[d] = pick({1, 3, 4});
      c.inner[d] = pick({1, 1, 3});
      c.stride[d] = pick({1, 1, 2});
      c.dilation[d] = pick({1, 2});
    }
    std::array<int64_t, 2> size;
    for (int d : {0, 1})
      size[d] = (c.outer[d] - 1) * c.stride[d] + (c.inner[d] - 1) * c.dilation[d] + 1;
    std::string outer = llvm::formatv("tensor<{0}x{1}x{2}x{3}xf64>", c.features, c.middle, c.outer[0], c.outer[1]);
    std::string inner = llvm::formatv("tensor<{0}x{1}x{2}x{3}xf64>", c.middle, c.channels, c.inner[0], c.inner[1]);
    std::string like =
        llvm::formatv("tensor<{0}x{1}x{2}x{3}xf64>", c.features, c.channels * c.groups, size[0], size[1]);
    std::string ops =
        llvm::formatv("%a = cg.parameter \"a\" : {0}\n%b = cg.parameter \"b\" : {1}\n"
                      "%l = cg.constant dense<0.0> : {2}\n"
                      "%c = cg.conv2d_input_gradient %a, %b, %l strides [{3}, {4}] dilations [{5}, {6}] "
                      "groups {7} : {0}, {1}, {2}\n",
                      outer, inner, like, c.stride[0], c.stride[1], c.dilation[0], c.dilation[1], c.groups);
    check(ops, "%c", like);
  }
}

/// Parts share memory, but never with a value which something needs later.
TEST_F(WeightEvaluatorTest, keepsWhatIsNeededLater) {
  std::string type = "tensor<70x90x3x3xf64>";
  check(R"(
    %a = cg.parameter "a" : tensor<70x90x3x3xf64>
    %v = cg.parameter "v" : tensor<70x1x1x1xf64>
    %c = cg.parameter "c" : tensor<1x90x1x1xf64>
    %p = cg.parameter "p" : tensor<70x90x1x2xf64>
    %0 = cg.mul %a, %v : tensor<70x90x3x3xf64>, tensor<70x1x1x1xf64>
    %1 = cg.add %0, %0 : tensor<70x90x3x3xf64>, tensor<70x90x3x3xf64>
    %2 = cg.sub %c, %1 : tensor<1x90x1x1xf64>, tensor<70x90x3x3xf64>
    %3 = cg.pad %p {low = array<i64: 0, 0, 1, 0>, high = array<i64: 0, 0, 1, 1>, value = 0.5 : f64} : tensor<70x90x1x2xf64>
    %4 = cg.div %3, %2 : tensor<70x90x3x3xf64>, tensor<70x90x3x3xf64>
    %5 = cg.reshape %4 {shape = array<i64: 1, 70, 810>} : tensor<70x90x3x3xf64>
    %6 = cg.transpose %5 {permutation = array<i64: 1, 0, 2>} : tensor<1x70x810xf64>
    %7 = cg.reshape %6 {shape = array<i64: 70, 90, 3, 3>} : tensor<70x1x810xf64>
    %8 = cg.neg %7 : tensor<70x90x3x3xf64>
    %9 = cg.reduce_sum %4 {axes = array<i64: 2, 3>, keep_dims} : tensor<70x90x3x3xf64>
    %10 = cg.mul %9, %8 : tensor<70x90x1x1xf64>, tensor<70x90x3x3xf64>
    %11 = cg.add %10, %1 : tensor<70x90x3x3xf64>, tensor<70x90x3x3xf64>
)",
        "%8, %2, %11, %2, %a", type + ", " + type + ", " + type + ", " + type + ", " + type);
}

/// Products, padding and sums within one chain, which is computed in many parts: they end where each of them can.
TEST_F(WeightEvaluatorTest, computesChainsInParts) {
  check(R"(
    %a = cg.parameter "a" : tensor<64x40x1x3xf64>
    %v = cg.parameter "v" : tensor<64x1x1x1xf64>
    %b = cg.parameter "b" : tensor<40x48x1x1xf64>
    %g = cg.parameter "g" : tensor<1x64x3x3xf64>
    %h = cg.parameter "h" : tensor<64x48x1x1xf64>
    %l = cg.constant dense<0.0> : tensor<64x48x3x3xf64>
    %m = cg.constant dense<0.0> : tensor<1x3072x3x3xf64>
    %0 = cg.mul %a, %v : tensor<64x40x1x3xf64>, tensor<64x1x1x1xf64>
    %1 = cg.pad %0 {low = array<i64: 0, 0, 1, 0>, high = array<i64: 0, 0, 1, 0>, value = 0.5 : f64} : tensor<64x40x1x3xf64>
    %2 = cg.conv2d_input_gradient %1, %b, %l : tensor<64x40x3x3xf64>, tensor<40x48x1x1xf64>, tensor<64x48x3x3xf64>
    %3 = cg.conv2d_input_gradient %g, %h, %m groups 64 : tensor<1x64x3x3xf64>, tensor<64x48x1x1xf64>, tensor<1x3072x3x3xf64>
    %4 = cg.reshape %3 {shape = array<i64: 64, 48, 3, 3>} : tensor<1x3072x3x3xf64>
    %5 = cg.sub %2, %4 : tensor<64x48x3x3xf64>, tensor<64x48x3x3xf64>
    %6 = cg.pad %5 {low = array<i64: 0, 1, 0, 0>, high = array<i64: 0, 0, 0, 2>, value = 2.0 : f64} : tensor<64x48x3x3xf64>
    %7 = cg.reduce_sum %6 {axes = array<i64: 3>} : tensor<64x49x3x5xf64>
)",
        "%7", "tensor<64x49x3xf64>");
}

/// Parts call each other, but not as often as there are operations.
TEST_F(WeightEvaluatorTest, evaluatesChainsOfAnyLength) {
  std::string ops = "%0 = cg.parameter \"a\" : tensor<3xf64>\n";
  constexpr int length = 100000;
  for (int i = 0; i < length; ++i)
    ops += llvm::formatv("%{0} = cg.{2} %{1} : tensor<3xf64>\n", i + 1, i, "neg");
  check(ops, llvm::formatv("%{0}", length), "tensor<3xf64>");
}

/// Padding of leading dimensions, of trailing ones, and of none; triangular and unit matrices.
TEST_F(WeightEvaluatorTest, padsAndCompares) {
  check(R"(
    %a = cg.parameter "a" : tensor<3x1x2xf64>
    %b = cg.parameter "b" : tensor<4x3x4xf64>
    %c = cg.parameter "c" : tensor<4x3x1xf64>
    %0 = cg.pad %a {low = array<i64: 1, 0, 1>, high = array<i64: 0, 2, 1>, value = -1.0 : f64} : tensor<3x1x2xf64>
    %1 = cg.pad %b {low = array<i64: 0, 0, 0>, high = array<i64: 0, 0, 0>, value = 2.0 : f64} : tensor<4x3x4xf64>
    %2 = cg.pad %c {low = array<i64: 0, 0, 2>, high = array<i64: 0, 0, 1>, value = 2.0 : f64} : tensor<4x3x1xf64>
)",
        "%0, %1, %2", "tensor<4x3x4xf64>, tensor<4x3x4xf64>, tensor<4x3x4xf64>");
  check(R"(
    %a = cg.parameter "a" : tensor<40x40xf64>
    %i = cg.iota {size = 40 : i64, type = i64}
    %r = cg.reshape %i {shape = array<i64: 40, 1>} : tensor<40xi64>
    %eq = cg.compare eq %r, %i : tensor<40x1xi64>, tensor<40xi64>
    %lt = cg.compare lt %r, %i : tensor<40x1xi64>, tensor<40xi64>
    %unit = cg.cast %eq {type = f64} : tensor<40x40xi1>
    %above = cg.cast %lt {type = f64} : tensor<40x40xi1>
    %0 = cg.add %a, %unit : tensor<40x40xf64>, tensor<40x40xf64>
    %1 = cg.mul %above, %0 : tensor<40x40xf64>, tensor<40x40xf64>
)",
        "%0, %1, %unit", "tensor<40x40xf64>, tensor<40x40xf64>, tensor<40x40xf64>");
}

TEST_F(WeightEvaluatorTest, keepsToTheLimit) {
  std::string errors;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    errors += diagnostic.str();
    return success();
  });
  std::string text = R"(cg.graph @w() -> tensor<100xf64> {
    %a = cg.parameter "a" : tensor<100xf64>
    %b = cg.neg %a : tensor<100xf64>
    %0 = cg.add %b, %b : tensor<100xf64>, tensor<100xf64>
    cg.return %0 : tensor<100xf64>
  })";
  std::vector<std::vector<double>> results;
  EXPECT_TRUE(succeeded(evaluate(text, results, {200})));
  EXPECT_TRUE(failed(evaluate(text, results, {199})));
  EXPECT_EQ(errors, "expects at most 199 elements alive, but got a result of 'tensor<100xf64>' beside 100");
}

} // namespace
