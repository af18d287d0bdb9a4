//===- OpCoverageTest.cpp - no empty cell without a reason ----------------===//

#include "espalier/Analysis/OpCoverage.h"
#include "espalier/Conversion/CGToPlan/Lowering.h"

#include "llvm/ADT/StringExtras.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace espalier::cg;

namespace {

TEST(OpCoverage, everyEmptyCellHasAReason) {
  DialectRegistry registry;
  registry.insert<CGDialect>();
  registerLoweringModels(registry);
  MLIRContext context(registry);
  context.loadDialect<CGDialect>();
  for (const std::string &fault : checkOpCoverage(context, {{"lowering", hasLoweringModel}}))
    ADD_FAILURE() << fault;
}

TEST(OpCoverage, faultsAreFound) {
  MLIRContext context;
  context.loadDialect<CGDialect>();
  OpCoverageColumn onlyAdd{"extra", [](RegisteredOperationName op) { return op.getStringRef() == "cg.add"; }};
  std::vector<std::string> faults = checkOpCoverage(context, onlyAdd);
  EXPECT_TRUE(llvm::is_contained(faults, "extra: 'cg.mul' is neither covered nor has a reason"));
  EXPECT_FALSE(llvm::is_contained(faults, "extra: 'cg.add' is neither covered nor has a reason"));
  OpCoverageColumn all{"linear", [](RegisteredOperationName) { return true; }};
  faults = checkOpCoverage(context, all);
  EXPECT_TRUE(llvm::is_contained(faults, "linear: 'cg.exp' is covered, but has a reason not to be"));
}

/// Tests of an interface concern the ops that have it; others concern all.
TEST(OpCoverage, testsAreColumns) {
  MLIRContext context;
  context.loadDialect<CGDialect>();
  auto columns = parseOpTests("gradient test: add\nroundtrip test: add\nroundtrip test: mul\n");
  ASSERT_TRUE(static_cast<bool>(columns)) << llvm::toString(columns.takeError());
  ASSERT_EQ(columns->size(), 2u);
  std::vector<std::string> faults = checkOpCoverage(context, *columns);
  EXPECT_TRUE(llvm::is_contained(faults, "gradient test: 'cg.mul' is neither covered nor has a reason"));
  EXPECT_FALSE(llvm::is_contained(faults, "gradient test: 'cg.add' is neither covered nor has a reason"));
  EXPECT_FALSE(llvm::is_contained(faults, "gradient test: 'cg.iota' is neither covered nor has a reason"));
  EXPECT_TRUE(llvm::is_contained(faults, "roundtrip test: 'cg.iota' is neither covered nor has a reason"));
  std::string table;
  llvm::raw_string_ostream os(table);
  printOpCoverage(os, context, *columns);
  EXPECT_NE(table.find("| `cg.mul` | yes | yes | yes | yes | yes | **missing** | yes |"), std::string::npos) << table;
  size_t iota = table.find("| `cg.iota` |");
  ASSERT_NE(iota, std::string::npos) << table;
  EXPECT_TRUE(StringRef(table).substr(iota).split('\n').first.ends_with("| yes | - | **missing** |")) << table;

  auto broken = parseOpTests("gradient test: add\nmul\n");
  ASSERT_FALSE(static_cast<bool>(broken));
  EXPECT_EQ(llvm::toString(broken.takeError()), "expects a line KIND: OP, but got 'mul'");
}

TEST(OpCoverage, tableHasARowForEachOp) {
  MLIRContext context;
  context.loadDialect<CGDialect>();
  std::string table;
  llvm::raw_string_ostream os(table);
  printOpCoverage(os, context);
  for (RegisteredOperationName op : context.getRegisteredOperationsByDialect("cg"))
    EXPECT_NE(table.find(("\n| `" + op.getStringRef() + "` | ").str()), std::string::npos) << op.getStringRef().str();
  EXPECT_EQ(table.find("missing"), std::string::npos);
  EXPECT_NE(table.find("\n(1) "), std::string::npos);
}

} // namespace
