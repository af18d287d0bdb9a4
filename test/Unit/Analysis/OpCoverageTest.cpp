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
