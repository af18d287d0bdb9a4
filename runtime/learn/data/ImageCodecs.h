//===- ImageCodecs.h - libpng and libjpeg behind Status ---------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_LEARN_DATA_IMAGECODECS_H
#define ESPALIER_RUNTIME_LEARN_DATA_IMAGECODECS_H

#include "espalier/Runtime/Data/Image.h"

namespace espalier::rt {

Expected<Image> decodePng(Span<const uint8_t> encoded);
Expected<Image> decodeJpeg(Span<const uint8_t> encoded);
Expected<std::string> encodePng(const Image &image);

/// Refuses an image without pixels or with more than maxImagePixels.
Status checkImageSize(uint64_t width, uint64_t height);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_LEARN_DATA_IMAGECODECS_H
