//===- Philox.h - the random numbers of the cg dialect ----------*- C++ -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_PHILOX_H
#define ESPALIER_DIALECT_CG_IR_PHILOX_H

#include "llvm/ADT/StringRef.h"

#include <array>
#include <cstdint>

namespace espalier::cg {

/// Philox4x32 with ten rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): a bijection of the
/// counter for each key.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// The 64-bit FNV-1a hash under which an op named `key` draws.
uint64_t hashKey(llvm::StringRef key);

} // namespace espalier::cg

#endif // ESPALIER_DIALECT_CG_IR_PHILOX_H
