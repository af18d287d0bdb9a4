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
  /// Sets a slot of the parameter at `path`, after start().
  void setSlot(const std::string &path, const std::string &name, const std::vector<double> &values);
  /// Runs a step on the golden's batch of number `index`, in as many parts as the options say; its loss.
  double step(const golden::Golden &golden, size_t index);

  /// \name Values after a step.
  /// @{
  std::vector<double> gradient(const std::string &path); ///< with TrainingOptions::returnGradients
  std::vector<double> weight(const std::string &path);
  std::vector<double> slot(const std::string &path, const std::string &name);
  /// @}
  std::vector<std::string> parameters() const;
  const rt::ProgramTable &table() const { return program->table(); }

private:
  static rt::HostTensor makeTensor(const rt::Program &program, rt::PlaceId id);
  static void write(rt::Program &program, rt::PlaceId id, const std::vector<double> &values);
  std::vector<double> read(std::optional<rt::PlaceId> id);
  static void setHyper(rt::Program &program, const char *name, double value);
  /// Runs `part` of the batch.
  double runPart(rt::Program &program, const golden::Golden &golden, size_t index, size_t part);

  std::optional<rt::Program> program;
  std::optional<rt::Program> early; ///< for all parts of a batch but the last, where it has several
  size_t parts = 1;
  uint64_t classes;
};

} // namespace espalier::integration

#endif // ESPALIER_TEST_UNIT_INTEGRATION_TRAININGRUN_H
