//===- Interrupt.h - Ctrl-C in a long run -----------------------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_INTERRUPT_H
#define ESPALIER_TOOLS_ESPALIER_INTERRUPT_H

#include <csignal>

namespace espalier::tools {

/// While it lives, the first SIGINT, SIGTERM or SIGHUP only sets a flag; the second ends the process with exit code 130
/// at once, after removing files that are half-written. One object at a time.
class Interrupt {
public:
  Interrupt();
  Interrupt(const Interrupt &) = delete;
  Interrupt &operator=(const Interrupt &) = delete;
  ~Interrupt();

  bool isRequested() const;

private:
  static constexpr int signals[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction previous[sizeof(signals) / sizeof(signals[0])];
};

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_INTERRUPT_H
