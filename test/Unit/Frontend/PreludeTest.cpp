//===- PreludeTest.cpp - Layers and losses against PyTorch ----------------===//
//
// Small networks evaluated by the reference evaluator in float64, compared with values that PyTorch computed
// (test/Frontend/Inputs/prelude-values.py).
//
//===----------------------------------------------------------------------===//

#include "Parse.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace espalier;
using namespace espalier::test;

namespace {
struct Row {
  const char *name;
  const char *body;
};

constexpr Row rows[] = {
    {"relu6", "relu6(x)"},
    {"silu", "silu(x)"},
    {"gelu", "gelu(x)"},
    {"hard_sigmoid", "hard_sigmoid(x)"},
    {"hard_swish", "hard_swish(x)"},
    {"leaky_relu", "leaky_relu(x, 0.1)"},
    {"softmax", "softmax(x, -1)"},
    {"cross_entropy", "cross_entropy(x, labels)"},
    {"masked", "cross_entropy(where(iota(3, i64) == reshape(labels, [4, 1]), x, log(x - x)), labels)"},
    {"smoothed", "cross_entropy(x, labels, smoothing = 0.1)"},
    {"soft", "soft_cross_entropy(x, one_hot(labels, 3) * 0.5 + 0.25)"},
    {"accuracy", "accuracy(x, labels)"},
    {"squared_error", "mean_squared_error(x, x * x)"},
    {"one_hot", "one_hot(labels, 3, f64)"},
    {"linear", "x |> linear(2) as l"},
    {"embedding", "labels |> embedding(3, 2, type = f64) as l"},
    {"conv_strided", "image |> conv(2, k = 3, stride = 2) as l"},
    {"conv_even", "image |> conv(2, k = (4, 2)) as l"},
    {"conv_dilated", "image |> conv(2, k = 3, dilation = 2, groups = 2) as l"},
    {"conv_valid", "image |> conv(2, k = (2, 3), pad = 0) as l"},
    {"batch_norm", "image |> batch_norm as l"},
    {"max_pool", "max_pool(image, 3, stride = 2, pad = 1, ceil_mode = true)"},
    {"avg_pool", "avg_pool(image, (2, 3))"},
    {"global_avg_pool", "global_avg_pool(image)"},
    {"adaptive_avg_pool", "adaptive_avg_pool(image, (3, 4))"},
    {"flatten", "flatten(image, start = 2)"},
    {"split", "concat(reversed(split(image, 2)), axis = 1)"},
    {"slice", "slice(image, axis = 1, start = 1, end = 4, stride = 2)"},
};

/// The tensor that stands for what is called `name`.
cg::ReferenceTensor wave(llvm::StringRef name, mlir::Type type) {
  cg::ReferenceTensor tensor(llvm::cast<mlir::RankedTensorType>(type));
  for (auto [i, element] : llvm::enumerate(tensor.data))
    element = 3 * std::sin(0.7 * double(i) + double(name.size()));
  if (name == "labels")
    tensor.data = {2, 0, 1, 2};
  if (name.ends_with("running_var"))
    for (double &element : tensor.data)
      element *= element;
  return tensor;
}

std::vector<double> evaluate(cg::GraphOp graph) {
  llvm::DenseMap<mlir::Value, cg::ReferenceTensor> values;
  for (mlir::BlockArgument argument : graph.getArguments())
    values[argument] = wave(graph.getArgumentName(argument.getArgNumber()), argument.getType());
  for (mlir::Operation &op : graph.getBody().front().without_terminator()) {
    if (auto path = op.getAttrOfType<mlir::StringAttr>("path")) {
      values[op.getResult(0)] = wave(path, op.getResult(0).getType());
      continue;
    }
    std::vector<const cg::ReferenceTensor *> operands;
    for (mlir::Value operand : op.getOperands())
      operands.push_back(&values.find(operand)->second);
    cg::ReferenceTensor result(llvm::cast<mlir::RankedTensorType>(op.getResult(0).getType()));
    EXPECT_TRUE(mlir::succeeded(llvm::cast<cg::ReferenceOpInterface>(op).evaluate(operands, result)));
    values[op.getResult(0)] = std::move(result);
  }
  return values[graph.getBody().front().getTerminator()->getOperand(0)].data;
}

/// The values of a row of the golden file.
std::vector<double> expected(llvm::StringRef name) {
  std::string golden = readFile(ESPALIER_SOURCE_DIR "/test/Frontend/Inputs/prelude-values.txt");
  std::vector<double> values;
  for (llvm::StringRef line : llvm::split(golden, '\n'))
    if (line.consume_front((name + ": ").str()))
      for (llvm::StringRef word : llvm::split(line, ' '))
        values.push_back(std::stod(word.str()));
  EXPECT_FALSE(values.empty()) << name.str();
  return values;
}

class Prelude : public testing::TestWithParam<Row> {};
} // namespace

TEST_P(Prelude, ComputesWhatPyTorchComputes) {
  Parsed parsed =
      parse(std::string("arch net(x: f64[4, 3], image: f64[1, 4, 5, 6], labels: i64[4]) { ") + GetParam().body + " }");
  ASSERT_TRUE(bool(parsed.module)) << parsed.firstError();
  std::vector<double> got = evaluate(parsed.graph("net")), want = expected(GetParam().name);
  ASSERT_EQ(got.size(), want.size());
  for (auto [a, b] : llvm::zip_equal(got, want))
    EXPECT_NEAR(a, b, 1e-10 * std::max(1.0, std::fabs(b)));
}

INSTANTIATE_TEST_SUITE_P(Functions, Prelude, testing::ValuesIn(rows),
                         [](const testing::TestParamInfo<Row> &info) { return std::string(info.param.name); });
