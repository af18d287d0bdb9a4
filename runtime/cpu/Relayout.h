//===- Relayout.h - Between what the caller sees and memory -----*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_CPU_RELAYOUT_H
#define ESPALIER_RUNTIME_CPU_RELAYOUT_H

#include "espalier/Runtime/Program/Artifact.h"

namespace espalier::rt {

/// Copies a row-major tensor of the argument's logical shape into its memory, zeroing what the logical shape does not
/// cover.
void copyToMemory(const Place &argument, const uint8_t *logical, uint8_t *memory);

/// The inverse of copyToMemory.
void copyFromMemory(const Place &argument, const uint8_t *memory, uint8_t *logical);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_CPU_RELAYOUT_H
