//===- Environment.cpp - What a run depends on besides its input ----------===//

#include "Environment.h"

#include "Commit.h"

#include "espalier/Runtime/CPU/Parallel.h"
#include "espalier/Runtime/CPU/Processor.h"
#include "llvm/Config/llvm-config.h"

#include <nlohmann/json.hpp>

#include <sys/utsname.h>
#include <unistd.h>

std::string espalier::tools::describeEnvironment(int64_t threads) {
  utsname system = {};
  ::uname(&system);
  char folder[4096] = {};
  nlohmann::json document = {
      {"espalier", ESPALIER_VERSION},
      {"commit", ESPALIER_COMMIT},
      {"llvm", LLVM_VERSION_STRING},
      {"onednn", rt::libraryVersion()},
      {"processor", rt::processorName()},
      {"processors", rt::availableProcessors()},
      {"threads", threads},
      {"memory_bytes", static_cast<int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE)},
      {"system", std::string(system.sysname) + " " + system.release},
      {"host", system.nodename},
      {"working_folder", ::getcwd(folder, sizeof(folder) - 1) ? folder : ""},
  };
  return document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}
