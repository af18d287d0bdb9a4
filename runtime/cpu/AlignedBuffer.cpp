//===- AlignedBuffer.cpp - Memory of vectors' alignment -------------------===//

#include "AlignedBuffer.h"

#include "espalier/Runtime/Core/Text.h"

#include <cstring>
#include <sys/mman.h>

using namespace espalier::rt;

Expected<AlignedBuffer> AlignedBuffer::create(size_t bytes) {
  constexpr size_t lineBytes = 64, hugePageBytes = 2 << 20;
  size_t alignment = bytes >= hugePageBytes ? hugePageBytes : lineBytes;
  size_t rounded = bytes < lineBytes ? lineBytes : (bytes + lineBytes - 1) / lineBytes * lineBytes;
  void *memory = nullptr;
  if (rounded < bytes || posix_memalign(&memory, alignment, rounded) != 0)
    return environmentError("cannot allocate {}", formatBytes(bytes));
  // Advice: where the system has no huge pages, nothing changes.
  if (alignment == hugePageBytes)
    (void)madvise(memory, rounded, MADV_HUGEPAGE);
  std::memset(memory, 0, rounded);
  AlignedBuffer buffer;
  buffer.memory.reset(static_cast<uint8_t *>(memory));
  buffer.byteSize = bytes;
  return buffer;
}
