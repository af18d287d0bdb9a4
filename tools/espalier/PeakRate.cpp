//===- PeakRate.cpp - what the processor can compute at best --------------===//

#include "PeakRate.h"

#include "espalier/Runtime/CPU/Parallel.h"

#include <algorithm>
#include <chrono>

using namespace espalier;

/// Two units with a latency of up to 5 cycles want 10 independent sums; 12 and two constants fit 16 registers.
static constexpr int numSums = 12;

/// Runs `rounds` rounds of one multiply-add for each sum. The compiler fuses the two where the caller's target allows.
template <typename Vector> [[gnu::always_inline]] static inline double multiplyAdd(int64_t rounds) {
  Vector sums[numSums] = {};
  // The sums tend to 1: no infinity, no denormal.
  const Vector factor = Vector() + 0.5f, addend = Vector() + 0.5f;
  for (int64_t i = 0; i < rounds; ++i)
    for (Vector &sum : sums)
      sum = sum * factor + addend;
  Vector total = {};
  for (const Vector &sum : sums)
    total += sum;
  return total[0];
}

namespace {
template <typename Element, int numBytes> struct VectorOf {
  typedef Element Type __attribute__((vector_size(numBytes)));
};
using Loop = double (*)(int64_t rounds);
} // namespace

template <typename Element> [[gnu::target("avx512f,fma")]] static double loop512(int64_t rounds) {
  return multiplyAdd<typename VectorOf<Element, 64>::Type>(rounds);
}
template <typename Element> [[gnu::target("avx2,fma")]] static double loop256(int64_t rounds) {
  return multiplyAdd<typename VectorOf<Element, 32>::Type>(rounds);
}
template <typename Element> static double loop128(int64_t rounds) {
  return multiplyAdd<typename VectorOf<Element, 16>::Type>(rounds);
}

namespace {
struct Work {
  Loop loop;
  int64_t rounds;
  double result; ///< kept, so that the loop is too
};
} // namespace

/// A kernel whose pieces all do the same work.
static void runWork(void *const *places, int64_t begin, int64_t end) {
  auto *work = static_cast<Work *>(places[0]);
  for (int64_t i = begin; i < end; ++i)
    *static_cast<volatile double *>(&work->result) = work->loop(work->rounds);
}

template <typename Element> static double measure(int threads) {
  __builtin_cpu_init();
  bool has512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma");
  bool has256 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  Loop loop = has512 ? loop512<Element> : has256 ? loop256<Element> : loop128<Element>;
  int64_t lanes = (has512 ? 64 : has256 ? 32 : 16) / static_cast<int64_t>(sizeof(Element));

  Work work{loop, /*rounds=*/200'000, 0.0};
  void *places[] = {&work};
  double flops = 2.0 * static_cast<double>(lanes * numSums * work.rounds * threads), best = 0.0;
  rt::useThreads(threads);
  // Processors take a while to reach their clock: the best counts.
  constexpr int numTries = 12;
  for (int i = 0; i < numTries; ++i) {
    auto start = std::chrono::steady_clock::now();
    rt::parallelFor(runWork, places, /*extent=*/threads, /*grain=*/1, threads);
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, 1e-9 * flops / seconds);
  }
  return best;
}

double espalier::tools::measurePeakGflops(bool float64, int threads) {
  return float64 ? measure<double>(threads) : measure<float>(threads);
}
