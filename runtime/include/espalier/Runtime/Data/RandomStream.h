//===- RandomStream.h - Random numbers of one sample ------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_DATA_RANDOMSTREAM_H
#define ESPALIER_RUNTIME_DATA_RANDOMSTREAM_H

#include "espalier/Runtime/Core/Philox.h"

namespace espalier::rt {

/// The random numbers that one stage of augmentation draws for one sample in one epoch. They depend on these and the
/// seed alone: not on threads, batches or other samples.
class RandomStream {
public:
  /// `stage` tells the stages of a sample apart; `sample` is below 2^48.
  RandomStream(uint64_t seed, int64_t epoch, int64_t sample, uint32_t stage)
      : key(philoxKey(seed)), counter{static_cast<uint32_t>(sample), static_cast<uint32_t>(sample >> 32) << 16,
                                      static_cast<uint32_t>(epoch), stage} {}

  /// 32 random bits.
  uint32_t bits();
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Uniform in [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform in 0 .. bound - 1; the bias is below bound / 2^64. `bound` is at least 1.
  int64_t below(int64_t bound);
  /// From the standard normal distribution (Box-Muller).
  double normal();
  /// From Beta(alpha, alpha), the quotient of gamma variates by Marsaglia and Tsang ("A simple method for generating
  /// gamma variables", 2000). `alpha` is above 0.
  double beta(double alpha);

private:
  double logGamma(double alpha);

  PhiloxKey key;
  PhiloxCounter counter;
  PhiloxCounter words = {};
  unsigned used = 4;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_DATA_RANDOMSTREAM_H
