//===- DimExprTest.cpp - symbolic extents ---------------------------------===//

#include "espalier/Dialect/CG/IR/DimExpr.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>

using namespace espalier::cg;
using llvm::ArrayRef;
using llvm::StringRef;

namespace {

DimExpr sym(StringRef name) { return DimExpr::symbol(name); }

/// Values of symbols: N, H, W.
struct Binding {
  int64_t n, h, w;
  std::optional<DimExpr> operator()(StringRef name) const { return name == "N" ? n : name == "H" ? h : w; }
};

int64_t valueOf(const DimExpr &expr, const Binding &binding) {
  std::optional<int64_t> value = expr.substitute(binding).getConstant();
  EXPECT_TRUE(value) << expr.str();
  return value.value_or(INT64_MIN);
}

int64_t floorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

TEST(DimExpr, equalPolynomialsAreEqual) {
  DimExpr n = sym("N"), h = sym("H");
  EXPECT_EQ((n + 1) * (n - 1), n * n - 1);
  EXPECT_EQ(n * h + h * n, DimExpr(2) * h * n);
  EXPECT_EQ(n - n, DimExpr(0));
  EXPECT_TRUE((n - n).isConstant(0));
  EXPECT_NE(n, h);
  EXPECT_NE(n, n + 1);
  EXPECT_NE(n * h, n * n);
}

TEST(DimExpr, printsAsPeopleWrite) {
  DimExpr n = sym("N"), h = sym("H");
  EXPECT_EQ((DimExpr(3) * n * h - n + 7).str(), "3*H*N - N + 7");
  EXPECT_EQ((DimExpr(0) - n).str(), "-N");
  EXPECT_EQ(DimExpr::floorDiv(h + 1, 2).str(), "floor((H + 1)/2)");
  EXPECT_EQ(DimExpr::max({n, h}).str(), "max(H, N)");
  EXPECT_EQ(DimExpr().str(), "0");
  EXPECT_EQ(DimExpr(INT64_MIN).str(), "-9223372036854775808");
}

TEST(DimExpr, overflowAbsorbsAndEqualsNothing) {
  DimExpr large(INT64_MAX), n = sym("N");
  for (const DimExpr &expr :
       {large + 1, large * 2, DimExpr(INT64_MIN) - 1, DimExpr(INT64_MIN) * -1, large * n + n, (large * n) * 2,
        DimExpr::floorDiv(n, 0), DimExpr::floorDiv(n, INT64_MIN), DimExpr::ceilDiv(large, 2),
        DimExpr::max({n, DimExpr::overflow()}), DimExpr::product({large, large, DimExpr(0)})}) {
    EXPECT_TRUE(expr.isOverflow()) << expr.str();
    EXPECT_FALSE(expr == expr);
    EXPECT_TRUE((expr * 0).isOverflow());
    EXPECT_TRUE((expr + n).isOverflow());
    EXPECT_TRUE(DimExpr::floorDiv(expr, 2).isOverflow());
    EXPECT_FALSE(expr.getConstant());
    EXPECT_FALSE(DimExpr::exactQuotient(expr, 2));
  }
}

TEST(DimExpr, substitutionCanOverflow) {
  DimExpr area = sym("H") * sym("W");
  EXPECT_TRUE(area.substitute(Binding{0, INT64_MAX, 2}).isOverflow());
  EXPECT_TRUE(area.substitute([](StringRef) { return std::optional<DimExpr>(); }) == area);
}

TEST(DimExpr, divisionTakesWholeMultiplesOut) {
  DimExpr n = sym("N");
  EXPECT_EQ(DimExpr::floorDiv(n * 4 + 3, 2), n * 2 + 1);
  EXPECT_EQ(DimExpr::floorDiv(n + 5, 2), DimExpr::floorDiv(n + 1, 2) + 2);
  EXPECT_EQ(DimExpr::floorDiv(DimExpr::floorDiv(n, 2), 2), DimExpr::floorDiv(n, 4));
  EXPECT_EQ(DimExpr::ceilDiv(n * 3, 3), n);
  EXPECT_EQ(DimExpr::floorDiv(-7, 2), DimExpr(-4));
  EXPECT_EQ(DimExpr::floorDiv(n, 1), n);
}

TEST(DimExpr, exactQuotientDividesEveryTerm) {
  DimExpr n = sym("N"), h = sym("H");
  auto quotient = [](const DimExpr &a, const DimExpr &b) { return DimExpr::exactQuotient(a, b); };
  EXPECT_EQ(quotient(n * h * 6 + n * 3, n * 3), h * 2 + 1);
  EXPECT_EQ(quotient(n * h, h), n);
  EXPECT_EQ(quotient(n + 1, n + 1), DimExpr(1));
  EXPECT_EQ(quotient(DimExpr(0), n), DimExpr(0));
  EXPECT_FALSE(quotient(n, h));
  EXPECT_FALSE(quotient(n * 3, 2));
  EXPECT_FALSE(quotient(n, 0));
  EXPECT_FALSE(quotient(n, n + 1));
  EXPECT_FALSE(quotient(DimExpr(INT64_MIN), -1));
}

TEST(DimExpr, maximumDropsWhatIsSmaller) {
  DimExpr n = sym("N"), h = sym("H");
  EXPECT_EQ(DimExpr::max({n, n + 1}), n + 1);
  EXPECT_EQ(DimExpr::max({DimExpr(0), n}), n);
  EXPECT_EQ(DimExpr::max({h, n}), DimExpr::max({n, h, n}));
  EXPECT_EQ(DimExpr::max({DimExpr::max({n, h}), h + 2}), DimExpr::max({n, h + 2}));
  EXPECT_EQ(DimExpr::max({}), DimExpr(0));
  EXPECT_EQ(DimExpr::max({DimExpr(3), DimExpr(-4)}), DimExpr(3));
}

/// A random expression and its value, computed side by side.
class RandomExpr {
public:
  explicit RandomExpr(uint64_t seed) : generator(seed), binding{pick(0, 40), pick(0, 40), pick(0, 40)} {}

  std::pair<DimExpr, int64_t> make() {
    std::vector<std::pair<DimExpr, int64_t>> pool = {
        {sym("N"), binding.n}, {sym("H"), binding.h}, {sym("W"), binding.w}, {2, 2}, {-3, -3}};
    for (int step = 0; step < 8; ++step) {
      auto [a, x] = pool[pick(0, pool.size() - 1)];
      auto [b, y] = pool[pick(0, pool.size() - 1)];
      int64_t divisor = pick(1, 4);
      switch (pick(0, 5)) {
      case 0:
        pool.emplace_back(a + b, x + y);
        break;
      case 1:
        pool.emplace_back(a - b, x - y);
        break;
      case 2: // products grow too fast to take any
        pool.emplace_back(std::abs(x) < 1000 && std::abs(y) < 1000 ? std::pair(a * b, x * y) : std::pair(a, x));
        break;
      case 3:
        pool.emplace_back(DimExpr::floorDiv(a, divisor), floorDivide(x, divisor));
        break;
      case 4:
        pool.emplace_back(DimExpr::ceilDiv(a, divisor), floorDivide(x + divisor - 1, divisor));
        break;
      case 5:
        pool.emplace_back(DimExpr::max({a, b}), std::max(x, y));
        break;
      }
    }
    return pool.back();
  }

  int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(generator); }

  std::mt19937_64 generator;
  Binding binding;
};

TEST(DimExpr, expressionsKeepTheirValues) {
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    RandomExpr random(seed);
    auto [expr, value] = random.make();
    ASSERT_EQ(valueOf(expr, random.binding), value) << expr.str() << " with seed " << seed;
    if (expr.isProvablyNonNegative())
      ASSERT_GE(value, 0) << expr.str() << " with seed " << seed;
    // Substituting one symbol after the other is the same.
    DimExpr partly = expr.substitute([&](StringRef name) -> std::optional<DimExpr> {
      return name == "N" ? std::optional<DimExpr>(random.binding.n) : std::nullopt;
    });
    ASSERT_EQ(valueOf(partly, random.binding), value) << expr.str() << " with seed " << seed;
  }
}

TEST(DimExpr, quotientsTimesDivisorsAreDividends) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    RandomExpr random(seed);
    DimExpr a = random.make().first, b = random.make().first;
    if (auto quotient = DimExpr::exactQuotient(a * b, b))
      ASSERT_EQ(*quotient * b, a * b) << a.str() << " and " << b.str() << " with seed " << seed;
  }
}

/// What would take exponential time and memory is an overflow early.
TEST(DimExpr, expressionsStaySmall) {
  DimExpr power = DimExpr::symbol("N");
  for (size_t degree = 1; degree < DimExpr::maxDegree; degree *= 2)
    power *= power;
  EXPECT_FALSE(power.isOverflow());
  EXPECT_TRUE((power * DimExpr::symbol("N")).isOverflow());

  DimExpr sum;
  for (char name : StringRef("ABCDEFGH"))
    sum += DimExpr::symbol(StringRef(&name, 1));
  for (int i = 0; i < 10; ++i)
    sum *= sum;
  EXPECT_TRUE(sum.isOverflow());

  std::vector<DimExpr> symbols;
  for (size_t i = 0; i <= DimExpr::maxTerms; ++i)
    symbols.push_back(DimExpr::symbol("s" + std::to_string(i)));
  EXPECT_FALSE(DimExpr::sum(ArrayRef(symbols).drop_back()).isOverflow());
  EXPECT_TRUE(DimExpr::sum(symbols).isOverflow());

  DimExpr nested = DimExpr::symbol("H");
  for (int i = 0; i < 100000; ++i)
    nested = DimExpr::floorDiv(nested + DimExpr::symbol(i % 2 ? "G" : "H"), 2);
  EXPECT_TRUE(nested.isOverflow());
}

} // namespace
