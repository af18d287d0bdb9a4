//===- Session.h - A network with weights, ready to run ---------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_PROGRAM_SESSION_H
#define ESPALIER_RUNTIME_PROGRAM_SESSION_H

#include "espalier/Runtime/Program/Program.h"

#include <functional>

namespace espalier::rt {

/// The two stages of inference: `prepare` computes once what depends on weights alone, `forward` runs for each batch.
class InferenceSession {
public:
  /// Gives the value of a parameter or state by name, of that type and shape.
  using WeightSource =
      std::function<Expected<HostTensor>(const std::string &name, DType dtype, const std::vector<int64_t> &shape)>;

  /// Loads an executable with a program `forward` and, if weights need preparation, a program `prepare`; reads every
  /// weight once and runs `prepare`. `threads` 0: all processors.
  static Expected<InferenceSession> create(std::shared_ptr<const Executable> executable, const WeightSource &weights,
                                           int threads = 0);

  /// The parameters and states whose values create() asks for, as arguments of the program that reads them.
  static std::vector<const Place *> weightsOf(const Executable &executable);

  Program &forward() { return forwardProgram; }
  /// Arguments of `forward` that each run takes, and that it gives.
  std::vector<PlaceId> inputs() const;
  std::vector<PlaceId> outputs() const;

private:
  InferenceSession(std::optional<Program> prepare, Program forward)
      : prepareProgram(std::move(prepare)), forwardProgram(std::move(forward)) {}

  std::optional<Program> prepareProgram; // owns the packed weights that `forward` reads
  Program forwardProgram;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_PROGRAM_SESSION_H
