//===- CostReport.cpp - costs as JSON and as tables -----------------------===//

#include "espalier/Analysis/CostAnalysis.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using namespace espalier;
using cg::DimExpr;

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

static void writeFigures(llvm::json::OStream &json, const CostFigures &figures, bool symbolic) {
  for (const CostFigures::Field &field : CostFigures::getFields()) {
    const DimExpr &figure = figures.*field.member;
    if (std::optional<int64_t> number = figure.getConstant(); number && !symbolic)
      json.attribute(field.name, *number);
    else
      json.attribute(field.name, figure.str());
  }
}

/// The place in a source file that a location goes back to, as file:line:column.
static std::string describeLocation(Location location) {
  while (!isa<FileLineColLoc>(location)) {
    if (auto named = dyn_cast<NameLoc>(location))
      location = named.getChildLoc();
    else if (auto call = dyn_cast<CallSiteLoc>(location))
      location = call.getCallee();
    else if (auto fused = dyn_cast<FusedLoc>(location); fused && !fused.getLocations().empty())
      location = fused.getLocations().front();
    else
      return "";
  }
  auto place = cast<FileLineColLoc>(location);
  return (place.getFilename().getValue() + ":" + Twine(place.getLine()) + ":" + Twine(place.getColumn())).str();
}

/// JSON is UTF-8; paths and file names may hold any byte.
static std::string toUtf8(StringRef text) { return llvm::json::fixUTF8(text); }

void CostReport::writeJson(llvm::json::OStream &json, bool symbolic) const {
  json.attributeObject("totals", [&] { writeFigures(json, getTotals(), symbolic); });
  json.attributeArray("rows", [&] {
    for (const CostRow &row : rows)
      json.object([&] {
        json.attribute("path", toUtf8(row.path));
        json.attribute("op", row.op);
        json.attribute("location", toUtf8(describeLocation(row.location)));
        writeFigures(json, row.figures, symbolic);
      });
  });
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

/// 1814073344 as "1,814,073,344".
static std::string groupDigits(int64_t number) {
  std::string digits = std::to_string(number);
  size_t sign = digits[0] == '-';
  for (size_t i = digits.size(); i > sign + 3; i -= 3)
    digits.insert(i - 3, ",");
  return digits;
}

/// The number with four significant digits and the largest unit below it, else the expression.
static std::string shorten(const DimExpr &figure, int64_t base, ArrayRef<const char *> units) {
  std::optional<int64_t> number = figure.getConstant();
  if (!number)
    return figure.str();
  double value = static_cast<double>(*number);
  if (value < static_cast<double>(base))
    return std::to_string(*number) + (*units[0] ? std::string(" ") + units[0] : "");
  size_t unit = 0;
  // 999.95 would print as 1000.
  for (; value >= base - 0.05 && unit + 1 < units.size(); ++unit)
    value /= static_cast<double>(base);
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::format(value < 9.9995 ? "%.3f" : value < 99.995 ? "%.2f" : "%.1f", value) << " " << units[unit];
  return text;
}
static std::string shortenCount(const DimExpr &figure) {
  return shorten(figure, 1000, {"", "K", "M", "G", "T", "P", "E"});
}
static std::string shortenBytes(const DimExpr &figure) {
  return shorten(figure, 1024, {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"});
}

namespace {
/// What the tables show of a figure.
struct Column {
  StringLiteral title;
  DimExpr CostFigures::*member;
  bool bytes;
};
} // namespace
static constexpr Column columns[] = {
    {"MACs", &CostFigures::macs, false},           {"FLOPs", &CostFigures::flops, false},
    {"params", &CostFigures::params, false},       {"read", &CostFigures::bytesRead, true},
    {"written", &CostFigures::bytesWritten, true}, {"live", &CostFigures::peakActivationBytes, true},
};

/// Writes rows of cells in aligned columns, the first `leftAligned` of them at the left.
static void printAligned(llvm::raw_ostream &os, ArrayRef<SmallVector<std::string>> rows, size_t leftAligned) {
  SmallVector<size_t> widths;
  for (const auto &row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (auto [width, cell] : llvm::zip(widths, row))
      width = std::max(width, cell.size());
  }
  for (const auto &row : rows) {
    for (auto [i, cell] : llvm::enumerate(row)) {
      size_t fill = widths[i] - cell.size();
      if (i > 0)
        os << "  ";
      if (i < leftAligned)
        os << cell << (i + 1 < row.size() ? std::string(fill, ' ') : "");
      else
        os << std::string(fill, ' ') << cell;
    }
    os << "\n";
  }
}

/// Paths come from files: control characters must not reach a terminal.
static std::string printable(StringRef text) {
  std::string escaped;
  llvm::raw_string_ostream os(escaped);
  llvm::printEscapedString(text, os);
  return escaped;
}

static void appendFigures(SmallVectorImpl<std::string> &cells, const CostFigures &figures) {
  for (const Column &column : columns)
    cells.push_back((column.bytes ? shortenBytes : shortenCount)(figures.*column.member));
}

void CostReport::printTable(llvm::raw_ostream &os, Detail detail, unsigned maxDepth) const {
  SmallVector<SmallVector<std::string>> table;
  auto addHeader = [&](ArrayRef<StringRef> titles) {
    SmallVector<std::string> &cells = table.emplace_back();
    for (StringRef title : titles)
      cells.push_back(title.str());
    for (const Column &column : columns)
      cells.push_back(column.title.str());
  };
  if (detail == Detail::Block) {
    addHeader({"block"});
    for (const CostScope &scope : llvm::drop_begin(scopes)) {
      if (scope.depth > maxDepth)
        continue;
      SmallVector<std::string> &cells = table.emplace_back();
      cells.push_back(std::string(2 * (scope.depth - 1), ' ') + printable(scope.name));
      appendFigures(cells, scope.figures);
    }
    const CostFigures &own = scopes.front().own;
    bool costs = llvm::any_of(CostFigures::getFields(), [&](const CostFigures::Field &field) {
      return field.member != &CostFigures::peakActivationBytes && !(own.*field.member).isConstant(0);
    });
    if (costs) {
      SmallVector<std::string> &cells = table.emplace_back();
      cells.push_back("(top level)");
      appendFigures(cells, own);
    }
  }
  if (detail == Detail::Op) {
    addHeader({"path", "op"});
    for (const CostRow &row : rows) {
      SmallVector<std::string> &cells = table.emplace_back();
      cells.append({printable(row.path), row.op.str()});
      appendFigures(cells, row.figures);
    }
  }
  if (table.size() > 1) {
    printAligned(os, table, detail == Detail::Op ? 2 : 1);
    os << "\n";
  }

  SmallVector<SmallVector<std::string>> totals;
  auto addTotal = [&](StringRef title, const DimExpr &figure, bool bytes) {
    std::optional<int64_t> number = figure.getConstant();
    SmallVector<std::string> &cells = totals.emplace_back();
    cells.append({title.str(), number ? groupDigits(*number) : figure.str()});
    if (number && *number >= (bytes ? 1024 : 1000))
      cells.push_back((bytes ? shortenBytes : shortenCount)(figure));
  };
  const CostFigures &sum = getTotals();
  addTotal("MACs", sum.macs, false);
  addTotal("FLOPs", sum.flops, false);
  addTotal("parameters", sum.params, false);
  addTotal("parameter bytes", sum.paramBytes, true);
  addTotal("state bytes", sum.stateBytes, true);
  addTotal("bytes read", sum.bytesRead, true);
  addTotal("bytes written", sum.bytesWritten, true);
  addTotal("peak activation bytes", sum.peakActivationBytes, true);
  printAligned(os, totals, 1);
}
