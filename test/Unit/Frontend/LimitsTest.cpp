//===- LimitsTest.cpp - Programs without measure --------------------------===//

#include "Parse.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include <fstream>
#include <gtest/gtest.h>

using namespace espalier;
using namespace espalier::test;

namespace {
constexpr size_t depth = 100'000;

std::string repeat(const std::string &text, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i)
    result += text;
  return result;
}

std::string arch(const std::string &body) { return "arch a(x: f32[N]) -> f32[N] { " + body + " }"; }

size_t numOps(const Parsed &parsed) {
  EXPECT_TRUE(bool(parsed.module)) << parsed.firstError();
  return parsed.module ? parsed.graph("a").getBody().front().getOperations().size() : 0;
}

void expectError(const std::string &program, const std::string &message) {
  Parsed parsed = parse(program);
  EXPECT_FALSE(bool(parsed.module));
  EXPECT_NE(parsed.firstError().find(message), std::string::npos) << parsed.firstError();
}
} // namespace

TEST(Limits, DeepExpressionsParseAndEvaluate) {
  EXPECT_EQ(numOps(parse("X = " + repeat("(", depth) + "1" + repeat(")", depth) + "\n" + arch("x"))), 1u);
  EXPECT_EQ(numOps(parse("X = " + repeat("-", depth) + "1\n" + arch("x"))), 1u);
  EXPECT_EQ(numOps(parse("X = " + repeat("not ", depth) + "true\n" + arch("x"))), 1u);
  EXPECT_EQ(numOps(parse("X = " + repeat("1 ** (", depth) + "0" + repeat(")", depth) + " > 0\n" + arch("x"))), 1u);
}

TEST(Limits, DeepListsCompareAndPrint) {
  std::string list = repeat("[", depth) + "1" + repeat("]", depth);
  EXPECT_EQ(numOps(parse("X = " + list + "\nY = X == X\nZ = \"{X}\"\n" + arch("require(Y, Z); x"))), 1u);
}

TEST(Limits, DeepStringsInterpolate) {
  EXPECT_EQ(numOps(parse("X = " + repeat("\"{", depth) + "1" + repeat("}\"", depth) + "\n" + arch("x"))), 1u);
}

TEST(Limits, LongChainsOfOperations) {
  EXPECT_EQ(numOps(parse(arch("x" + repeat(" |> relu", depth)))), depth + 1);
  EXPECT_EQ(numOps(parse(arch(repeat("relu(", depth) + "x" + repeat(")", depth)))), depth + 1);
  EXPECT_EQ(numOps(parse(arch("x" + repeat(" + x", depth)))), depth + 1);
}

TEST(Limits, DeepTargetsAreTakenApart) {
  expectError(arch(repeat("(", depth) + "p" + repeat(",)", depth) + " = 1; x"),
              "expects 1 values to assign to 1 names, but got int 1");
}

TEST(Limits, WideProgramsEvaluate) {
  EXPECT_EQ(numOps(parse("X = [" + repeat("1, ", depth) + "]\n" + arch("x"))), 1u);
  EXPECT_EQ(numOps(parse("X = if false { 1 }" + repeat(" else if false { 2 }", depth) + "\n" + arch("x"))), 1u);
  EXPECT_EQ(numOps(parse(arch("y = concat([" + repeat("x, ", 10'000) + "], 0); x"))), 2u);
}

TEST(Limits, CallsNestBelowTheLimit) {
  EXPECT_EQ(numOps(parse("block b(x, n) { if n == 0 { x } else { x |> b(n - 1) } }\n" + arch("x |> b(900)"))), 1u);
}

TEST(Limits, UnclosedBracketsAreOneError) {
  expectError("X = " + repeat("(", depth), "expects an expression, but found the end of the file");
  expectError("X = " + repeat("\"{", depth), "expects an expression");
  expectError("arch a(x: f32[N]) " + repeat("{ if true ", depth), "statements nest deeper than 256 levels");
  expectError("X = " + repeat("if ", depth), "statements nest deeper than 256 levels");
}

TEST(Limits, EvaluationIsBounded) {
  expectError(arch("for i in range(10000) { for j in range(10000) { } }; x"), "compile-time evaluation exceeds");
  expectError(arch("l = [1]; for i in range(100) { l = l + l }; x"), "compile-time evaluation exceeds");
  expectError(arch("l = [1] * 9223372036854775807; x"), "compile-time evaluation exceeds");
  expectError(arch("s = \"a\"; for i in range(100) { s = s + s }; x"), "compile-time evaluation exceeds");
  expectError(arch("l = [1]; for i in range(100) { l = [l, l] }; require(l == l, \"\"); x"),
              "compile-time evaluation exceeds");
}

/// Sizes as expressions must not grow without measure.
TEST(Limits, ExtentsAreBounded) {
  std::string sum = "n = A + B + C + D + E + F + G + H; for i in range(60) { n = n * n }; x";
  expectError("arch a(x: f32[A, B, C, D, E, F, G, H]) { " + sum + " }", "'*' overflows 64-bit integers");
  expectError(arch("n = N; for i in range(60) { n = n * n }; x"), "'*' overflows 64-bit integers");
  expectError("arch a(x: f32[1, 1, H, 8], y: f32[1, 1, G, 8]) {\n"
              "  for i in range(100000) { x = max_pool(concat([x, y], axis = 2), (2, 1)) }\n  x\n}",
              "'cg.max_pool2d' op expects");
}

TEST(Limits, GraphsAreBounded) {
  expectError(arch("for i in range(2000000) { x = relu(x) }; x"), "graph exceeds 1000000 operations");
}

TEST(Limits, FilesAreBounded) {
  expectError(std::string(maxArchitectureFileBytes + 1, ' '),
              "expects a file of at most 4194304 bytes, but 'test.esp' has 4194305");
}

TEST(Limits, ImportsAreBounded) {
  llvm::SmallString<128> dir;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("espalier-imports", dir));
  constexpr unsigned count = 300;
  for (unsigned i = 0; i < count; ++i)
    std::ofstream(dir.str().str() + "/f" + std::to_string(i) + ".esp")
        << (i + 1 < count ? "import \"f" + std::to_string(i + 1) + ".esp\"\n" : "") << "X = 1\n";
  Parsed parsed = parse("import \"f0.esp\"\n", dir.str().str() + "/main.esp");
  EXPECT_EQ(parsed.firstError(), "expects at most 256 files in one program");
  llvm::sys::fs::remove_directories(dir);
}

TEST(Limits, ErrorsAreBounded) {
  std::string body;
  for (unsigned i = 0; i < 100; ++i)
    body += "y = unknown" + std::to_string(i) + "(x)\n";
  Parsed parsed = parse(arch(body + "x"));
  ASSERT_EQ(parsed.messages.size(), 21u);
  EXPECT_EQ(parsed.messages.back().text, "too many errors, stopping after 20");
}

TEST(Limits, NumbersForUnknownParametersOfALossAreReported) {
  ArchitectureOptions options;
  options.losses = {"accuracy"};
  options.lossNumbers = {{"smoothing", 0.1}};
  Parsed parsed = parse(arch("x"), "test.esp", options);
  EXPECT_EQ(parsed.firstError(), "the loss 'accuracy' has no parameter 'smoothing', which is given a number");
}

TEST(Limits, UnknownLossIsReported) {
  ArchitectureOptions options;
  options.losses = {"cross_entrop"};
  Parsed parsed = parse(arch("x"), "test.esp", options);
  EXPECT_EQ(parsed.firstError(), "unknown loss or metric 'cross_entrop'; did you mean 'cross_entropy'?");
}
