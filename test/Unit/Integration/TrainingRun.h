//===- TrainingRun.h - compiled training steps of a network -----*- C++ -*-===//

#ifndef ESPALIER_TEST_UNIT_INTEGRATION_TRAININGRUN_H
#define ESPALIER_TEST_UNIT_INTEGRATION_TRAININGRUN_H

#include "ReferenceStep.h"

#include "espalier/Runtime/Program/Program.h"

namespace espalier::integration {

/// A compiled step with its weights: every value goes in and comes out as float64, whatever the program computes in.
class TrainingRun {
public:
  /// Compiles for processor `cpu`, with kernels of `candidate` wherever it is legal; fails the test and holds no
  /// program where that does not work.
  TrainingRun(const LoadedNet &net, const TrainingOptions &options, const std::string &cpu = "host",
              const std::string &candidate = "");
  explicit operator bool() const { return program.has_value(); }

  /// Sets every parameter, and all states and slots to zero.
  void start(const Start &values);
  /// Runs a step on the golden's batch of number `index`; its loss.
  double step(const golden::Golden &golden, size_t index);

  /// \name Values after a step.
  /// @{
  std::vector<double> gradient(const std::string &path); ///< with TrainingOptions::returnGradients
  std::vector<double> weight(const std::string &path);
  /// @}
  std::vector<std::string> parameters() const;

private:
  rt::HostTensor makeTensor(rt::PlaceId id) const;
  void write(rt::PlaceId id, const std::vector<double> &values);
  std::vector<double> read(std::optional<rt::PlaceId> id);
  void setHyper(const char *name, double value);

  std::optional<rt::Program> program;
  uint64_t classes;
};

} // namespace espalier::integration

#endif // ESPALIER_TEST_UNIT_INTEGRATION_TRAININGRUN_H
