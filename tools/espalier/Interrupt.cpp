//===- Interrupt.cpp - Ctrl-C in a long run -------------------------------===//

#include "Interrupt.h"
#include "Verb.h"

#include "espalier/Runtime/Core/File.h"

#include <cerrno>
#include <iterator>
#include <string_view>
#include <unistd.h>

using namespace espalier::tools;

static volatile std::sig_atomic_t numRequests;

/// Calls only what a signal handler may call.
static void onRequest(int) {
  if (numRequests) {
    espalier::rt::removeTemporaries();
    ::_exit(Interrupted);
  }
  numRequests = 1;
  int error = errno;
  constexpr std::string_view message = "\nstopping after this step; another Ctrl-C leaves at once\n";
  (void)!::write(STDERR_FILENO, message.data(), message.size());
  errno = error;
}

Interrupt::Interrupt() {
  numRequests = 0;
  for (size_t i = 0; i < std::size(signals); ++i) {
    struct sigaction action = {};
    action.sa_handler = onRequest;
    action.sa_flags = SA_RESTART;
    ::sigaction(signals[i], nullptr, &previous[i]);
    // nohup makes a process that ignores SIGHUP, and a shell one that ignores SIGINT in the background.
    if (previous[i].sa_handler != SIG_IGN)
      ::sigaction(signals[i], &action, nullptr);
  }
}

Interrupt::~Interrupt() {
  for (size_t i = 0; i < std::size(signals); ++i)
    ::sigaction(signals[i], &previous[i], nullptr);
}

bool Interrupt::isRequested() const { return numRequests != 0; }
