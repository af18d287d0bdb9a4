//===- HostTensor.cpp - A dense tensor in host memory ---------------------===//

#include "espalier/Runtime/Core/HostTensor.h"

#include "espalier/Runtime/Core/Text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <unistd.h>

using namespace espalier::rt;

namespace {
struct DTypeRecord {
  DType dtype;
  std::string_view name;
  size_t byteWidth;
};
} // namespace

static constexpr DTypeRecord dtypeRecords[] = {
    {DType::F32, "f32", 4}, {DType::F64, "f64", 8}, {DType::BF16, "bf16", 2},
    {DType::F16, "f16", 2}, {DType::I1, "i1", 1},   {DType::U8, "u8", 1},
    {DType::I8, "i8", 1},   {DType::I32, "i32", 4}, {DType::I64, "i64", 8},
};

static constexpr bool recordsAreInEnumOrder() {
  for (size_t i = 0; i < std::size(dtypeRecords); ++i)
    if (static_cast<size_t>(dtypeRecords[i].dtype) != i)
      return false;
  return true;
}
static_assert(recordsAreInEnumOrder());

size_t espalier::rt::byteWidth(DType dtype) { return dtypeRecords[static_cast<size_t>(dtype)].byteWidth; }
std::string_view espalier::rt::name(DType dtype) { return dtypeRecords[static_cast<size_t>(dtype)].name; }

std::optional<DType> espalier::rt::parseDType(std::string_view name) {
  for (const DTypeRecord &record : dtypeRecords)
    if (record.name == name)
      return record.dtype;
  return std::nullopt;
}

std::optional<int64_t> espalier::rt::checkedNumElements(Span<const int64_t> shape) {
  int64_t product = 1;
  bool empty = false, overflow = false;
  for (int64_t dim : shape) {
    if (dim < 0)
      return std::nullopt;
    empty |= dim == 0;
    overflow |= __builtin_mul_overflow(product, dim, &product);
  }
  // An empty tensor is empty whatever its other dims are.
  if (empty)
    return 0;
  return overflow ? std::nullopt : std::optional(product);
}

std::optional<int64_t> espalier::rt::checkedByteSize(DType dtype, Span<const int64_t> shape) {
  std::optional<int64_t> count = checkedNumElements(shape);
  int64_t size;
  if (!count || __builtin_mul_overflow(*count, static_cast<int64_t>(byteWidth(dtype)), &size))
    return std::nullopt;
  return size;
}

std::string espalier::rt::formatType(DType dtype, Span<const int64_t> shape) {
  return fmt::format("{}[{}]", name(dtype), fmt::join(shape.begin(), shape.end(), ", "));
}

Expected<HostTensor> HostTensor::createUninitialized(DType dtype, std::vector<int64_t> shape) {
  std::optional<int64_t> size = checkedByteSize(dtype, shape);
  if (!size)
    return invalidInput("{} is not a possible tensor: a dim is negative or the size overflows",
                        formatType(dtype, shape));
  // Memory is handed out lazily: an allocation beyond what the machine has can succeed, and kill the process later.
  uint64_t available =
      static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGE_SIZE));
  void *memory = nullptr;
  if (static_cast<uint64_t>(*size) > available ||
      ::posix_memalign(&memory, alignment, std::max<size_t>(static_cast<size_t>(*size), 1)) != 0)
    return environmentError("out of memory for {}: it needs {}, the machine has {}", formatType(dtype, shape),
                            formatBytes(static_cast<uint64_t>(*size)), formatBytes(available));
  int64_t count = *size / static_cast<int64_t>(byteWidth(dtype));
  return HostTensor(dtype, std::move(shape), count, static_cast<uint8_t *>(memory));
}

Expected<HostTensor> HostTensor::create(DType dtype, std::vector<int64_t> shape) {
  Expected<HostTensor> tensor = createUninitialized(dtype, std::move(shape));
  if (tensor)
    std::memset(tensor->memory.get(), 0, tensor->byteSize());
  return tensor;
}

Expected<HostTensor> HostTensor::clone() const {
  Expected<HostTensor> copy = createUninitialized(elementType, dims);
  if (copy && byteSize() > 0)
    std::memcpy(copy->bytes().data(), memory.get(), byteSize());
  return copy;
}

Expected<HostTensor> espalier::rt::toFloat64(const HostTensor &tensor) {
  Expected<HostTensor> result = HostTensor::createUninitialized(DType::F64, tensor.shape());
  if (result) {
    Span<const float> from = tensor.elements<float>();
    std::copy(from.begin(), from.end(), result->elements<double>().begin());
  }
  return result;
}
