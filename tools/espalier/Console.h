//===- Console.h - what a verb says, and where ------------------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_CONSOLE_H
#define ESPALIER_TOOLS_ESPALIER_CONSOLE_H

#include "../common/StandardStreams.h"

#include "espalier/Runtime/Core/Status.h"

#include <CLI/CLI.hpp>
#include <fmt/core.h>

namespace espalier::tools {

/// Notes of a verb. They go to standard error; results go through writeResult().
class Console {
public:
  void declare(CLI::App &flags);

  bool isQuiet() const { return quiet; }

  /// Says what goes on; nothing with --quiet.
  template <typename... Args> void note(fmt::format_string<Args...> format, Args &&...args) const {
    if (!quiet)
      writeMessage(fmt::format(format, std::forward<Args>(args)...) + "\n");
  }
  /// Says more, with --verbose.
  template <typename... Args> void detail(fmt::format_string<Args...> format, Args &&...args) const {
    if (verbose)
      writeMessage(fmt::format(format, std::forward<Args>(args)...) + "\n");
  }

private:
  bool quiet = false, verbose = false;
};

/// Writes a result: to the file `path`, which is then there in full or not at all, or to standard output where `path`
/// is empty or "-".
rt::Status writeResult(const std::string &path, std::string_view content);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_CONSOLE_H
