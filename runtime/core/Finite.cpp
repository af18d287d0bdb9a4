//===- Finite.cpp - Infinities and NaNs in memory -------------------------===//

#include "espalier/Runtime/Core/Finite.h"

using namespace espalier::rt;

/// No element has all the bits of `exponent` set. Integer arithmetic, because it vectorizes without reordering sums.
template <typename Bits> static bool noneHas(Bits exponent, Span<const uint8_t> bytes) {
  const Bits *values = reinterpret_cast<const Bits *>(bytes.data());
  Bits found = 0;
  for (size_t i = 0; i < bytes.size() / sizeof(Bits); ++i)
    found |= (values[i] & exponent) == exponent;
  return !found;
}

bool espalier::rt::allFinite(DType dtype, Span<const uint8_t> bytes) {
  switch (dtype) {
  case DType::F32:
    return noneHas<uint32_t>(0x7f800000, bytes);
  case DType::F64:
    return noneHas<uint64_t>(0x7ff0000000000000, bytes);
  case DType::BF16:
    return noneHas<uint16_t>(0x7f80, bytes);
  case DType::F16:
    return noneHas<uint16_t>(0x7c00, bytes);
  default:
    return true;
  }
}
