//===- Allocations.cpp - counts what a program allocates ------------------===//

#include "Allocations.h"

#include <atomic>
#include <cerrno>
#include <cstddef>

static std::atomic<uint64_t> count{0};

#if defined(__SANITIZE_ADDRESS__)
#define ESPALIER_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define ESPALIER_COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef ESPALIER_COUNTS_ALLOCATIONS
#define ESPALIER_COUNTS_ALLOCATIONS 1
#endif

bool espalier::tools::canCountAllocations() { return ESPALIER_COUNTS_ALLOCATIONS; }
uint64_t espalier::tools::numAllocations() { return count.load(std::memory_order_relaxed); }

#if ESPALIER_COUNTS_ALLOCATIONS

// glibc lets a program bring its own malloc, and keeps its functions reachable under these names.
extern "C" {
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t number, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
  count.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
  count.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
  count.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
  count.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **memory, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0)
    return EINVAL;
  void *result = memalign(alignment, size);
  if (!result)
    return ENOMEM;
  *memory = result;
  return 0;
}
}

#endif // ESPALIER_COUNTS_ALLOCATIONS
