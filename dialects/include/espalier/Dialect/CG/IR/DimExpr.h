//===- DimExpr.h - symbolic extents and counts ------------------*- C++ -*-===//
//
// An extent of a tensor, or a count derived from extents (elements, bytes, MACs), as an integer expression over the
// graph's symbolic sizes. Shape functions, cost and the language all compute with it.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_DIALECT_CG_IR_DIMEXPR_H
#define ESPALIER_DIALECT_CG_IR_DIMEXPR_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace espalier::cg {

namespace detail {
struct Polynomial;
} // namespace detail

/// An immutable integer expression in canonical form: a polynomial whose atoms are symbols, floor divisions and
/// maxima. Symbols stand for extents, hence for integers >= 0. Two expressions that are equal as polynomials compare
/// equal.
///
/// Arithmetic is checked: a coefficient that leaves int64 makes the expression an overflow, which absorbs everything
/// computed from it and is equal to nothing. So does an expression that grows beyond what any network needs (`maxTerms`
/// terms, `maxDegree` factors in one, `maxAtomText` characters in a division or maximum): a hostile program must not
/// make time and memory explode.
class DimExpr {
public:
  static constexpr size_t maxTerms = 1 << 14;
  static constexpr size_t maxDegree = 64;
  static constexpr size_t maxAtomText = 1 << 12;

  /// The constant 0.
  DimExpr() = default;
  /*implicit*/ DimExpr(int64_t value) : value(value) {}
  static DimExpr symbol(llvm::StringRef name);
  static DimExpr overflow();

  bool isOverflow() const { return state == State::Overflow; }
  /// The value, when the expression does not depend on a symbol.
  std::optional<int64_t> getConstant() const;
  bool isConstant(int64_t expected) const { return state == State::Constant && value == expected; }
  /// True when no coefficient and no atom is negative: then the expression is >= 0, since symbols are. False means "not
  /// provably".
  bool isProvablyNonNegative() const;
  /// Number of terms of the polynomial: the time that arithmetic takes.
  size_t getNumTerms() const;

  friend DimExpr operator+(const DimExpr &lhs, const DimExpr &rhs);
  friend DimExpr operator-(const DimExpr &lhs, const DimExpr &rhs);
  friend DimExpr operator*(const DimExpr &lhs, const DimExpr &rhs);
  DimExpr &operator+=(const DimExpr &rhs) { return *this = *this + rhs; }
  DimExpr &operator*=(const DimExpr &rhs) { return *this = *this * rhs; }

  /// Equality of canonical forms: true means equal for every value of the symbols; false means "not provably equal".
  bool operator==(const DimExpr &other) const;
  bool operator!=(const DimExpr &other) const { return !(*this == other); }

  /// Rounds towards minus infinity; a divisor that is constant and < 1 gives an overflow.
  static DimExpr floorDiv(const DimExpr &dividend, int64_t divisor);
  static DimExpr ceilDiv(const DimExpr &dividend, int64_t divisor);
  /// Exact quotient of polynomials where every term divides (reshape solves `-1` by it), else nothing.
  static std::optional<DimExpr> exactQuotient(const DimExpr &dividend, const DimExpr &divisor);
  static DimExpr max(llvm::ArrayRef<DimExpr> operands);
  /// In time proportional to the terms, where adding one operand after another copies the sum each time.
  static DimExpr sum(llvm::ArrayRef<DimExpr> operands);
  static DimExpr product(llvm::ArrayRef<DimExpr> factors);

  /// Replaces symbols; a symbol for which `lookup` returns nothing stays.
  DimExpr substitute(llvm::function_ref<std::optional<DimExpr>(llvm::StringRef)> lookup) const;

  void print(llvm::raw_ostream &os) const;
  std::string str() const;

private:
  enum class State : uint8_t { Constant, Symbolic, Overflow };
  friend struct detail::Polynomial;

  State state = State::Constant;
  int64_t value = 0;
  std::shared_ptr<const detail::Polynomial> polynomial; // when Symbolic
};

inline llvm::raw_ostream &operator<<(llvm::raw_ostream &os, const DimExpr &expr) {
  expr.print(os);
  return os;
}

} // namespace espalier::cg

#endif // ESPALIER_DIALECT_CG_IR_DIMEXPR_H
