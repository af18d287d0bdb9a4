//===- BlocksTest.cpp - Blocks of branches against their papers -----------===//
//
// The blocks that come with the library, evaluated in float64 in inference mode, compared with values that PyTorch
// computed by the papers' formulas (test/Frontend/Inputs/block-values.py).
//
//===----------------------------------------------------------------------===//

#include "Parse.h"
#include "espalier/Analysis/ReferenceEvaluator.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace espalier;
using namespace espalier::test;

namespace {
struct Variant {
  const char *name;
  int outputs;
  /// Of a call: k, stride, pad, dilation, groups.
  const char *arguments;
};

constexpr Variant variants[] = {
    {"plain", 4, "(3, 3), (1, 1), (1, 1), (1, 1), 1"},
    {"strided", 6, "(3, 3), (2, 2), (1, 1), (1, 1), 1"},
    {"dilated", 4, "(3, 3), (1, 1), (2, 2), (2, 2), 1"},
    {"grouped", 6, "(3, 5), (2, 1), (1, 2), (1, 1), 2"},
    {"depthwise", 4, "(3, 3), (1, 1), (1, 1), (1, 1), 4"},
    {"depthwise_dilated", 4, "(3, 3), (2, 2), (2, 2), (2, 2), 4"},
    {"valid", 4, "(3, 3), (1, 1), (0, 0), (1, 1), 1"},
    {"large", 6, "(5, 5), (1, 1), (2, 2), (1, 1), 2"},
    {"large_cropped", 4, "(5, 5), (1, 1), (1, 1), (1, 1), 1"},
    {"large_framed", 4, "(5, 5), (1, 1), (3, 3), (1, 1), 1"},
};

/// The tensor that stands for what is called `name`.
cg::ReferenceTensor wave(llvm::StringRef name, mlir::Type type) {
  cg::ReferenceTensor tensor(llvm::cast<mlir::RankedTensorType>(type));
  for (auto [i, element] : llvm::enumerate(tensor.data)) {
    element = std::sin(0.7 * double(i) + double(name.size()));
    if (name.ends_with("running_var"))
      element = element * element + 0.5;
  }
  return tensor;
}

/// Shape, first and last element, sum, a sum that tells places apart, and the largest size of `y`.
std::vector<double> describe(const cg::ReferenceTensor &y) {
  std::vector<double> values(y.shape().begin(), y.shape().end());
  double sum = 0, waved = 0, largest = 0;
  for (auto [i, element] : llvm::enumerate(y.data)) {
    sum += element;
    waved += element * std::cos(0.37 * double(i));
    largest = std::max(largest, std::fabs(element));
  }
  values.insert(values.end(), {y.data.front(), y.data.back(), sum, waved, largest});
  return values;
}

/// Empty where the block does not fit.
std::vector<double> expected(const std::string &row) {
  std::string golden = readFile(ESPALIER_SOURCE_DIR "/test/Frontend/Inputs/block-values.txt");
  std::vector<double> values;
  for (llvm::StringRef line : llvm::split(golden, '\n'))
    if (line.consume_front(row + ": "))
      for (llvm::StringRef word : llvm::split(line, ' '))
        values.push_back(std::stod(word.str()));
  return values;
}

class Blocks : public testing::TestWithParam<std::tuple<std::string, Variant>> {};
} // namespace

TEST_P(Blocks, ComputesWhatThePaperSays) {
  auto [block, variant] = GetParam();
  Parsed parsed = parse("import \"espalier:" + block + "\"\narch net(x: f64[2, 4, 9, 8]) {\n  x |> " + block + "(" +
                        std::to_string(variant.outputs) + ", " + variant.arguments + ") as \"\"\n}\n");
  std::vector<double> want = expected(block + " " + variant.name);
  if (want.empty()) {
    EXPECT_FALSE(bool(parsed.module)) << "no values to compare with";
    EXPECT_NE(parsed.firstError().find("the input itself has"), std::string::npos) << parsed.firstError();
    return;
  }
  ASSERT_TRUE(bool(parsed.module)) << parsed.firstError();
  cg::GraphOp graph = parsed.graph("net");
  mlir::FailureOr<cg::ReferenceRun> run =
      cg::evaluateReference(graph, wave("x", graph.getArgument(0).getType()), [](mlir::Operation *op) {
        return wave(op->getAttrOfType<mlir::StringAttr>("path").getValue(), op->getResult(0).getType());
      });
  ASSERT_TRUE(mlir::succeeded(run));
  std::vector<double> got = describe(run->results.front());
  ASSERT_EQ(got.size(), want.size());
  for (auto [a, b] : llvm::zip_equal(got, want))
    EXPECT_NEAR(a, b, 1e-11 * std::max(1.0, std::fabs(b)));
}

TEST(BlockFiles, MayBeImportedTwice) {
  Parsed parsed = parse("import \"espalier:acnet\"\nimport \"espalier:acnet\"\n"
                        "arch net(x: f32[N, 4, H, W]) { acnet(x, 4, (3, 3), (1, 1), (1, 1), (1, 1), 1) as \"\" }");
  EXPECT_TRUE(bool(parsed.module)) << parsed.firstError();
}

INSTANTIATE_TEST_SUITE_P(Library, Blocks,
                         testing::Combine(testing::ValuesIn(libraryFileNames()), testing::ValuesIn(variants)),
                         [](const auto &info) { return std::get<0>(info.param) + "_" + std::get<1>(info.param).name; });
