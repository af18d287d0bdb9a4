//===- CostAnalysis.h - what a graph costs ----------------------*- C++ -*-===//
//
// Work, memory traffic, parameters and peak memory of a graph, by op, by scope and in total, as expressions in the
// graph's symbolic sizes.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_ANALYSIS_COSTANALYSIS_H
#define ESPALIER_ANALYSIS_COSTANALYSIS_H

#include "espalier/Dialect/CG/IR/DimExpr.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/Support/JSON.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace espalier {

/// Figures of one op, or of several together. `CostOpInterface` says how MACs, FLOPs and traffic are counted.
struct CostFigures {
  cg::DimExpr macs;
  cg::DimExpr flops;
  cg::DimExpr params;     // elements; each path counts once, where it first appears
  cg::DimExpr paramBytes; // of the same
  cg::DimExpr stateBytes; // running statistics and optimiser slots; each path and slot counts once
  cg::DimExpr bytesRead;
  cg::DimExpr bytesWritten;
  /// Bytes of the values that are live while the op runs, its operands and results among them; parameters and states
  /// are not counted, inputs are. The peak of several ops is their maximum, all other figures add up.
  cg::DimExpr peakActivationBytes;

  /// The name that a figure has in JSON.
  struct Field {
    llvm::StringLiteral name;
    cg::DimExpr CostFigures::*member;
  };
  static llvm::ArrayRef<Field> getFields();
};

/// Figures of one op. Strings live as long as the MLIR context.
struct CostRow {
  /// The path of a parameter or state, else the `cg.scope` of the op: the module path in the architecture.
  llvm::StringRef path;
  llvm::StringRef op;
  mlir::Location location;
  CostFigures figures;
};

/// Figures of all ops under a prefix of their scopes.
struct CostScope {
  llvm::StringRef name; // last component
  unsigned depth;       // 0: the graph itself
  CostFigures figures;
  CostFigures own; // of ops in this scope and in none below it
};

/// What one graph costs: a row for every op, and sums of the rows.
struct CostReport {
  std::string graph;
  std::vector<CostRow> rows;
  /// The tree of scopes in preorder, siblings in order of appearance. The first is the graph; its figures are the
  /// totals.
  std::vector<CostScope> scopes;

  const CostFigures &getTotals() const { return scopes.front().figures; }

  /// Writes the members "totals" and "rows" of the JSON object that is open in `json`. Figures are integers; with
  /// `symbolic`, or where a size is unbound, they are strings.
  void writeJson(llvm::json::OStream &json, bool symbolic) const;

  enum class Detail { Op, Block, Graph };
  /// Writes a table for people, rows down to `detail`, scopes down to `maxDepth` levels.
  void printTable(llvm::raw_ostream &os, Detail detail, unsigned maxDepth) const;
};

/// Prices every op of a one-block function. An op that does not implement `CostOpInterface`, or a figure of 2^63 or
/// more, is an error at its location. Takes time linear in the number of ops.
llvm::FailureOr<CostReport> computeCost(mlir::FunctionOpInterface function);

/// The report as an analysis: `getAnalysis<CostAnalysis>()` in a pass on functions.
class CostAnalysis {
public:
  explicit CostAnalysis(mlir::Operation *function);

  /// Null where the function could not be priced; the errors have been emitted.
  const CostReport *getReport() const { return report ? &*report : nullptr; }

private:
  std::optional<CostReport> report;
};

} // namespace espalier

#endif // ESPALIER_ANALYSIS_COSTANALYSIS_H
