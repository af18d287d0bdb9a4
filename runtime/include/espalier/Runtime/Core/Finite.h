//===- Finite.h - Infinities and NaNs in memory -----------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_CORE_FINITE_H
#define ESPALIER_RUNTIME_CORE_FINITE_H

#include "espalier/Runtime/Core/HostTensor.h"

namespace espalier::rt {

/// True when no element is an infinity or a NaN; always for integers.
bool allFinite(DType dtype, Span<const uint8_t> bytes);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_CORE_FINITE_H
