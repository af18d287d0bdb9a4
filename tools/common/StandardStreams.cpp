//===- StandardStreams.cpp - when nobody reads or hears -------------------===//

#include "StandardStreams.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

using namespace espalier;

void tools::openStandardStreams() {
  // Opened the wrong way round, a descriptor fails when it is used.
  for (auto [descriptor, flags] :
       {std::pair(STDIN_FILENO, O_WRONLY), std::pair(STDOUT_FILENO, O_RDONLY), std::pair(STDERR_FILENO, O_WRONLY)})
    if (::fcntl(descriptor, F_GETFD) < 0 && errno == EBADF)
      (void)!::open("/dev/null", flags); // takes the lowest free number, which is this one
}

void tools::writeMessage(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}
