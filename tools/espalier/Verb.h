//===- Verb.h - a command of the espalier tool ------------------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_VERB_H
#define ESPALIER_TOOLS_ESPALIER_VERB_H

#include "Console.h"

#include <CLI/CLI.hpp>

#include <memory>
#include <vector>

namespace espalier::tools {

/// What the process returns, see docs/command-line.md.
enum ExitCode {
  Done = 0,
  InputFault = 1,       ///< the input is wrong; a located message is on stderr
  UsageFault = 2,       ///< the command line is wrong
  NotSupported = 3,     ///< valid input that this build, device or artifact does not support
  EnvironmentFault = 4, ///< disk full, no permission, no device
  Interrupted = 130,
};

/// One command: `espalier NAME ...`.
class Verb {
public:
  virtual ~Verb() = default;
  virtual const char *name() const = 0;
  virtual const char *summary() const = 0;
  /// A command line that works in the root of the source tree; shown by --help, and run by a test.
  virtual const char *example() const = 0;
  /// Whether run() executes programs, on several threads.
  virtual bool computes() const { return false; }
  virtual void declare(CLI::App &flags) = 0;
  /// Does the work. A failure whose messages are printed already is `reported()`.
  virtual rt::Status run() = 0;

  /// The flags of this verb, and those that all verbs have.
  void declareAll(CLI::App &flags) {
    declare(flags);
    console.declare(flags);
  }

protected:
  Console console;
};

/// All commands, in the order of the help page.
std::vector<std::unique_ptr<Verb>> createVerbs();

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_VERB_H
