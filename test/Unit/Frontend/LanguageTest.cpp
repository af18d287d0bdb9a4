//===- LanguageTest.cpp - What programs mean ------------------------------===//

#include "Builtins.h"
#include "Parse.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Regex.h"
#include <gtest/gtest.h>

using namespace espalier;
using namespace espalier::test;

namespace {
/// The value of an expression as the language prints it.
void expectValue(const std::string &expression, const std::string &expected) {
  Parsed parsed = parse("arch a(x: f32[N, 3, H, W]) {\n  value = " + expression + "\n  require(str(value) == \"" +
                        expected + "\", \"got {value}\")\n  x\n}");
  EXPECT_TRUE(bool(parsed.module)) << expression << ": " << parsed.firstError();
}

std::vector<std::string> paths(const Parsed &parsed, llvm::StringRef name) {
  std::vector<std::string> result;
  EXPECT_TRUE(bool(parsed.module)) << parsed.firstError();
  if (parsed.module)
    for (auto parameter : parsed.graph(name).getOps<cg::ParameterOp>())
      result.push_back(parameter.getPath().str());
  return result;
}
using Strings = std::vector<std::string>;

template <typename OpT> std::vector<OpT> ops(const Parsed &parsed, llvm::StringRef name) {
  EXPECT_TRUE(bool(parsed.module)) << parsed.firstError();
  if (!parsed.module)
    return {};
  auto range = parsed.graph(name).getOps<OpT>();
  return {range.begin(), range.end()};
}
} // namespace

TEST(Language, Arithmetic) {
  expectValue("1 + 2 * 3", "7");
  expectValue("(1 + 2) * 3", "9");
  expectValue("-2 ** 2", "-4");
  expectValue("2 ** 3 ** 2", "512");
  expectValue("2 ** -1.0", "0.5");
  expectValue("7 // 2", "3");
  expectValue("-7 // 2", "-4");
  expectValue("-7 % 3", "2");
  expectValue("7 / 2", "3.5");
  expectValue("1_000 + 1", "1001");
  expectValue("1e-3 * 2", "0.002");
  expectValue("10 - 3 - 2", "5");
}

TEST(Language, Logic) {
  expectValue("1 < 2 and not 2 < 1", "true");
  expectValue("true or 1 // 0 == 0", "true");
  expectValue("false and 1 // 0 == 0", "false");
  expectValue("1 == 1.0", "true");
  expectValue("[1, (2, 3)] == [1, (2, 3)]", "true");
  expectValue("(1, 2) == [1, 2]", "false");
  expectValue("none == none", "true");
  expectValue("none == 0", "false");
}

TEST(Language, Sequences) {
  expectValue("[1, 2] + [3]", "[1, 2, 3]");
  expectValue("[1] * 3", "[1, 1, 1]");
  expectValue("(1,)", "(1)");
  expectValue("[1, 2, 3][-1]", "3");
  expectValue("range(3)", "[0, 1, 2]");
  expectValue("range(5, 1, -2)", "[5, 3]");
  expectValue("enumerate([7, 8])", "[(0, 7), (1, 8)]");
  expectValue("zip([1, 2], [3, 4])", "[(1, 3), (2, 4)]");
  expectValue("reversed([1, 2])", "[2, 1]");
  expectValue("len([])", "0");
}

TEST(Language, Functions) {
  expectValue("max(1, 2) - min(1, 2)", "1");
  expectValue("int(2.7) + floor(-2.5) + ceil(0.2) + round(2.5)", "2");
  expectValue("sqrt(9) + abs(-1)", "4");
  expectValue("kind(1) + kind(1.0) + kind([]) + kind(none)", "intfloatlistnone");
  expectValue("if 1 > 2 { 3 } else if 2 > 1 { 4 } else { 5 }", "4");
}

TEST(Language, Extents) {
  expectValue("shape(x)", "[N, 3, H, W]");
  expectValue("N * 2 + N", "3*N");
  expectValue("shape(max_pool(x, 2))[2]", "floor((H)/2)");
  expectValue("H - H", "0");
  expectValue("rank(x)", "4");
}

TEST(Language, ListsAreTakenApart) {
  expectValue("if true { a, b = [1, 2]; (c, d) = (3, 4); for i, j in [(5, 6)] { a = a + i + j }; [a, b, c, d] }",
              "[12, 2, 3, 4]");
  expectValue("if true { a, (b, (c, d)) = (1, [2, (3, 4)]); (a, b) = (b, a); [a, b, c, d] }", "[2, 1, 3, 4]");
  expectValue("if true { s = 0; for i, (j, k) in enumerate([(1, 2), (3, 4)]) { s = s * 10 + i * j * k }; s }", "12");
  expectValue("sum([1, 2.5])", "3.5");
  expectValue("shape(sum([x, x, x]))", "[N, 3, H, W]");
}

/// Several extents may be symbolic where all but one are the input's.
TEST(Language, ReshapesKeepSymbolicExtents) {
  expectValue("shape(reshape(x, [N, 3, H * W]))", "[N, 3, H*W]");
  expectValue("shape(flatten(x, start = 2))", "[N, 3, H*W]");
  expectValue("shape(reshape(x, [W, H, 3, N]))", "[W, H, 3, N]");
  expectValue("shape(reshape(x, [N, -1]))", "[N, 3*H*W]");
}

TEST(Language, LinesContinueWithOperators) {
  Parsed parsed = parse(R"(
arch a(x: f32[N, 4]) {
  h = x
    |> relu
    + x
  y = (h
    - x)
  y
    |> sigmoid
})");
  EXPECT_EQ(ops<cg::AddOp>(parsed, "a").size(), 1u);
  EXPECT_EQ(ops<cg::SubOp>(parsed, "a").size(), 1u);
}

TEST(Language, PipesBindLooserThanOperatorsOnTheLeft) {
  Parsed parsed = parse("arch a(x: f32[N, 4]) { x + x |> relu + x }");
  auto adds = ops<cg::AddOp>(parsed, "a");
  ASSERT_EQ(adds.size(), 2u);
  EXPECT_TRUE(llvm::isa<cg::ReluOp>(adds[1].getLhs().getDefiningOp()));
}

TEST(Language, AssignmentReachesOutOfBraces) {
  Parsed parsed = parse(R"(
arch a(x: f32[N, 4]) {
  for i in range(3) { x = relu(x) }
  if true { x = sigmoid(x) }
  x
})");
  EXPECT_EQ(ops<cg::ReluOp>(parsed, "a").size(), 3u);
  EXPECT_EQ(ops<cg::SigmoidOp>(parsed, "a").size(), 1u);
}

TEST(Language, LabelsMakePaths) {
  Parsed parsed = parse(R"(
block basic(x, width: int) { x |> linear(width, bias = false) as fc }
arch a(x: f32[N, 4]) {
  for i in range(2) { x = x |> basic(4) as "layer{i + 1}.{i}" }
  x |> linear(2) as head
})");
  EXPECT_EQ(paths(parsed, "a"), (Strings{"layer1.0.fc.weight", "layer2.1.fc.weight", "head.weight", "head.bias"}));
}

TEST(Language, UnlabelledLayersAreCounted) {
  Parsed parsed = parse(R"(
block tower(x) { x |> linear(4, bias = false) |> linear(4, bias = false) }
arch a(x: f32[N, 4]) { x |> tower |> tower |> linear(2, bias = false) })");
  EXPECT_EQ(paths(parsed, "a"), (Strings{"tower_0.linear_0.weight", "tower_0.linear_1.weight",
                                         "tower_1.linear_0.weight", "tower_1.linear_1.weight", "linear_0.weight"}));
}

TEST(Language, EmptyLabelsAddNothing) {
  Parsed parsed = parse(R"(
block tower(x) { x |> linear(4, bias = false) }
arch a(x: f32[N, 4]) { x |> tower as "" |> tower as "" })");
  EXPECT_EQ(paths(parsed, "a"), (Strings{"linear_0.weight", "linear_1.weight"}));
}

TEST(Language, EqualLabelsShareWeights) {
  Parsed parsed = parse(R"(
arch a(x: f32[N, 4]) { x |> linear(4, bias = false) as fc |> linear(4, bias = false) as fc })");
  EXPECT_EQ(paths(parsed, "a"), (Strings{"fc.weight"}));
  EXPECT_EQ(ops<cg::MatmulOp>(parsed, "a").size(), 2u);
}

TEST(Language, ArchsNestUnderALabel) {
  Parsed parsed = parse(R"(
arch body(x: f32[N, 4]) -> f32[N, 8] { x |> linear(8, bias = false) as fc }
arch a(x: f32[N, 4]) { x |> body as encoder |> linear(2, bias = false) as head })");
  EXPECT_EQ(paths(parsed, "body"), (Strings{"fc.weight"}));
  EXPECT_EQ(paths(parsed, "a"), (Strings{"encoder.fc.weight", "head.weight"}));
}

TEST(Language, BlocksAreValues) {
  Parsed parsed = parse(R"(
block narrow(x) { x |> linear(2, bias = false) as fc }
block twice(x, body: callable) { x |> body as first |> body as second }
arch a(x: f32[N, 4]) { x |> twice(narrow) as t })");
  EXPECT_EQ(paths(parsed, "a"), (Strings{"t.first.fc.weight", "t.second.fc.weight"}));
}

TEST(Language, DefaultsSeeEarlierParameters) {
  Parsed parsed = parse(R"(
block mlp(x: tensor[N, C], width: int = 2 * C, out: int = width + 1) {
  x |> linear(width, bias = false) |> linear(out, bias = false)
}
arch a(x: f32[N, 4]) -> f32[N, 9] { x |> mlp })");
  EXPECT_EQ(paths(parsed, "a").size(), 2u);
}

TEST(Language, SignaturesNameExtents) {
  Parsed parsed = parse("CLASSES = 10\narch a(image: f32[N, 3, H, W]) -> f32[N, CLASSES] {\n"
                        "  image |> conv(8, k = 3, stride = 2) |> global_avg_pool |> linear(CLASSES)\n}");
  ASSERT_TRUE(bool(parsed.module)) << parsed.firstError();
  cg::GraphOp graph = parsed.graph("a");
  EXPECT_EQ(graph.getArgumentName(0), "image");
  auto dims = graph.getArgAttrOfType<mlir::ArrayAttr>(0, cg::GraphOp::getDimsAttrName());
  EXPECT_EQ(llvm::cast<mlir::StringAttr>(dims[0]).getValue(), "N");
  EXPECT_EQ(llvm::cast<mlir::StringAttr>(dims[1]).getValue(), "3");
  EXPECT_EQ(llvm::cast<mlir::RankedTensorType>(graph.getResultTypes()[0]).getShape().back(), 10);
}

TEST(Language, LocationsNameEveryPlaceInUserFiles) {
  Parsed parsed = parse("block b(x) {\n  x |> conv(8, k = 3)\n}\narch a(x: f32[N, 3, H, W]) {\n  x |> b\n}");
  auto convs = ops<cg::Conv2dOp>(parsed, "a");
  ASSERT_EQ(convs.size(), 1u);
  auto site = llvm::dyn_cast<mlir::CallSiteLoc>(convs[0].getLoc());
  ASSERT_TRUE(bool(site));
  EXPECT_EQ(llvm::cast<mlir::FileLineColLoc>(site.getCallee()).getLine(), 2u);
  EXPECT_EQ(llvm::cast<mlir::FileLineColLoc>(site.getCaller()).getLine(), 5u);
  EXPECT_EQ(convs[0]->getAttrOfType<mlir::StringAttr>("cg.scope").getValue(), "b_0.conv_0");
}

TEST(Language, FunctionsOfTensorsAreGraphs) {
  Parsed parsed = parse(R"(
fn helper(a, b) { a * b }
fn loss(logits: f32[N, 10], labels: i64[N]) -> f32[] { cross_entropy(logits, labels, smoothing = 0.1) }
arch a(x: f32[N, 4]) -> f32[N, 10] { x |> linear(10) as fc })");
  ASSERT_TRUE(bool(parsed.module)) << parsed.firstError();
  EXPECT_TRUE(bool(parsed.graph("loss")));
  EXPECT_FALSE(bool(parsed.graph("helper")));
}

TEST(Language, LossesTakeTheResultsOfAnArch) {
  ArchitectureOptions options;
  options.losses = {"cross_entropy", "accuracy"};
  Parsed parsed = parse("arch a(x: f32[N, 4]) -> f32[N, 10] { x |> linear(10) as fc }", "test.esp", options);
  ASSERT_TRUE(bool(parsed.module)) << parsed.firstError();
  cg::GraphOp loss = parsed.graph("a.cross_entropy");
  ASSERT_TRUE(bool(loss));
  EXPECT_EQ(llvm::cast<mlir::RankedTensorType>(loss.getArgumentTypes()[0]).getShape().back(), 10);
  EXPECT_TRUE(bool(parsed.graph("a.accuracy")));
}

TEST(Language, ImportsAreRelativeToTheFile) {
  Parsed parsed = parse("import \"lib/blocks.esp\"\narch a(x: f32[N, 4]) { x |> tower(WIDTH) as t }",
                        ESPALIER_SOURCE_DIR "/test/Frontend/Inputs/errors/main.esp");
  EXPECT_EQ(paths(parsed, "a"), (Strings{"t.fc.weight", "t.fc.bias"}));
}

TEST(Language, DocumentationNamesEveryFunction) {
  std::string text = readFile(ESPALIER_SOURCE_DIR "/docs/language.md");
  std::string prelude = readFile(ESPALIER_SOURCE_DIR "/frontend/dsl/Prelude.esp");
  std::vector<std::string> names;
  for (const dsl::Builtin &builtin : dsl::allBuiltins())
    names.push_back(builtin.name.str());
  for (llvm::StringRef line : llvm::split(prelude, '\n'))
    if (line.consume_front("fn ") || line.consume_front("block "))
      names.push_back(line.take_until([](char c) { return c == '('; }).str());
  ASSERT_GE(names.size(), 80u);
  for (const std::string &name : names)
    EXPECT_TRUE(name.front() == '_' || llvm::Regex("(^|[^A-Za-z0-9_])" + name + "([^A-Za-z0-9_]|$)").match(text))
        << name;
}

/// Every program in the documentation is a test: fenced blocks marked `esp`.
TEST(Language, DocumentationPrograms) {
  std::string text =
      readFile(ESPALIER_SOURCE_DIR "/docs/language.md") + readFile(ESPALIER_SOURCE_DIR "/docs/branches.md");
  llvm::StringRef rest = text;
  unsigned count = 0;
  while (true) {
    auto [before, after] = rest.split("\n```esp\n");
    if (after.empty())
      break;
    auto [program, remaining] = after.split("\n```");
    Parsed parsed = parse(program, ESPALIER_SOURCE_DIR "/docs/language.esp");
    EXPECT_TRUE(bool(parsed.module)) << parsed.firstError() << " in\n" << program.str();
    ++count;
    rest = remaining;
  }
  EXPECT_GE(count, 7u);
}
