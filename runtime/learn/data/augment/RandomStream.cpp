//===- RandomStream.cpp - Random numbers of one sample --------------------===//

#include "espalier/Runtime/Data/RandomStream.h"

#include <algorithm>
#include <cmath>

using namespace espalier::rt;

uint32_t RandomStream::bits() {
  if (used == words.size()) {
    words = philox4x32(counter, key);
    ++counter[1]; // the low 16 bits count blocks
    used = 0;
  }
  return words[used++];
}

double RandomStream::uniform() {
  uint64_t low = bits(), high = bits();
  return static_cast<double>((high << 32 | low) >> 11) * 0x1p-53;
}

int64_t RandomStream::below(int64_t bound) {
  uint64_t low = bits(), high = bits();
  return static_cast<int64_t>(static_cast<unsigned __int128>(high << 32 | low) * static_cast<uint64_t>(bound) >> 64);
}

double RandomStream::normal() {
  constexpr double twoPi = 6.283185307179586477;
  double radius = std::sqrt(-2 * std::log1p(-uniform()));
  return radius * std::cos(twoPi * uniform());
}

/// The logarithm of a variate of Gamma(alpha): for small alpha the variate itself underflows.
double RandomStream::logGamma(double alpha) {
  // Gamma(alpha) = Gamma(alpha + 1) u^(1/alpha).
  double boost = alpha < 1 ? std::log1p(-uniform()) / alpha : 0;
  double d = (alpha < 1 ? alpha + 1 : alpha) - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    double x = normal(), v = 1 + c * x;
    if (v <= 0)
      continue;
    v = v * v * v;
    if (std::log1p(-uniform()) < 0.5 * x * x + d - d * v + d * std::log(v))
      return std::log(d * v) + boost;
  }
}

double RandomStream::beta(double alpha) {
  // Both logarithms of a smaller one would be infinite, and their difference no number; the shares are 0 and 1 anyway.
  alpha = std::max(alpha, 1e-300);
  double a = logGamma(alpha), b = logGamma(alpha);
  return 1 / (1 + std::exp(b - a));
}
