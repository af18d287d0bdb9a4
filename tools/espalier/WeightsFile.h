//===- WeightsFile.h - weights with their preprocessing ---------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_WEIGHTSFILE_H
#define ESPALIER_TOOLS_ESPALIER_WEIGHTSFILE_H

#include "Preprocessing.h"

#include "espalier/Runtime/Train/Trainer.h"

namespace espalier::tools {

/// A safetensors file: parameters and states by path, preprocessing in the metadata (`espalier.preprocessing`, JSON).
struct WeightsFile {
  rt::TensorMap tensors;
  std::optional<Preprocessing> preprocessing;

  /// Files of other programs have no preprocessing; PyTorch's `num_batches_tracked` is dropped, and so are the
  /// optimiser's tensors in a checkpoint.
  static rt::Expected<WeightsFile> read(const std::string &path);
  /// Atomic: the file is there in full, or not at all.
  rt::Status write(const std::string &path) const;
  /// Written, but for the commit.
  rt::Expected<rt::AtomicFile> stage(const std::string &path) const;
};

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_WEIGHTSFILE_H
