//===- Golden.h - what PyTorch computed, and the numbers it started from -*- C++ -*-===//

#ifndef ESPALIER_TEST_UNIT_INTEGRATION_GOLDEN_H
#define ESPALIER_TEST_UNIT_INTEGRATION_GOLDEN_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace espalier::golden {

/// A file that tools/dev/goldens/gradients.py wrote, whose text says what it holds.
struct Golden {
  int64_t batch = 0;
  int64_t size = 0;
  double learningRate = 0.0;
  std::vector<double> losses;
  /// Norm of each parameter after the last step.
  std::map<std::string, double> weightsAfter;

  /// \name Networks of the zoo only.
  /// @{
  /// By path: the norm of the gradient, then its products with vectors of signs.
  std::map<std::string, std::vector<double>> gradients;
  /// By path: the relative distance of PyTorch's float32 gradient from its float64 one, median over batches.
  std::map<std::string, double> float32Errors;
  /// The same of bfloat16 autocast, where the golden has it; and of its logits in evaluation.
  std::map<std::string, double> bfloat16Errors;
  double bfloat16LogitsError = 0.0;
  size_t float32Batches = 0;
  double float32Shift = 0.0;
  /// @}
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
std::vector<double> initialAwayFromKinks(const std::string &path, const std::vector<int64_t> &shape, double shift);
/// @}

} // namespace espalier::golden

#endif // ESPALIER_TEST_UNIT_INTEGRATION_GOLDEN_H
