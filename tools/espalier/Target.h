//===- Target.h - the machine that a verb compiles for ----------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_TARGET_H
#define ESPALIER_TOOLS_ESPALIER_TARGET_H

#include "espalier/Runtime/Core/Status.h"

#include <CLI/CLI.hpp>

#include <string>

namespace espalier::tools {

/// The flags that say what code is made for.
struct TargetFlags {
  std::string device = "cpu", cpu = "host", precision = "f32", kernelTable;

  void declare(CLI::App &flags);
  /// A usage error for words that mean nothing; Unsupported, with the nearest supported form, for devices and
  /// precisions that this build lacks. `onlyF32`: what the verb does exists in f32 alone.
  rt::Status check(bool onlyF32 = false) const;
  /// Whether a flag differs from what it is by itself.
  bool areGiven() const { return cpu != "host" || precision != "f32" || !kernelTable.empty(); }

  bool isFloat64() const { return precision == "f64"; }
};

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_TARGET_H
