//===- Golden.h - what PyTorch computed, and the numbers it started from -*- C++ -*-===//

#ifndef ESPALIER_TEST_UNIT_INTEGRATION_GOLDEN_H
#define ESPALIER_TEST_UNIT_INTEGRATION_GOLDEN_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace espalier::golden {

/// A file that tools/dev/goldens/gradients.py wrote.
struct Golden {
  int64_t batch = 0;
  int64_t size = 0;
  double learningRate = 0.0;
  /// By path: the norm of the gradient, then its products with vectors of signs.
  std::map<std::string, std::vector<double>> gradients;
  std::vector<double> losses;
  /// Norm of each parameter after the last step.
  std::map<std::string, double> weightsAfter;
};

/// Reads the golden of a network; an empty one, and a failed test, if there is none.
Golden read(const std::string &net);

/// \name The hash of the script, number by number.
/// @{
std::vector<double> uniform(const std::string &name, size_t count);
std::vector<double> signs(const std::string &name, unsigned index, size_t count);
std::vector<int64_t> labels(const std::string &name, size_t count, uint64_t classes);
/// The weights that a run starts from.
std::vector<double> initial(const std::string &path, const std::vector<int64_t> &shape);
/// @}

} // namespace espalier::golden

#endif // ESPALIER_TEST_UNIT_INTEGRATION_GOLDEN_H
