//===- Executable.h - An artifact whose code is loaded ----------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_PROGRAM_EXECUTABLE_H
#define ESPALIER_RUNTIME_PROGRAM_EXECUTABLE_H

#include "espalier/Runtime/CPU/Parallel.h"
#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Program/Artifact.h"

#include <memory>

namespace espalier::rt {

/// Code and tables of an artifact in this process. Any number of Programs run from one executable, which is immutable.
class Executable {
public:
  /// Reads an artifact and loads its code from memory. Unsupported if it was made for another processor.
  static Expected<std::shared_ptr<const Executable>> load(Span<const uint8_t> bytes);

  const Artifact &artifact() const { return tables; }
  KernelFunction kernel(uint32_t index) const { return kernels[index]; }

private:
  struct Close {
    void operator()(void *library) const;
  };
  Executable(Artifact tables) : tables(std::move(tables)) {}

  Artifact tables;
  /// The file that the code was loaded from. It stays open because the loader tells libraries apart by name, and the
  /// name holds the number of the descriptor.
  FileDescriptor code;
  std::unique_ptr<void, Close> library;
  std::vector<KernelFunction> kernels;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_PROGRAM_EXECUTABLE_H
