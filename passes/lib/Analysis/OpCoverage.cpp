//===- OpCoverage.cpp - which op answers which question -------------------===//

#include "espalier/Analysis/OpCoverage.h"

#include "espalier/Dialect/CG/IR/CGOps.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

#include <set>

using namespace mlir;
using namespace espalier::cg;

/// Why cells of one column are empty, for ops named without their dialect, separated by blanks.
struct CoverageReason {
  StringRef column;
  StringRef text;
  StringRef ops;

  SmallVector<StringRef> names() const {
    SmallVector<StringRef> list;
    llvm::SplitString(ops, list);
    return list;
  }
};

/// The one place where an empty cell is explained.
static const CoverageReason coverageReasons[] = {
    {"shape", "its types are written in the program, and checked by its verifier",
     "graph return group yield parameter state hyper update parameter_gradient parameter_update"},
    {"cost", "holds or ends other ops, and does no work of its own", "graph return group yield"},
    {"gradient", "holds or ends other ops", "graph return group yield"},
    {"gradient", "where differentiation starts or ends: `cg-differentiate` treats it itself",
     "parameter state hyper update parameter_gradient parameter_update"},
    {"gradient", "the result does not depend on the values of operands",
     "constant iota random_uniform random_normal extent"},
    {"gradient", "the result is discrete: its derivative is 0 wherever it exists", "compare argmax"},
    {"gradient", "a statistic of histograms, which change in steps", "mutual_information"},
    {"gradient", "`cg-specialize` replaces it before differentiation", "batch_norm dropout"},
    {"linear", "holds or ends other ops, or stands for storage",
     "graph return group yield parameter state hyper update parameter_gradient parameter_update"},
    {"linear", "the result does not depend on the values of operands, or is discrete",
     "constant iota random_uniform random_normal extent argmax compare"},
    {"linear", "not linear, or with a constant term",
     "abs sign exp log sqrt rsqrt tanh erf sigmoid relu leaky_relu clamp maximum minimum power add sub reduce_max "
     "softmax log_softmax batch_norm batch_norm_inference batch_norm_training max_pool2d "
     "mutual_information"},
    {"linear", "linear in all its operands together, not in each alone", "where concat scatter_add"},
    {"linear", "the identity, but to differentiation, which must not see through it", "stop_gradient"},
    {"linear", "`cg-specialize` decides whether it is the identity or random", "dropout"},
    {"reference", "the evaluator runs it itself, on the caller's storage",
     "graph return parameter state hyper update parameter_gradient parameter_update"},
    {"reference", "groups are made for compiled kernels; the graph before them is what is evaluated", "group yield"},
    {"lowering", "holds or ends other ops", "graph return group yield"},
    {"lowering", "names an argument of the compiled program",
     "parameter state hyper update parameter_gradient parameter_update"},
    {"lowering", "`cg-specialize` replaces it before kernels are made", "batch_norm dropout"},
    {"lowering", "`cg-decompose` replaces it by ops that fuse, or by a literal",
     "batch_norm_inference batch_norm_training softmax log_softmax reduce_mean extent concat_gradient"},
    {"lowering", "a number in the code, or data of the program", "constant"},
    {"lowering", "no work: another view of the same memory", "reshape reshape_like"},
    {"verifier test", "takes what its graph's other ops take: `graph_c3` tests what a path may name",
     "update parameter_gradient parameter_update"},
    {"verifier test", "can only end a group, whose `group_c2` tests what it yields", "yield"},
    {"cost test", "free, whatever the sizes", "parameter state hyper update parameter_gradient parameter_update"},
    {"gradient test", "its derivative is not that of its values: `stopGradientIsZero` tests that", "stop_gradient"},
    {"compiled test", "every compiled program holds or ends in it", "graph return group yield"},
    {"compiled test", "the storage of every compiled network: whole networks are tested",
     "parameter state hyper update parameter_gradient parameter_update"},
};

static std::vector<OpCoverageColumn> allColumns(ArrayRef<OpCoverageColumn> more) {
  std::vector<OpCoverageColumn> columns = {
      {"shape", [](RegisteredOperationName op) { return op.hasInterface<ShapeOpInterface>(); }},
      {"cost", [](RegisteredOperationName op) { return op.hasInterface<CostOpInterface>(); }},
      {"gradient", [](RegisteredOperationName op) { return op.hasInterface<DifferentiableOpInterface>(); }},
      {"linear", [](RegisteredOperationName op) { return op.hasInterface<LinearOpInterface>(); }},
      {"reference", [](RegisteredOperationName op) { return op.hasInterface<ReferenceOpInterface>(); }},
  };
  llvm::append_range(columns, more);
  return columns;
}

llvm::Expected<std::vector<OpCoverageColumn>> espalier::cg::parseOpTests(StringRef text) {
  llvm::MapVector<StringRef, std::set<std::string>> kinds;
  for (StringRef line : llvm::split(text.rtrim('\n'), '\n')) {
    auto [kind, op] = line.split(": ");
    if (kind.empty() || op.empty())
      return llvm::createStringError("expects a line KIND: OP, but got '" + line + "'");
    kinds[kind].insert(op.str());
  }
  std::vector<OpCoverageColumn> columns;
  for (auto &[kind, ops] : kinds)
    columns.push_back(
        {kind.str(), [ops = ops](RegisteredOperationName op) { return ops.count(op.stripDialect().str()) > 0; }});
  return columns;
}

namespace {
/// The columns of one table.
class Columns {
public:
  explicit Columns(ArrayRef<OpCoverageColumn> more) : all(allColumns(more)) {}
  auto begin() const { return all.begin(); }
  auto end() const { return all.end(); }
  size_t size() const { return all.size(); }

  /// Is the column about this op? A kind of test is not, when the op has nothing to test.
  bool concerns(const OpCoverageColumn &column, RegisteredOperationName op) const {
    StringRef question = column.title;
    if (!question.consume_back(" test"))
      return true;
    return llvm::all_of(all,
                        [&](const OpCoverageColumn &other) { return other.title != question || other.covers(op); });
  }

private:
  std::vector<OpCoverageColumn> all;
};
} // namespace

/// By name.
static SmallVector<RegisteredOperationName> registeredOps(MLIRContext &context) {
  SmallVector<RegisteredOperationName> ops(context.getRegisteredOperationsByDialect(CGDialect::getDialectNamespace()));
  llvm::sort(ops, [](auto lhs, auto rhs) { return lhs.getStringRef() < rhs.getStringRef(); });
  return ops;
}

static StringRef shortName(RegisteredOperationName op) { return op.stripDialect(); }

/// Index of the reason for an empty cell.
static std::optional<size_t> findReason(StringRef column, StringRef op) {
  for (auto [index, reason] : llvm::enumerate(coverageReasons))
    if (reason.column == column && llvm::is_contained(reason.names(), op))
      return index;
  return std::nullopt;
}

void espalier::cg::printOpCoverage(llvm::raw_ostream &os, MLIRContext &context, ArrayRef<OpCoverageColumn> more) {
  Columns columns(more);
  std::vector<unsigned> numbers(std::size(coverageReasons),
                                0); // of footnotes, in the order in which the table meets them
  unsigned used = 0;
  os << "| op |";
  for (const OpCoverageColumn &column : columns)
    os << " " << column.title << " |";
  os << "\n|---|";
  for (size_t i = 0; i < columns.size(); ++i)
    os << "---|";
  os << "\n";
  for (RegisteredOperationName op : registeredOps(context)) {
    os << "| `" << op.getStringRef() << "` |";
    for (const OpCoverageColumn &column : columns) {
      if (column.covers(op)) {
        os << " yes |";
        continue;
      }
      if (!columns.concerns(column, op)) {
        os << " - |";
        continue;
      }
      std::optional<size_t> reason = findReason(column.title, shortName(op));
      if (!reason) {
        os << " **missing** |";
        continue;
      }
      if (numbers[*reason] == 0)
        numbers[*reason] = ++used;
      os << " (" << numbers[*reason] << ") |";
    }
    os << "\n";
  }
  os << "\n";
  for (unsigned number = 1; number <= used; ++number) {
    const CoverageReason &reason = coverageReasons[llvm::find(numbers, number) - numbers.begin()];
    os << "(" << number << ") " << reason.column << ": " << reason.text << "\n";
  }
}

std::vector<std::string> espalier::cg::checkOpCoverage(MLIRContext &context, ArrayRef<OpCoverageColumn> more) {
  std::vector<std::string> faults;
  Columns columns(more);
  for (const OpCoverageColumn &column : columns) {
    llvm::StringSet<> explained;
    for (const CoverageReason &reason : coverageReasons)
      if (reason.column == column.title)
        for (StringRef op : reason.names())
          if (!explained.insert(op).second)
            faults.push_back((column.title + ": 'cg." + op + "' has two reasons").str());
    for (RegisteredOperationName op : registeredOps(context)) {
      bool covered = column.covers(op), hasReason = explained.erase(shortName(op));
      if (!covered && !hasReason && !columns.concerns(column, op))
        continue;
      if (covered && hasReason)
        faults.push_back((column.title + ": 'cg." + shortName(op) + "' is covered, but has a reason not to be").str());
      if (!covered && !hasReason)
        faults.push_back((column.title + ": 'cg." + shortName(op) + "' is neither covered nor has a reason").str());
    }
    for (StringRef op : explained.keys())
      faults.push_back((column.title + ": reason for 'cg." + op + "', which does not exist").str());
  }
  return faults;
}
