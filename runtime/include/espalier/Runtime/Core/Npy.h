//===- Npy.h - NumPy's .npy files -------------------------------*- C++ -*-===//
//
// Format versions 1 to 3, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_RUNTIME_CORE_NPY_H
#define ESPALIER_RUNTIME_CORE_NPY_H

#include "espalier/Runtime/Core/HostTensor.h"

namespace espalier::rt {

/// What the start of a file says.
struct NpyHeader {
  DType dtype = DType::F32;
  bool isBigEndian = false;
  bool isFortranOrder = false;
  std::vector<int64_t> shape;
  uint64_t dataStart = 0; ///< byte of the first element
};

/// No header is longer than this.
constexpr size_t maxNpyHeaderBytes = 64 * 1024;

/// Reads the header from the first bytes of a file: maxNpyHeaderBytes, or all that there are.
Expected<NpyHeader> parseNpyHeader(Span<const uint8_t> start);

/// Reads one array. Big-endian and Fortran-order arrays are converted. Element types without a DType (complex,
/// strings, structures, 16-bit and unsigned integers) are Unsupported; NumPy's bool is I1.
Expected<HostTensor> readNpy(const std::string &path);

/// Writes `tensor` atomically, little endian and in C order. bf16 is Unsupported: NumPy has no such type.
Status writeNpy(const std::string &path, const HostTensor &tensor);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_CORE_NPY_H
