//===- DimExpr.cpp - symbolic extents and counts --------------------------===//

#include "espalier/Dialect/CG/IR/DimExpr.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <map>
#include <vector>

using namespace espalier::cg;
using llvm::ArrayRef;
using llvm::StringRef;

namespace espalier::cg::detail {

/// A factor that is not a number. Its printed form is its identity: canonical forms print alike iff they are alike.
struct Atom {
  enum class Kind { Symbol, FloorDiv, Max };
  Kind kind;
  std::string text;
  std::vector<DimExpr> operands; // FloorDiv: dividend; Max: all
  int64_t divisor = 1;           // FloorDiv
  bool isNonNegative = true;     // provably
};
using AtomRef = std::shared_ptr<const Atom>;

struct AtomLess {
  bool operator()(const AtomRef &a, const AtomRef &b) const {
    // Symbols first, so that polynomials print as people write them.
    if ((a->kind == Atom::Kind::Symbol) != (b->kind == Atom::Kind::Symbol))
      return a->kind == Atom::Kind::Symbol;
    return a->text < b->text;
  }
};

/// A product of atoms, sorted, with repetition; empty for the constant term.
using Monomial = std::vector<AtomRef>;

struct MonomialLess {
  bool operator()(const Monomial &a, const Monomial &b) const {
    if (a.size() != b.size()) // higher degree first, constant last
      return a.size() > b.size();
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), AtomLess());
  }
};

struct Polynomial {
  using Terms = std::map<Monomial, int64_t, MonomialLess>;
  Terms terms; // no zero coefficient

  static Terms termsOf(const DimExpr &expr) {
    if (expr.state == DimExpr::State::Symbolic)
      return expr.polynomial->terms;
    Terms terms;
    if (expr.value != 0)
      terms[{}] = expr.value;
    return terms;
  }

  static DimExpr make(Terms terms) {
    if (terms.empty())
      return DimExpr(0);
    if (terms.size() == 1 && terms.begin()->first.empty())
      return DimExpr(terms.begin()->second);
    DimExpr expr;
    expr.state = DimExpr::State::Symbolic;
    expr.polynomial = std::make_shared<const Polynomial>(Polynomial{std::move(terms)});
    return expr;
  }

  static DimExpr fromAtom(Atom atom) {
    if (atom.text.size() > DimExpr::maxAtomText)
      return DimExpr::overflow();
    Terms terms;
    terms[{std::make_shared<const Atom>(std::move(atom))}] = 1;
    return make(std::move(terms));
  }

  /// Pairs of terms that one multiplication takes, at most.
  static constexpr size_t maxPairs = 1 << 16;

  /// Adds `coefficient * monomial`; false when the sum overflows or grows too large.
  static bool accumulate(Terms &terms, const Monomial &monomial, int64_t coefficient) {
    auto [it, inserted] = terms.try_emplace(monomial, coefficient);
    if (inserted)
      return terms.size() <= DimExpr::maxTerms && monomial.size() <= DimExpr::maxDegree;
    if (llvm::AddOverflow(it->second, coefficient, it->second))
      return false;
    if (it->second == 0)
      terms.erase(it);
    return true;
  }
};

} // namespace espalier::cg::detail

using detail::Atom;
using detail::Polynomial;

DimExpr DimExpr::symbol(StringRef name) {
  Atom atom;
  atom.kind = Atom::Kind::Symbol;
  atom.text = name.str();
  return Polynomial::fromAtom(std::move(atom));
}

DimExpr DimExpr::overflow() {
  DimExpr expr;
  expr.state = State::Overflow;
  return expr;
}

std::optional<int64_t> DimExpr::getConstant() const {
  return state == State::Constant ? std::optional<int64_t>(value) : std::nullopt;
}

bool DimExpr::isProvablyNonNegative() const {
  if (state != State::Symbolic)
    return state == State::Constant && value >= 0;
  return llvm::all_of(polynomial->terms, [](const auto &term) {
    return term.second >= 0 &&
           llvm::all_of(term.first, [](const detail::AtomRef &atom) { return atom->isNonNegative; });
  });
}

size_t DimExpr::getNumTerms() const { return state == State::Symbolic ? polynomial->terms.size() : 1; }

bool DimExpr::operator==(const DimExpr &other) const {
  if (state != other.state || state == State::Overflow)
    return false;
  if (state == State::Constant)
    return value == other.value;
  if (polynomial == other.polynomial)
    return true;
  const Polynomial::Terms &a = polynomial->terms, &b = other.polynomial->terms;
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto &x, const auto &y) {
           return x.second == y.second && x.first.size() == y.first.size() &&
                  std::equal(x.first.begin(), x.first.end(), y.first.begin(),
                             [](const auto &p, const auto &q) { return p->text == q->text; });
         });
}

namespace espalier::cg {

DimExpr operator+(const DimExpr &lhs, const DimExpr &rhs) {
  if (lhs.isOverflow() || rhs.isOverflow())
    return DimExpr::overflow();
  if (lhs.state == DimExpr::State::Constant && rhs.state == DimExpr::State::Constant) {
    int64_t sum;
    return llvm::AddOverflow(lhs.value, rhs.value, sum) ? DimExpr::overflow() : DimExpr(sum);
  }
  Polynomial::Terms terms = Polynomial::termsOf(lhs);
  for (const auto &[monomial, coefficient] : Polynomial::termsOf(rhs))
    if (!Polynomial::accumulate(terms, monomial, coefficient))
      return DimExpr::overflow();
  return Polynomial::make(std::move(terms));
}

DimExpr operator-(const DimExpr &lhs, const DimExpr &rhs) { return lhs + rhs * DimExpr(-1); }

DimExpr operator*(const DimExpr &lhs, const DimExpr &rhs) {
  if (lhs.isOverflow() || rhs.isOverflow())
    return DimExpr::overflow();
  if (lhs.state == DimExpr::State::Constant && rhs.state == DimExpr::State::Constant) {
    int64_t product;
    return llvm::MulOverflow(lhs.value, rhs.value, product) ? DimExpr::overflow() : DimExpr(product);
  }
  Polynomial::Terms terms;
  const Polynomial::Terms left = Polynomial::termsOf(lhs), right = Polynomial::termsOf(rhs);
  if (left.size() * right.size() > Polynomial::maxPairs)
    return DimExpr::overflow();
  for (const auto &[a, x] : left) {
    for (const auto &[b, y] : right) {
      int64_t coefficient;
      if (llvm::MulOverflow(x, y, coefficient))
        return DimExpr::overflow();
      detail::Monomial monomial;
      std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(monomial), detail::AtomLess());
      if (!Polynomial::accumulate(terms, monomial, coefficient))
        return DimExpr::overflow();
    }
  }
  return Polynomial::make(std::move(terms));
}

} // namespace espalier::cg

DimExpr DimExpr::floorDiv(const DimExpr &dividend, int64_t divisor) {
  if (dividend.isOverflow() || divisor < 1)
    return overflow();
  if (divisor == 1)
    return dividend;
  if (auto constant = dividend.getConstant())
    return llvm::divideFloorSigned(*constant, divisor);
  // Whole multiples leave the division: floor((q*d + r) / d) = q + floor(r / d).
  Polynomial::Terms whole, rest;
  for (const auto &[monomial, coefficient] : Polynomial::termsOf(dividend)) {
    int64_t quotient = llvm::divideFloorSigned(coefficient, divisor);
    int64_t remainder = coefficient - quotient * divisor;
    if (quotient != 0)
      whole[monomial] = quotient;
    if (remainder != 0)
      rest[monomial] = remainder;
  }
  DimExpr outside = Polynomial::make(std::move(whole)), inside = Polynomial::make(std::move(rest));
  if (auto constant = inside.getConstant())
    return outside + DimExpr(*constant / divisor);
  // floor((floor(p / a) + c) / b) = floor((p + a*c) / (a*b)).
  const Polynomial::Terms &terms = inside.polynomial->terms;
  const auto &[first, coefficient] = *terms.begin();
  bool onlyConstantFollows = terms.size() == 1 || (terms.size() == 2 && std::next(terms.begin())->first.empty());
  if (onlyConstantFollows && coefficient == 1 && first.size() == 1 && first[0]->kind == Atom::Kind::FloorDiv) {
    int64_t added = terms.size() == 2 ? std::next(terms.begin())->second : 0;
    int64_t combined, shift;
    if (!llvm::MulOverflow(first[0]->divisor, divisor, combined) && !llvm::MulOverflow(first[0]->divisor, added, shift))
      return outside + floorDiv(first[0]->operands[0] + DimExpr(shift), combined);
  }
  Atom atom;
  atom.kind = Atom::Kind::FloorDiv;
  atom.text = "floor((" + inside.str() + ")/" + std::to_string(divisor) + ")";
  atom.operands.push_back(inside);
  atom.divisor = divisor;
  atom.isNonNegative = inside.isProvablyNonNegative();
  return outside + Polynomial::fromAtom(std::move(atom));
}

DimExpr DimExpr::ceilDiv(const DimExpr &dividend, int64_t divisor) {
  return divisor < 1 ? overflow() : floorDiv(dividend + DimExpr(divisor - 1), divisor);
}

std::optional<DimExpr> DimExpr::exactQuotient(const DimExpr &dividend, const DimExpr &divisor) {
  if (dividend.isOverflow() || divisor.isOverflow() || divisor.isConstant(0))
    return std::nullopt;
  if (dividend == divisor)
    return DimExpr(1);
  Polynomial::Terms divisorTerms = Polynomial::termsOf(divisor);
  if (divisorTerms.size() != 1)
    return std::nullopt;
  const auto &[divisorMonomial, divisorCoefficient] = *divisorTerms.begin();
  Polynomial::Terms quotient;
  for (const auto &[monomial, coefficient] : Polynomial::termsOf(dividend)) {
    if (divisorCoefficient == -1 ? coefficient == INT64_MIN : coefficient % divisorCoefficient != 0)
      return std::nullopt;
    if (!std::includes(monomial.begin(), monomial.end(), divisorMonomial.begin(), divisorMonomial.end(),
                       detail::AtomLess()))
      return std::nullopt;
    detail::Monomial left;
    std::set_difference(monomial.begin(), monomial.end(), divisorMonomial.begin(), divisorMonomial.end(),
                        std::back_inserter(left), detail::AtomLess());
    quotient[left] = coefficient / divisorCoefficient;
  }
  return Polynomial::make(std::move(quotient));
}

DimExpr DimExpr::max(ArrayRef<DimExpr> operands) {
  llvm::SmallVector<DimExpr> kept;
  auto add = [&](const DimExpr &candidate) {
    for (const DimExpr &other : kept)
      if ((other - candidate).isProvablyNonNegative())
        return;
    llvm::erase_if(kept, [&](const DimExpr &other) { return (candidate - other).isProvablyNonNegative(); });
    kept.push_back(candidate);
  };
  for (const DimExpr &operand : operands) {
    if (operand.isOverflow())
      return overflow();
    // A maximum of a maximum is flat.
    if (operand.state == State::Symbolic && operand.polynomial->terms.size() == 1) {
      const auto &[monomial, coefficient] = *operand.polynomial->terms.begin();
      if (coefficient == 1 && monomial.size() == 1 && monomial[0]->kind == Atom::Kind::Max) {
        for (const DimExpr &inner : monomial[0]->operands)
          add(inner);
        continue;
      }
    }
    add(operand);
  }
  if (kept.empty())
    return DimExpr(0);
  if (kept.size() == 1)
    return kept[0];
  llvm::SmallVector<std::pair<std::string, DimExpr>> sorted;
  for (DimExpr &operand : kept)
    sorted.emplace_back(operand.str(), operand);
  llvm::sort(sorted, [](const auto &a, const auto &b) { return a.first < b.first; });
  Atom atom;
  atom.kind = Atom::Kind::Max;
  atom.text = "max(";
  for (const auto &[text, operand] : sorted) {
    if (!atom.operands.empty())
      atom.text += ", ";
    atom.text += text;
    atom.operands.push_back(operand);
  }
  atom.text += ")";
  atom.isNonNegative =
      llvm::any_of(atom.operands, [](const DimExpr &operand) { return operand.isProvablyNonNegative(); });
  return Polynomial::fromAtom(std::move(atom));
}

DimExpr DimExpr::sum(ArrayRef<DimExpr> operands) {
  Polynomial::Terms terms;
  for (const DimExpr &operand : operands) {
    if (operand.isOverflow())
      return overflow();
    for (const auto &[monomial, coefficient] : Polynomial::termsOf(operand))
      if (!Polynomial::accumulate(terms, monomial, coefficient))
        return overflow();
  }
  return Polynomial::make(std::move(terms));
}

DimExpr DimExpr::product(ArrayRef<DimExpr> factors) {
  DimExpr result(1);
  for (const DimExpr &factor : factors)
    result *= factor;
  return result;
}

DimExpr DimExpr::substitute(llvm::function_ref<std::optional<DimExpr>(StringRef)> lookup) const {
  if (state != State::Symbolic)
    return *this;
  // Atoms nest at most as deep as floor divisions of maxima were written, which canonicalisation keeps flat.
  auto replaceAtom = [&](const Atom &atom) -> DimExpr {
    switch (atom.kind) {
    case Atom::Kind::Symbol:
      return lookup(atom.text).value_or(symbol(atom.text));
    case Atom::Kind::FloorDiv:
      return floorDiv(atom.operands[0].substitute(lookup), atom.divisor);
    case Atom::Kind::Max: {
      llvm::SmallVector<DimExpr> operands;
      for (const DimExpr &operand : atom.operands)
        operands.push_back(operand.substitute(lookup));
      return max(operands);
    }
    }
    llvm_unreachable("all atom kinds are handled");
  };
  DimExpr sum;
  for (const auto &[monomial, coefficient] : polynomial->terms) {
    DimExpr term(coefficient);
    for (const detail::AtomRef &atom : monomial)
      term *= replaceAtom(*atom);
    sum += term;
  }
  return sum;
}

void DimExpr::print(llvm::raw_ostream &os) const {
  switch (state) {
  case State::Constant:
    os << value;
    return;
  case State::Overflow:
    os << "overflow";
    return;
  case State::Symbolic:
    break;
  }
  bool first = true;
  for (const auto &[monomial, coefficient] : polynomial->terms) {
    uint64_t magnitude = coefficient < 0 ? 0 - static_cast<uint64_t>(coefficient) : coefficient;
    if (!first)
      os << (coefficient < 0 ? " - " : " + ");
    else if (coefficient < 0)
      os << "-";
    first = false;
    if (magnitude != 1 || monomial.empty())
      os << magnitude << (monomial.empty() ? "" : "*");
    llvm::interleave(monomial, os, [&](const detail::AtomRef &atom) { os << atom->text; }, "*");
  }
}

std::string DimExpr::str() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  print(os);
  return text;
}
