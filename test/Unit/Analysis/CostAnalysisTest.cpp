//===- CostAnalysisTest.cpp - prices of small graphs ----------------------===//

#include "espalier/Analysis/CostAnalysis.h"
#include "espalier/Dialect/CG/IR/CGOps.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace espalier;
using cg::DimExpr;

namespace {

class CostAnalysisTest : public testing::Test {
protected:
  CostAnalysisTest()
      : handler(&context, [&](Diagnostic &diagnostic) {
          errors += diagnostic.str() + "\n";
          return success();
        }) {
    context.loadDialect<cg::CGDialect>();
  }

  /// Parses a module and prices its first graph.
  FailureOr<CostReport> price(StringRef text) {
    module = parseSourceString<ModuleOp>(text, &context, "graph.mlir");
    if (!module)
      return failure();
    return computeCost(*module->getOps<FunctionOpInterface>().begin());
  }

  /// The sums of rows, and the maximum of their peaks, equal the totals.
  static void expectPartsSumUp(const CostReport &report) {
    CostFigures sum;
    SmallVector<DimExpr> peaks;
    for (const CostRow &row : report.rows) {
      for (const CostFigures::Field &field : CostFigures::getFields())
        sum.*field.member += row.figures.*field.member;
      peaks.push_back(row.figures.peakActivationBytes);
    }
    sum.peakActivationBytes = DimExpr::max(peaks);
    for (const CostFigures::Field &field : CostFigures::getFields())
      EXPECT_EQ((sum.*field.member).str(), (report.getTotals().*field.member).str()) << field.name.str();
  }

  static std::string toJson(const CostReport &report, bool symbolic) {
    std::string text;
    llvm::raw_string_ostream os(text);
    llvm::json::OStream json(os);
    json.object([&] { report.writeJson(json, symbolic); });
    return text;
  }

  MLIRContext context;
  std::string errors;
  ScopedDiagnosticHandler handler;
  OwningOpRef<ModuleOp> module;
};

constexpr StringLiteral net = R"mlir(
cg.graph @net(%x: tensor<?x3x8x8xf32> {cg.name = "x", cg.dims = ["N", "3", "8", "8"]}) -> tensor<?x10x1x1xf32> {
  %w0 = cg.parameter "stem.conv.weight" : tensor<16x3x3x3xf32>
  %0 = cg.conv2d %x, %w0 pads [1, 1, 1, 1] {cg.scope = "stem.conv"} : tensor<?x3x8x8xf32>, tensor<16x3x3x3xf32>
  %1 = cg.relu %0 {cg.scope = "stem"} : tensor<?x16x8x8xf32>
  %m = cg.state "stem.mean" : tensor<16xf32>
  %2 = cg.max_pool2d %1 kernel [8, 8] : tensor<?x16x8x8xf32>
  %3 = cg.avg_pool2d %2 kernel [1, 1] : tensor<?x16x1x1xf32>
  %w1 = cg.parameter "fc.weight" : tensor<10x16x1x1xf32>
  %4 = cg.conv2d %3, %w1 {cg.scope = "fc"} : tensor<?x16x1x1xf32>, tensor<10x16x1x1xf32>
  %w1again = cg.parameter "fc.weight" : tensor<10x16x1x1xf32>
  %5 = cg.conv2d %3, %w1again {cg.scope = "fc"} : tensor<?x16x1x1xf32>, tensor<10x16x1x1xf32>
  %6 = cg.add %4, %5 : tensor<?x10x1x1xf32>, tensor<?x10x1x1xf32>
  cg.return %6 : tensor<?x10x1x1xf32>
}
)mlir";

TEST_F(CostAnalysisTest, countsInSymbolicSizes) {
  FailureOr<CostReport> report = price(net);
  ASSERT_TRUE(succeeded(report)) << errors;
  const CostFigures &totals = report->getTotals();
  // 16*3*3*3*8*8 for the first convolution, 2 * 10*16 for the two that share a filter.
  EXPECT_EQ(totals.macs.str(), std::to_string(16 * 27 * 64 + 2 * 160) + "*N");
  // Twice the MACs, 16*64 of relu and as many of the first pool, 16 of the second, 10 of the sum.
  EXPECT_EQ(totals.flops.str(), std::to_string(2 * (16 * 27 * 64 + 2 * 160) + 2 * 1024 + 16 + 10) + "*N");
  EXPECT_EQ(totals.params.str(), std::to_string(16 * 27 + 160)); // a shared path counts once
  EXPECT_EQ(totals.paramBytes.str(), std::to_string(4 * (16 * 27 + 160)));
  EXPECT_EQ(totals.stateBytes.str(), "64");
  // Two images of 16x8x8: the relu's operand and result.
  EXPECT_EQ(totals.peakActivationBytes.str(), std::to_string(2 * 16 * 64 * 4) + "*N");
  expectPartsSumUp(*report);
}

TEST_F(CostAnalysisTest, givesARowToEveryOp) {
  FailureOr<CostReport> report = price(net);
  ASSERT_TRUE(succeeded(report)) << errors;
  auto graph = *module->getOps<cg::GraphOp>().begin();
  ASSERT_EQ(report->rows.size(), graph.getBody().front().getOperations().size());
  EXPECT_EQ(report->rows[0].path, "stem.conv.weight");
  EXPECT_EQ(report->rows[0].op, "cg.parameter");
  EXPECT_EQ(report->rows[1].path, "stem.conv");
  EXPECT_EQ(report->rows[1].figures.bytesRead.str(), "768*N + 1728");
  EXPECT_EQ(report->rows[1].figures.bytesWritten.str(), "4096*N");
}

TEST_F(CostAnalysisTest, sumsScopes) {
  FailureOr<CostReport> report = price(net);
  ASSERT_TRUE(succeeded(report)) << errors;
  std::string tree;
  for (const CostScope &scope : report->scopes)
    tree += std::string(scope.depth, ' ') + scope.name.str() + " " + scope.figures.params.str() + " " +
            scope.figures.macs.str() + "\n";
  EXPECT_EQ(tree, " 592 27968*N\n"
                  " stem 432 27648*N\n"
                  "  conv 432 27648*N\n"
                  " fc 160 320*N\n");
}

TEST_F(CostAnalysisTest, writesNumbersOrExpressions) {
  FailureOr<CostReport> report = price(net);
  ASSERT_TRUE(succeeded(report)) << errors;
  llvm::Expected<llvm::json::Value> json = llvm::json::parse(toJson(*report, /*symbolic=*/false));
  ASSERT_TRUE(static_cast<bool>(json));
  const llvm::json::Object *totals = json->getAsObject()->getObject("totals");
  EXPECT_EQ(totals->getString("macs"), "27968*N");
  EXPECT_EQ(totals->getInteger("params"), 592);
  const llvm::json::Array *rows = json->getAsObject()->getArray("rows");
  ASSERT_EQ(rows->size(), report->rows.size());
  EXPECT_EQ((*rows)[1].getAsObject()->getString("location"), "graph.mlir:4:8");
  json = llvm::json::parse(toJson(*report, /*symbolic=*/true));
  ASSERT_TRUE(static_cast<bool>(json));
  EXPECT_EQ(json->getAsObject()->getObject("totals")->getString("params"), "592");
}

TEST_F(CostAnalysisTest, keepsPeaksThatCannotBeCompared) {
  FailureOr<CostReport> report = price(R"mlir(
    cg.graph @two(%x: tensor<?xf32> {cg.dims = ["A"]}, %y: tensor<?xf32> {cg.dims = ["B"]}) -> () {
      %0 = cg.relu %x : tensor<?xf32>
      %1 = cg.relu %y : tensor<?xf32>
      cg.return
    })mlir");
  ASSERT_TRUE(succeeded(report)) << errors;
  EXPECT_EQ(report->getTotals().peakActivationBytes.str(), "max(8*A + 4*B, 8*B)");
  expectPartsSumUp(*report);
}

TEST_F(CostAnalysisTest, givesMarksNoMemory) {
  FailureOr<CostReport> report = price(R"mlir(
    cg.graph @marked(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = cg.relu %x : tensor<4xf32>
      %1 = cg.parameter_gradient "w", %0 : tensor<4xf32>
      %2 = cg.neg %1 : tensor<4xf32>
      cg.return %2 : tensor<4xf32>
    })mlir");
  ASSERT_TRUE(succeeded(report)) << errors;
  for (const CostRow &row : report->rows)
    EXPECT_EQ(row.figures.peakActivationBytes.str(), row.op == "cg.relu" || row.op == "cg.neg" ? "32" : "16")
        << row.op.str();
}

TEST_F(CostAnalysisTest, countsInputsWithoutOps) {
  FailureOr<CostReport> report = price("cg.graph @empty(%x: tensor<4xf32>) -> () { cg.return }");
  ASSERT_TRUE(succeeded(report)) << errors;
  EXPECT_EQ(report->getTotals().peakActivationBytes.str(), "16");
}

TEST_F(CostAnalysisTest, rejectsOpsWithoutCost) {
  context.allowUnregisteredDialects();
  EXPECT_TRUE(failed(price(R"mlir(
    cg.graph @foreign(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = "foreign.op"(%x) : (tensor<4xf32>) -> tensor<4xf32>
      cg.return %0 : tensor<4xf32>
    })mlir")));
  EXPECT_EQ(errors, "'foreign.op' op cannot be priced: it does not implement CostOpInterface\n");
}

TEST_F(CostAnalysisTest, rejectsOverflow) {
  // Each tensor is smaller than 2^63 bytes, the product of extents is not.
  EXPECT_TRUE(failed(price(R"mlir(
    cg.graph @large(%x: tensor<1073741824x1073741824xf32>) -> tensor<1073741824x1073741824xf32> {
      %0 = cg.matmul %x, %x : tensor<1073741824x1073741824xf32>, tensor<1073741824x1073741824xf32>
      cg.return %0 : tensor<1073741824x1073741824xf32>
    })mlir")));
  EXPECT_EQ(errors, "'cg.matmul' op expects 'macs' below 2^63, but got more\n");
}

TEST_F(CostAnalysisTest, rejectsOverflowOfSums) {
  EXPECT_TRUE(failed(price(R"mlir(
    cg.graph @sum(%x: tensor<2000000x1000000x500000xf32>) -> tensor<2000000x1000000x500000xf32> {
      %0 = cg.relu %x : tensor<2000000x1000000x500000xf32>
      %1 = cg.relu %0 : tensor<2000000x1000000x500000xf32>
      %2 = cg.relu %1 : tensor<2000000x1000000x500000xf32>
      cg.return %2 : tensor<2000000x1000000x500000xf32>
    })mlir")));
  EXPECT_EQ(errors, "'cg.relu' op expects 'bytes_read' of the graph below 2^63, but gets more here\n");
}

TEST_F(CostAnalysisTest, rejectsAsManySizesAsOps) {
  std::string arguments, body;
  for (int i = 0; i < 300; ++i) {
    arguments += (i ? ", %x" : "%x") + std::to_string(i) + ": tensor<?xf32>";
    body += "%y" + std::to_string(i) + " = cg.relu %x" + std::to_string(i) + " : tensor<?xf32>\n";
  }
  EXPECT_TRUE(failed(price("cg.graph @sizes(" + arguments + ") -> () {\n" + body + "cg.return\n}")));
  EXPECT_EQ(errors,
            "'cg.relu' op expects 'peak_activation_bytes' of the graph to have at most 256 terms, but gets more "
            "here; bind more sizes to numbers\n");
}

TEST_F(CostAnalysisTest, rejectsPeaksThatCannotBeCompared) {
  // Pairs of extents (a + 1) * A and (300 - a) * B: none of their sums exceeds another for all sizes.
  std::string body;
  for (int a = 1; a < 100; ++a) {
    std::string i = std::to_string(a), left, right, leftTypes, rightTypes;
    for (int k = 0; k < a; ++k)
      left += k ? ", %x" : "%x", leftTypes += k ? ", tensor<?xf32>" : "tensor<?xf32>";
    for (int k = a; k < 100; ++k)
      right += k > a ? ", %y" : "%y", rightTypes += k > a ? ", tensor<?xf32>" : "tensor<?xf32>";
    body += "%l" + i + " = cg.concat " + left + " {axis = 0 : i64} : " + leftTypes + "\n";
    body += "%r" + i + " = cg.concat " + right + " {axis = 0 : i64} : " + rightTypes + "\n";
    body += "%u" + i + " = cg.compare eq %l" + i + ", %l" + i + " : tensor<?xf32>, tensor<?xf32>\n";
  }
  EXPECT_TRUE(
      failed(price("cg.graph @pairs(%x: tensor<?xf32> {cg.dims = [\"A\"]}, %y: tensor<?xf32> {cg.dims = [\"B\"]})"
                   " -> () {\n" +
                   body + "cg.return\n}")));
  EXPECT_EQ(errors, "'cg.concat' op expects a peak of at most 64 expressions that cannot be compared, but got more; "
                    "bind more sizes to numbers\n");
}

TEST_F(CostAnalysisTest, printsATable) {
  FailureOr<CostReport> report = price(net);
  ASSERT_TRUE(succeeded(report)) << errors;
  std::string text;
  llvm::raw_string_ostream os(text);
  report->printTable(os, CostReport::Detail::Block, /*maxDepth=*/1);
  StringRef table(text);
  EXPECT_TRUE(table.contains("\nstem   ")) << text;
  EXPECT_FALSE(table.contains("\n  conv")) << text;
  EXPECT_TRUE(table.contains("\n(top level) ")) << text;
  EXPECT_TRUE(table.contains(" 27968*N\n")) << text;
  EXPECT_TRUE(table.contains(" 2,368  2.312 KiB\n")) << text;
}

/// Graphs as large as nobody writes them by hand are priced without recursion or quadratic work.
TEST_F(CostAnalysisTest, pricesLongChains) {
  std::string text = "cg.graph @chain(%v0: tensor<?xf32> {cg.dims = [\"N\"]}) -> tensor<?xf32> {\n";
  constexpr int length = 100000;
  for (int i = 0; i < length; ++i)
    text += "%v" + std::to_string(i + 1) + " = cg.relu %v" + std::to_string(i) + " {cg.scope = \"layer" +
            std::to_string(i) + ".a.b\"} : tensor<?xf32>\n";
  text += "cg.return %v" + std::to_string(length) + " : tensor<?xf32>\n}";
  FailureOr<CostReport> report = price(text);
  ASSERT_TRUE(succeeded(report)) << errors;
  EXPECT_EQ(report->getTotals().flops.str(), "100000*N");
  EXPECT_EQ(report->getTotals().peakActivationBytes.str(), "8*N");
  EXPECT_EQ(report->scopes.size(), 3u * length + 1);
}

TEST_F(CostAnalysisTest, pricesWideFanIn) {
  constexpr int width = 10000;
  std::string text = "cg.graph @wide(%x: tensor<1x4xf32>) -> tensor<10000x4xf32> {\n", operands, types;
  for (int i = 0; i < width; ++i) {
    text += "%v" + std::to_string(i) + " = cg.relu %x : tensor<1x4xf32>\n";
    operands += (i ? ", %v" : "%v") + std::to_string(i);
    types += i ? ", tensor<1x4xf32>" : "tensor<1x4xf32>";
  }
  text += "%all = cg.concat " + operands + " {axis = 0 : i64} : " + types + "\n";
  text += "cg.return %all : tensor<10000x4xf32>\n}";
  FailureOr<CostReport> report = price(text);
  ASSERT_TRUE(succeeded(report)) << errors;
  EXPECT_EQ(report->getTotals().peakActivationBytes.str(), std::to_string(2 * width * 16));
}

} // namespace
