//===- OpCases.h - random legal uses of every op ----------------*- C++ -*-===//

#ifndef ESPALIER_TEST_UNIT_DIALECT_CG_OPCASES_H
#define ESPALIER_TEST_UNIT_DIALECT_CG_OPCASES_H

#include "espalier/Dialect/CG/IR/CGOps.h"

#include <functional>
#include <map>
#include <random>
#include <string>

namespace espalier::cg::test {

using Shape = llvm::SmallVector<int64_t>;

/// Operands and attributes that an op accepts. Values keep away from the places where the op has no derivative.
struct OpCase {
  std::vector<ReferenceTensor> operands;
  mlir::NamedAttrList attributes;
  /// Dimensions {operand, dimension} that stay static where others become `?`.
  std::vector<std::pair<unsigned, int64_t>> known;
};

/// Draws shapes, tensors and attributes.
class CaseSource {
public:
  CaseSource(mlir::MLIRContext &context, uint64_t seed) : builder(&context), generator(seed) {}

  int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(generator); }
  double real(double low, double high) { return std::uniform_real_distribution<double>(low, high)(generator); }
  bool flip() { return pick(0, 1) != 0; }
  /// Extents are small and odd; now and then one is 0.
  Shape shape(int64_t minRank, int64_t maxRank);
  /// f64, or now and then i32.
  mlir::Type numberType() { return pick(0, 3) == 0 ? mlir::Type(builder.getI32Type()) : builder.getF64Type(); }

  /// Uniform in [low, high); whole numbers when the type is an integer's.
  ReferenceTensor uniform(llvm::ArrayRef<int64_t> shape, double low, double high, mlir::Type type = {});
  /// Uniform in [-2, 2), at a distance of at least 0.1 from each of `kinks`.
  ReferenceTensor awayFrom(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<double> kinks);
  /// Elements at a distance of at least 0.05 from each other.
  ReferenceTensor distinct(llvm::ArrayRef<int64_t> shape);
  /// A shape that broadcasts to `shape`.
  Shape narrower(llvm::ArrayRef<int64_t> shape);
  /// Distinct dimensions of a tensor of this rank, in any order.
  Shape axes(int64_t rank);
  Shape permutation(int64_t rank);

  void set(OpCase &opCase, llvm::StringRef name, int64_t value) {
    opCase.attributes.set(name, builder.getI64IntegerAttr(value));
  }
  void set(OpCase &opCase, llvm::StringRef name, llvm::ArrayRef<int64_t> values) {
    opCase.attributes.set(name, builder.getDenseI64ArrayAttr(values));
  }
  void setReal(OpCase &opCase, llvm::StringRef name, double value) {
    opCase.attributes.set(name, builder.getF64FloatAttr(value));
  }
  void setFlag(OpCase &opCase, llvm::StringRef name, bool value) {
    if (value)
      opCase.attributes.set(name, builder.getUnitAttr());
  }
  /// The shape of the first result of op `name` on this case's operands.
  Shape resultShape(llvm::StringRef name, const OpCase &opCase);

  mlir::Builder builder;
  std::mt19937_64 generator;
};

using CaseGenerator = std::function<OpCase(CaseSource &)>;

/// A generator for each op, by its name without the dialect.
const std::map<std::string, CaseGenerator> &caseGenerators();

/// Ops that have none, and why.
const std::map<std::string, std::string> &opsWithoutCases();

/// Types of the results of op `name`, inferred; empty when inference fails.
llvm::SmallVector<mlir::Type> inferTypes(mlir::MLIRContext &context, llvm::StringRef name, mlir::TypeRange operands,
                                         const mlir::NamedAttrList &attributes);

} // namespace espalier::cg::test

#endif // ESPALIER_TEST_UNIT_DIALECT_CG_OPCASES_H
