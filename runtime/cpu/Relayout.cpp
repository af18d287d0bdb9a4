//===- Relayout.cpp - Between what the caller sees and memory -------------===//

#include "Relayout.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

using namespace espalier::rt;

/// Whether both sides are the same bytes.
static bool isIdentity(const Place &argument) {
  return argument.logical == argument.shape && std::is_sorted(argument.permutation.begin(), argument.permutation.end());
}

/// Calls `copyElement(logicalIndex, memoryIndex)` for every element of the logical tensor, in memory order.
template <typename CopyElement> static void forEachElement(const Place &argument, CopyElement copyElement) {
  size_t rank = argument.shape.size();
  if (std::find(argument.logical.begin(), argument.logical.end(), 0) != argument.logical.end())
    return;
  assert(rank <= maxPlaceRank && "reading an artifact checks this");
  // Extent and both strides of every memory dimension.
  std::array<int64_t, maxPlaceRank> extents, memoryStrides, logicalStrides, rowMajor, position{};
  int64_t memoryStride = 1, logicalStride = 1;
  for (size_t dim = rank; dim-- > 0;) {
    memoryStrides[dim] = memoryStride;
    memoryStride *= argument.shape[dim];
    rowMajor[dim] = logicalStride;
    logicalStride *= argument.logical[dim];
  }
  for (size_t dim = 0; dim < rank; ++dim) {
    auto logicalDim = static_cast<size_t>(argument.permutation[dim]);
    extents[dim] = argument.logical[logicalDim];
    logicalStrides[dim] = rowMajor[logicalDim];
  }

  int64_t logicalIndex = 0, memoryIndex = 0;
  while (true) {
    copyElement(logicalIndex, memoryIndex);
    size_t dim = rank;
    while (dim-- > 0) {
      logicalIndex += logicalStrides[dim];
      memoryIndex += memoryStrides[dim];
      if (++position[dim] < extents[dim])
        break;
      logicalIndex -= extents[dim] * logicalStrides[dim];
      memoryIndex -= extents[dim] * memoryStrides[dim];
      position[dim] = 0;
    }
    if (dim == static_cast<size_t>(-1))
      return;
  }
}

/// Instantiates `copy` for an unsigned type as wide as the elements.
template <typename Copy> static void withElementType(DType dtype, Copy copy) {
  switch (byteWidth(dtype)) {
  case 1:
    return copy(uint8_t());
  case 2:
    return copy(uint16_t());
  case 4:
    return copy(uint32_t());
  default:
    return copy(uint64_t());
  }
}

void espalier::rt::copyToMemory(const Place &argument, const uint8_t *logical, uint8_t *memory) {
  auto bytes = static_cast<size_t>(argument.byteSize);
  if (isIdentity(argument)) {
    if (bytes != 0)
      std::memcpy(memory, logical, bytes);
    return;
  }
  std::memset(memory, 0, bytes);
  withElementType(argument.dtype, [&](auto element) {
    using T = decltype(element);
    forEachElement(argument, [from = reinterpret_cast<const T *>(logical), to = reinterpret_cast<T *>(memory)](
                                 int64_t logicalIndex, int64_t memoryIndex) { to[memoryIndex] = from[logicalIndex]; });
  });
}

void espalier::rt::copyFromMemory(const Place &argument, const uint8_t *memory, uint8_t *logical) {
  if (isIdentity(argument)) {
    if (argument.byteSize != 0)
      std::memcpy(logical, memory, static_cast<size_t>(argument.byteSize));
    return;
  }
  withElementType(argument.dtype, [&](auto element) {
    using T = decltype(element);
    forEachElement(argument, [from = reinterpret_cast<const T *>(memory), to = reinterpret_cast<T *>(logical)](
                                 int64_t logicalIndex, int64_t memoryIndex) { to[logicalIndex] = from[memoryIndex]; });
  });
}
