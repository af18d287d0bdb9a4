//===- Preprocessing.h - from image files to inputs -------------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_PREPROCESSING_H
#define ESPALIER_TOOLS_ESPALIER_PREPROCESSING_H

#include "espalier/Runtime/Core/HostTensor.h"
#include "espalier/Runtime/Core/Safetensors.h"
#include "espalier/Runtime/Data/View.h"

namespace espalier::tools {

/// What turns an image file into the network's input, and its output into words. Weights files carry it in their
/// metadata
/// (`espalier.preprocessing`, JSON).
struct Preprocessing {
  rt::ImageShape image; ///< that the network sees
  /// What test images passed through before they were normalised.
  rt::AugmentationSettings evaluate;
  rt::Normalisation normalisation;
  std::vector<std::string> classNames;

  rt::Metadata toMetadata() const;
  /// None if the metadata say nothing of it; InvalidInput if it is damaged.
  static rt::Expected<std::optional<Preprocessing>> fromMetadata(const rt::Metadata &metadata);

  /// Reads an image file as one normalised sample, CHW. Its channels become those of `image`. It passes through
  /// `evaluate`; without that it is scaled to the size of `image`. InvalidInput, with the file's name, if the result
  /// has another shape.
  rt::Status readSample(const std::string &file, rt::Span<float> values) const;
};

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_PREPROCESSING_H
