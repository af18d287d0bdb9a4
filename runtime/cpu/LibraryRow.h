//===- LibraryRow.h - A row that oneDNN computes ----------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_CPU_LIBRARYROW_H
#define ESPALIER_RUNTIME_CPU_LIBRARYROW_H

#include "espalier/Runtime/Program/Artifact.h"

#include <functional>
#include <memory>

namespace espalier::rt {

/// A primitive with its operands. Nothing of ours is allocated by `execute`; oneDNN itself allocates a little inside.
class LibraryRow {
public:
  /// Picks the implementation of a row, for a number of threads. The bits of a deterministic row are the same for any.
  static Expected<LibraryRow> create(const Row &row, const ProgramTable &program, int threads, bool isDeterministic);
  LibraryRow(LibraryRow &&);
  LibraryRow &operator=(LibraryRow &&);
  ~LibraryRow();

  /// Bytes for operands that are packed once (constant filters) and stay.
  size_t constantBytes() const;
  /// Bytes that the row needs while it runs.
  size_t scratchBytes() const;

  /// Says where places, constants and scratch are; both buffers are aligned to 64 bytes.
  Status attach(const std::function<uint8_t *(PlaceId)> &address, uint8_t *constants, uint8_t *scratch);
  /// Packs the constant operands from their places.
  Status packConstants();
  Status execute();

  /// oneDNN's name of the implementation, e.g. "jit:avx512_core".
  std::string implementation() const;

private:
  struct Impl;
  explicit LibraryRow(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_CPU_LIBRARYROW_H
