//===- OpCoverage.h - which op answers which question -----------*- C++ -*-===//

#ifndef ESPALIER_ANALYSIS_OPCOVERAGE_H
#define ESPALIER_ANALYSIS_OPCOVERAGE_H

#include "mlir/IR/OperationSupport.h"
#include "llvm/Support/Error.h"

#include <functional>
#include <string>
#include <vector>

namespace espalier::cg {

/// One question that a pass may ask of an op, and whether an op can answer it; or one kind of test, and whether an op
/// has it. A column "X test" concerns the ops that answer question X alone, if there is a column X.
struct OpCoverageColumn {
  std::string title;
  std::function<bool(mlir::RegisteredOperationName)> covers;
};

/// Columns for kinds of tests, in the order of their first mention. Each line of `text` is `KIND: OP`, the op without
/// its dialect: `gradient test: conv2d`. An error names a line of another form.
llvm::Expected<std::vector<OpCoverageColumn>> parseOpTests(llvm::StringRef text);

/// Writes a Markdown table of every op of the `cg` dialect against the dialect's interfaces and `more` columns,
/// followed by the reasons for its empty cells. `context` has the dialect loaded.
void printOpCoverage(llvm::raw_ostream &os, mlir::MLIRContext &context, llvm::ArrayRef<OpCoverageColumn> more = {});

/// Empty cells without a reason, and reasons without an empty cell: one message each.
std::vector<std::string> checkOpCoverage(mlir::MLIRContext &context, llvm::ArrayRef<OpCoverageColumn> more = {});

} // namespace espalier::cg

#endif // ESPALIER_ANALYSIS_OPCOVERAGE_H
