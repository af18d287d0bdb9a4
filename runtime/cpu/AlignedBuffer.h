//===- AlignedBuffer.h - Memory of vectors' alignment -----------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_CPU_ALIGNEDBUFFER_H
#define ESPALIER_RUNTIME_CPU_ALIGNEDBUFFER_H

#include "espalier/Runtime/Core/Span.h"
#include "espalier/Runtime/Core/Status.h"

#include <cstdlib>
#include <memory>

namespace espalier::rt {

/// Owned memory that starts at a multiple of 64 bytes; large ones use huge pages where the system has them.
class AlignedBuffer {
public:
  AlignedBuffer() = default;
  /// Zeroed memory. A size of 0 gives a valid pointer that nobody may read.
  static Expected<AlignedBuffer> create(size_t bytes);

  uint8_t *data() const { return memory.get(); }
  size_t size() const { return byteSize; }

private:
  struct Free {
    void operator()(uint8_t *memory) const { std::free(memory); }
  };
  std::unique_ptr<uint8_t[], Free> memory;
  size_t byteSize = 0;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_CPU_ALIGNEDBUFFER_H
