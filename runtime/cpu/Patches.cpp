//===- Patches.cpp - the windows of a convolution as rows -----------------===//

#include "Patches.h"

#include "espalier/Runtime/CPU/Parallel.h"

#include <cstring>

using namespace espalier::rt;

PatchGeometry PatchGeometry::ofInput(const Conv2DGeometry &conv, const Place &input, const Place &filter,
                                     const Place &output) {
  PatchGeometry result;
  for (auto [dim, axis] : {std::pair(0, &result.rows), std::pair(1, &result.columns)})
    *axis = {output.shape[1 + dim], input.shape[1 + dim], filter.shape[2 + dim],
             conv.strides[dim],     -conv.pads[dim],      conv.dilations[dim]};
  result.channelBytes = input.shape[3] * static_cast<int64_t>(byteWidth(input.dtype));
  return result;
}

PatchGeometry PatchGeometry::ofOutputGradient(const Conv2DGeometry &conv, const Place &input, const Place &filter,
                                              const Place &output) {
  PatchGeometry result;
  for (auto [dim, axis] : {std::pair(0, &result.rows), std::pair(1, &result.columns)})
    *axis = {input.shape[1 + dim], output.shape[1 + dim], filter.shape[2 + dim], 1,
             conv.pads[dim],       -conv.dilations[dim]};
  result.channelBytes = output.shape[3] * static_cast<int64_t>(byteWidth(output.dtype));
  return result;
}

namespace {
struct Gather {
  const PatchGeometry &geometry;
  const uint8_t *source;
  uint8_t *patches;
};
} // namespace

/// Rows of positions [begin, end), of all images one after the other.
static void gatherRows(void *const *places, int64_t begin, int64_t end) {
  const auto &gather = *static_cast<const Gather *>(places[0]);
  const PatchGeometry &geometry = gather.geometry;
  const PatchGeometry::Axis &rows = geometry.rows, &columns = geometry.columns;
  size_t bytes = static_cast<size_t>(geometry.channelBytes);
  uint8_t *to = gather.patches + begin * columns.positions * geometry.patchBytes();
  for (int64_t item = begin; item < end; ++item) {
    const uint8_t *image = gather.source + item / rows.positions * geometry.imageBytes();
    int64_t row = item % rows.positions * rows.stride + rows.offset;
    for (int64_t position = 0; position < columns.positions; ++position)
      for (int64_t i = 0; i < rows.taps; ++i)
        for (int64_t j = 0; j < columns.taps; ++j, to += bytes) {
          int64_t y = row + i * rows.step, x = position * columns.stride + columns.offset + j * columns.step;
          if (y >= 0 && y < rows.extent && x >= 0 && x < columns.extent)
            std::memcpy(to, image + (y * columns.extent + x) * geometry.channelBytes, bytes);
          else
            std::memset(to, 0, bytes);
        }
  }
}

void espalier::rt::gatherPatches(const PatchGeometry &geometry, const uint8_t *source, uint8_t *patches, int64_t images,
                                 int threads) {
  Gather gather{geometry, source, patches};
  void *places[] = {&gather};
  parallelFor(&gatherRows, places, images * geometry.rows.positions, /*grain=*/4, threads);
}
