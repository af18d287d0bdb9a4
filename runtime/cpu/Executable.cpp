//===- Executable.cpp - Load the code of an artifact ----------------------===//

#include "espalier/Runtime/Program/Executable.h"

#include "espalier/Runtime/CPU/Processor.h"
#include "espalier/Runtime/Core/Text.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace espalier::rt;

void Executable::Close::operator()(void *library) const { dlclose(library); }

Expected<std::shared_ptr<const Executable>> Executable::load(Span<const uint8_t> bytes) {
  Expected<Artifact> artifact = Artifact::parse(bytes);
  if (!artifact)
    return artifact.takeStatus();
  if (Status status = checkProcessor(artifact->cpu, artifact->extensions); !status.ok())
    return status;

  FileDescriptor code(memfd_create("espalier", MFD_CLOEXEC));
  if (!code.valid())
    return environmentError("cannot create a memory file for code: {}", std::strerror(errno));
  Span<const uint8_t> rest = artifact->sharedObject;
  while (!rest.empty()) {
    ssize_t written = ::write(code.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return environmentError("cannot write code to memory: {}", std::strerror(errno));
    rest = rest.subspan(static_cast<size_t>(written), rest.size() - static_cast<size_t>(written));
  }

  std::shared_ptr<Executable> executable(new Executable(std::move(*artifact)));
  executable->code = std::move(code);
  std::string path = fmt::format("/proc/self/fd/{}", executable->code.get());
  executable->library.reset(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!executable->library)
    return invalidInput("code of the artifact cannot be loaded: {}", dlerror());
  // The mapping keeps the code; a copy of the bytes would only take memory.
  executable->tables.sharedObject = {};
  for (const Kernel &kernel : executable->tables.kernels) {
    auto function = reinterpret_cast<KernelFunction>(dlsym(executable->library.get(), kernel.symbol.c_str()));
    if (!function)
      return invalidInput("code of the artifact lacks kernel {}", quote(kernel.symbol));
    executable->kernels.push_back(function);
  }
  return std::shared_ptr<const Executable>(std::move(executable));
}
