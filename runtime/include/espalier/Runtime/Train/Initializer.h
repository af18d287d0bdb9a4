//===- Initializer.h - How parameters and states start ----------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_TRAIN_INITIALIZER_H
#define ESPALIER_RUNTIME_TRAIN_INITIALIZER_H

#include "espalier/Runtime/Core/HostTensor.h"

#include <map>
#include <vector>

namespace espalier::rt {

/// What the elements of a tensor are drawn from, independently, or what they are.
struct Initializer {
  enum class Kind { Fill, Uniform, Normal, Values };
  Kind kind = Kind::Fill;
  double a = 0.0;                  ///< the value; the lower bound; the mean
  double b = 0.0;                  ///< the upper bound (exclusive); the standard deviation
  std::vector<double> values = {}; ///< of all elements, row by row
};

/// Initializers by the name of the program's argument.
using InitializerTable = std::map<std::string, Initializer>;

/// Reads the `"initializers"` object of an artifact's metadata: name -> ["fill", v] | ["uniform", low, high] |
/// ["normal", mean, deviation] | ["values", v...]. Empty where there is none.
Expected<InitializerTable> parseInitializers(const std::string &metadata);

/// Fills a floating-point or integer tensor. The numbers depend on `name`, `seed` and the element's place alone, so
/// they do not change when another tensor is added to the network. Fails where the values are not one for each element.
Status initialize(HostTensor &tensor, const Initializer &initializer, std::string_view name, uint64_t seed);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_TRAIN_INITIALIZER_H
