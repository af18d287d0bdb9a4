//===- BranchedConvolution.h - one convolution, or a sum of them -*- C++ -*-===//

#ifndef ESPALIER_TEST_UNIT_TRANSFORMS_BRANCHEDCONVOLUTION_H
#define ESPALIER_TEST_UNIT_TRANSFORMS_BRANCHEDCONVOLUTION_H

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace espalier::test {

/// A convolution with a factor for each output, whose filter covers the taps [top, top + rows) x [left, left + columns)
/// of a window.
struct Branch {
  int64_t top, left, rows, columns;
  std::vector<double> factors;
  double rate = 1.0; ///< multiplies the learning rate

  bool covers(int64_t row, int64_t column) const {
    return row >= top && row < top + rows && column >= left && column < left + columns;
  }
};

/// The shapes of both sides of the theorem; inputs are of 2 x channels x size x size.
struct Window {
  int64_t extent = 3; ///< of the window; odd
  int64_t stride = 1, groups = 1, dilation = 1;
  int64_t pad = 0; ///< besides what keeps the size of the input
  int64_t channels = 4, outputs = 4, size = 6;

  int64_t inputs() const { return channels / groups; } ///< that one output sees
  int64_t resultSize() const { return (size + 2 * pad - 1) / stride + 1; }
  size_t numImageElements() const { return static_cast<size_t>(2 * channels * size * size); }
  size_t numResultElements() const { return static_cast<size_t>(2 * outputs * resultSize() * resultSize()); }
  size_t numTaps() const { return static_cast<size_t>(extent * extent); }
};

using Generator = std::mt19937_64;
std::vector<double> draw(Generator &random, size_t count, double low, double high);

/// A whole window, one row, one column, its centre, and two pixels, with factors in [0.5, 1.5].
std::vector<Branch> drawBranches(Generator &random, const Window &window);

/// The graph of a loss that is not linear in the sum of the branches, whose filters are "branch0", "branch1", ... With
/// `trainFactors`, factors are parameters "factor0", ...
std::string branchedGraph(const Window &window, const std::vector<Branch> &branches, bool trainFactors = false);
/// The same of one convolution with the filter "w", which carries `scale` [outputs, 1, extent, extent].
std::string plainGraph(const Window &window, const std::vector<double> &scale);

/// The sum of rate_b factor_b^power over the branches b that cover a tap, [outputs, 1, extent, extent].
std::vector<double> gradientScale(const Window &window, const std::vector<Branch> &branches, int power);
/// The filter of the one convolution that computes what branches with these filters do.
std::vector<double> collapse(const Window &window, const std::vector<Branch> &branches,
                             const std::vector<std::vector<double>> &filters);

} // namespace espalier::test

#endif // ESPALIER_TEST_UNIT_TRANSFORMS_BRANCHEDCONVOLUTION_H
