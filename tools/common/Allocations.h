//===- Allocations.h - counts what a program allocates ----------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_COMMON_ALLOCATIONS_H
#define ESPALIER_TOOLS_COMMON_ALLOCATIONS_H

#include <cstdint>

namespace espalier::tools {

/// Whether allocations are counted: a sanitizer has an allocator of its own that nobody may stand in front of.
bool canCountAllocations();

/// Calls of malloc and its kin, operator new among them, by all threads of the process so far. A program that links
/// this library has these functions replaced by ones that count and go on to the C library's.
uint64_t numAllocations();

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_COMMON_ALLOCATIONS_H
