//===- Patches.h - the windows of a convolution as rows ---------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_CPU_PATCHES_H
#define ESPALIER_RUNTIME_CPU_PATCHES_H

#include "espalier/Runtime/Program/Artifact.h"

namespace espalier::rt {

/// Windows over channels-last images: one row for each position, with the channels that each tap reads one after the
/// other, and zeros where it reads padding. A convolution is the product of that matrix and its filters; where images
/// are of a few pixels and filters are large, that reads the filters once for many images.
struct PatchGeometry {
  /// One spatial dimension: a tap reads element `position * stride + offset + tap * step` of `extent`.
  struct Axis {
    int64_t positions = 1, extent = 1, taps = 1;
    int64_t stride = 1, offset = 0, step = 1;
  };
  Axis rows, columns;
  int64_t channelBytes = 0; ///< of all channels of a pixel

  /// The windows of a convolution over its input.
  static PatchGeometry ofInput(const Conv2DGeometry &conv, const Place &input, const Place &filter,
                               const Place &output);
  /// The windows over the output's gradient that the input's gradient is made of. Strides are 1.
  static PatchGeometry ofOutputGradient(const Conv2DGeometry &conv, const Place &input, const Place &filter,
                                        const Place &output);

  int64_t positions() const { return rows.positions * columns.positions; }
  int64_t imageBytes() const { return rows.extent * columns.extent * channelBytes; }
  int64_t patchBytes() const { return rows.taps * columns.taps * channelBytes; }
};

/// Writes the patches of `images` images, `positions()` rows of `patchBytes()` for each. Allocates nothing.
void gatherPatches(const PatchGeometry &geometry, const uint8_t *source, uint8_t *patches, int64_t images, int threads);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_CPU_PATCHES_H
