//===- HostTensor.h - A dense tensor in host memory -------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_CORE_HOSTTENSOR_H
#define ESPALIER_RUNTIME_CORE_HOSTTENSOR_H

#include "espalier/Runtime/Core/Span.h"
#include "espalier/Runtime/Core/Status.h"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace espalier::rt {

/// Element types. I1 is one byte, 0 or 1.
enum class DType : uint8_t { F32, F64, BF16, F16, I1, U8, I8, I32, I64 };

/// Bytes of one element.
size_t byteWidth(DType dtype);
/// As the compiler spells it: "f32", "bf16", "i1", "u8", ...
std::string_view name(DType dtype);
/// The inverse of name().
std::optional<DType> parseDType(std::string_view name);

/// The DType of a C++ element type; bf16 and f16 have none and are reached through their bytes.
template <typename T> struct DTypeOf;
template <> struct DTypeOf<float> {
  static constexpr DType value = DType::F32;
};
template <> struct DTypeOf<double> {
  static constexpr DType value = DType::F64;
};
template <> struct DTypeOf<bool> {
  static constexpr DType value = DType::I1;
};
template <> struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::U8;
};
template <> struct DTypeOf<int8_t> {
  static constexpr DType value = DType::I8;
};
template <> struct DTypeOf<int32_t> {
  static constexpr DType value = DType::I32;
};
template <> struct DTypeOf<int64_t> {
  static constexpr DType value = DType::I64;
};

/// The product of `shape`, 1 for a scalar; nothing if a dim is negative or the product does not fit.
std::optional<int64_t> checkedNumElements(Span<const int64_t> shape);
/// Bytes of a dense tensor; nothing if they do not fit in int64.
std::optional<int64_t> checkedByteSize(DType dtype, Span<const int64_t> shape);
/// "f32[2, 3]".
std::string formatType(DType dtype, Span<const int64_t> shape);

/// A dense, row-major tensor that owns its memory, aligned to 64 bytes (one cache line, one AVX-512 vector).
class HostTensor {
public:
  static constexpr size_t alignment = 64;

  /// A tensor of zeros. Fails if a dim is negative, the size overflows, or memory is exhausted; readers of files
  /// check the size against the file before they come here.
  static Expected<HostTensor> create(DType dtype, std::vector<int64_t> shape);
  /// As create(), but of any content, for who writes all elements: fresh memory is mapped by the threads that do.
  static Expected<HostTensor> createUninitialized(DType dtype, std::vector<int64_t> shape);

  DType dtype() const { return elementType; }
  const std::vector<int64_t> &shape() const { return dims; }
  int64_t numElements() const { return elementCount; }
  size_t byteSize() const { return static_cast<size_t>(elementCount) * byteWidth(elementType); }

  Span<uint8_t> bytes() { return {memory.get(), byteSize()}; }
  Span<const uint8_t> bytes() const { return {memory.get(), byteSize()}; }
  /// The elements as `T`, which must be the C++ type of dtype().
  template <typename T> Span<T> elements() {
    assert(DTypeOf<T>::value == elementType && "elements of another type");
    return {reinterpret_cast<T *>(memory.get()), static_cast<size_t>(elementCount)};
  }
  template <typename T> Span<const T> elements() const { return const_cast<HostTensor *>(this)->elements<T>(); }

  Expected<HostTensor> clone() const;

private:
  struct Free {
    void operator()(uint8_t *memory) const { std::free(memory); }
  };
  HostTensor(DType dtype, std::vector<int64_t> shape, int64_t elementCount, uint8_t *memory)
      : elementType(dtype), dims(std::move(shape)), elementCount(elementCount), memory(memory) {}

  DType elementType;
  std::vector<int64_t> dims;
  int64_t elementCount;
  std::unique_ptr<uint8_t[], Free> memory;
};

/// A tensor of f32 as one of f64.
Expected<HostTensor> toFloat64(const HostTensor &tensor);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_CORE_HOSTTENSOR_H
