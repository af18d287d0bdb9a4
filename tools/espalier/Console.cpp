//===- Console.cpp - what a verb says, and where --------------------------===//

#include "Console.h"

#include "espalier/Runtime/Core/File.h"

#include <cerrno>
#include <cstring>

using namespace espalier;
using namespace espalier::tools;

void Console::declare(CLI::App &flags) {
  CLI::Option *silence = flags.add_flag("--quiet", quiet, "No notes and no progress on standard error");
  flags.add_flag("--verbose", verbose, "More notes on standard error")->envname("ESPALIER_VERBOSE")->excludes(silence);
}

rt::Status espalier::tools::writeResult(const std::string &path, std::string_view content) {
  if (!path.empty() && path != "-")
    return rt::writeFileAtomically(path, content);
  errno = 0;
  if (std::fwrite(content.data(), 1, content.size(), stdout) != content.size() || std::fflush(stdout) != 0)
    return rt::environmentError("cannot write to standard output: {}", std::strerror(errno));
  return {};
}
