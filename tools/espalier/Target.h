//===- Target.h - the machine that a verb compiles for ----------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_TARGET_H
#define ESPALIER_TOOLS_ESPALIER_TARGET_H

#include "espalier/Pipelines/Step.h"
#include "espalier/Runtime/Core/Status.h"

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

namespace espalier::tools {

/// The flags that say what code is made for.
struct TargetFlags {
  std::string device = "cpu", cpu = "host", kernelTable;
  std::optional<Precision> givenPrecision;

  void declare(CLI::App &flags);
  /// A usage error for words that mean nothing; Unsupported, with the nearest supported form, for devices that this
  /// build lacks.
  rt::Status check() const;
  /// Whether a flag says what code is made for.
  bool areGiven() const { return cpu != "host" || givenPrecision || !kernelTable.empty(); }

  Precision precision() const { return givenPrecision.value_or(Precision::F32); }
};

/// Declares `--precision`.
void declarePrecision(CLI::App &flags, std::optional<Precision> &precision);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_TARGET_H
