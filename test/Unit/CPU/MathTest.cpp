//===- MathTest.cpp - Accuracy of the expanded functions ------------------===//

#include "Compile.h"

#include <cmath>
#include <cstring>

using namespace espalier;
using namespace espalier::test;

namespace {

struct Function {
  const char *name; ///< mnemonic in the `math` dialect
  long double (*exact)(long double);
  double low, high; ///< where the result is finite and interesting
  double maxUlps;
};

constexpr int64_t count = 1 << 16;

template <typename T> const char *typeName() { return sizeof(T) == 4 ? "f32" : "f64"; }

/// Applies the function to `count` values.
template <typename T> std::vector<T> evaluate(const char *function, llvm::function_ref<T(int64_t)> argument) {
  std::string text = R"mlir(
    func.func private @apply(%x: memref<65536xTYPE>, %y: memref<65536xTYPE>, %begin: index, %end: index)
        attributes {plan.kernel = #plan.kernel<extent = 65536, grain = 16384>} {
      %c1 = arith.constant 1 : index
      scf.for %i = %begin to %end step %c1 {
        %a = memref.load %x[%i] : memref<65536xTYPE>
        %b = math.FUNCTION %a : TYPE
        memref.store %b, %y[%i] : memref<65536xTYPE>
      }
      return
    }
    plan.program @main {
      %x = plan.argument "x" input : memref<65536xTYPE>
      %y = plan.argument "y" output : memref<65536xTYPE>
      plan.dispatch @apply(%x, %y) : memref<65536xTYPE>, memref<65536xTYPE>
    }
  )mlir";
  for (auto [from, to] : {std::pair("TYPE", typeName<T>()), std::pair("FUNCTION", function)})
    for (size_t at; (at = text.find(from)) != std::string::npos;)
      text.replace(at, std::strlen(from), to);
  rt::Program program = load(text);
  EXPECT_TRUE(program.write(*program.findInput("x"), tensor<T>({count}, argument)).ok());
  EXPECT_TRUE(program.run().ok());
  rt::HostTensor y = *program.read(*program.findOutput("y"));
  return {y.elements<T>().begin(), y.elements<T>().end()};
}

/// Units in the last place of `exact` by which `value` is off.
template <typename T> double ulps(T value, long double exact) {
  int exponent = std::max(std::ilogb(static_cast<T>(exact)), std::numeric_limits<T>::min_exponent - 1);
  long double unit = std::ldexp(1.0L, exponent - (std::numeric_limits<T>::digits - 1));
  return static_cast<double>(std::fabs(static_cast<long double>(value) - exact) / unit);
}

class Math : public testing::TestWithParam<Function> {};

template <typename T> void checkAccuracy(const Function &function) {
  double low = std::max<double>(function.low, -std::numeric_limits<T>::max());
  // Half of the arguments spread evenly, half by magnitude, so that small ones are seen too.
  auto argument = [&](int64_t i) -> T {
    double t = static_cast<double>(i / 2) / (count / 2 - 1);
    if (i % 2 == 0)
      return static_cast<T>(low + (function.high - low) * t);
    double magnitude = std::exp2(-60 * t);
    return static_cast<T>((i % 4 == 1 && low < 0 ? low : function.high) * magnitude);
  };
  std::vector<T> values = evaluate<T>(function.name, argument);
  double worst = 0;
  T where = 0;
  for (int64_t i = 0; i < count; ++i) {
    double error = ulps(values[i], function.exact(argument(i)));
    if (!(error <= worst)) {
      worst = error;
      where = argument(i);
    }
  }
  EXPECT_LE(worst, function.maxUlps) << function.name << " on " << typeName<T>() << " at " << where;
}

TEST_P(Math, IsAccurateOnF32) {
  Function function = GetParam();
  // exp leaves the range of f32 earlier.
  function.low = std::max(function.low, -87.0);
  function.high = std::min(function.high, 88.0);
  checkAccuracy<float>(function);
}
TEST_P(Math, IsAccurateOnF64) { checkAccuracy<double>(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Functions, Math,
    testing::Values(Function{"exp", &std::exp, -700, 700, 1.5}, Function{"expm1", &std::expm1, -50, 700, 3},
                    Function{"log", &std::log, 1e-30, 1e30, 1.5}, Function{"log1p", &std::log1p, -0.999, 1e20, 3},
                    Function{"tanh", &std::tanh, -20, 20, 4}, Function{"erf", &std::erf, -7, 7, 4}),
    [](const auto &info) { return info.param.name; });

template <typename T> void checkSpecialValues() {
  constexpr T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  struct Case {
    const char *function;
    T argument, expected;
  };
  const Case cases[] = {
      {"exp", inf, inf},
      {"exp", -inf, 0},
      {"exp", nan, nan},
      {"exp", 0, 1},
      {"exp", 10000, inf},
      {"exp", -10000, 0},
      {"expm1", inf, inf},
      {"expm1", -inf, -1},
      {"expm1", nan, nan},
      {"expm1", T(-0.0), T(-0.0)},
      {"log", 0, -inf},
      {"log", T(-0.0), -inf},
      {"log", inf, inf},
      {"log", -1, nan},
      {"log", nan, nan},
      {"log", 1, 0},
      {"log1p", -1, -inf},
      {"log1p", inf, inf},
      {"log1p", -2, nan},
      {"log1p", T(-0.0), T(-0.0)},
      {"tanh", inf, 1},
      {"tanh", -inf, -1},
      {"tanh", nan, nan},
      {"tanh", T(-0.0), T(-0.0)},
      {"erf", inf, 1},
      {"erf", -inf, -1},
      {"erf", nan, nan},
      {"erf", T(-0.0), T(-0.0)},
      // Denormal results and arguments.
      {"exp", T(sizeof(T) == 4 ? -95 : -720), T(std::exp(sizeof(T) == 4 ? -95.0L : -720.0L))},
      {"log", std::numeric_limits<T>::denorm_min(), T(std::log((long double)std::numeric_limits<T>::denorm_min()))},
  };
  for (const char *function : {"exp", "expm1", "log", "log1p", "tanh", "erf"}) {
    std::vector<Case> own;
    for (const Case &item : cases)
      if (std::string_view(item.function) == function)
        own.push_back(item);
    std::vector<T> values = evaluate<T>(function, [&](int64_t i) { return own[i % own.size()].argument; });
    for (size_t i = 0; i < own.size(); ++i) {
      if (std::isnan(own[i].expected)) {
        EXPECT_TRUE(std::isnan(values[i])) << function << "(" << own[i].argument << ") = " << values[i];
        continue;
      }
      EXPECT_EQ(values[i], own[i].expected) << function << "(" << own[i].argument << ")";
      EXPECT_EQ(std::signbit(values[i]), std::signbit(own[i].expected)) << function << "(" << own[i].argument << ")";
    }
  }
}

TEST(MathSpecialValues, F32) { checkSpecialValues<float>(); }
TEST(MathSpecialValues, F64) { checkSpecialValues<double>(); }

} // namespace
