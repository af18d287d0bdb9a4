//===- Dataset.h - Labelled images in memory --------------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_DATA_DATASET_H
#define ESPALIER_RUNTIME_DATA_DATASET_H

#include "espalier/Runtime/Core/Span.h"
#include "espalier/Runtime/Core/Status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace espalier::rt {

/// Channels (1 grey, 3 RGB), height, width of every image of a set.
struct ImageShape {
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;

  int64_t numElements() const { return channels * height * width; }
  friend bool operator==(const ImageShape &a, const ImageShape &b) {
    return a.channels == b.channels && a.height == b.height && a.width == b.width;
  }
};

enum class Split { Train, Test };

struct DatasetOptions {
  /// Scale and convert every image to this shape. Without it images keep theirs, which must then be the same for all.
  std::optional<ImageShape> shape;
  /// Most bytes that the decoded images may take; reading compressed files needs up to as much again for a while.
  uint64_t memoryBudget = uint64_t(4) << 30;
};

/// A decoded set: images as bytes, NCHW, and a class for each.
class Dataset {
public:
  /// `images` holds labels.size() images of `shape`; every label is an index into `classNames`.
  Dataset(ImageShape shape, std::vector<uint8_t> images, std::vector<int32_t> labels,
          std::vector<std::string> classNames);

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
  const ImageShape &shape() const { return imageShape; }
  const std::vector<std::string> &classNames() const { return names; }

  /// The bytes of one image, CHW.
  Span<const uint8_t> image(int64_t index) const {
    size_t elements = static_cast<size_t>(imageShape.numElements());
    return Span<const uint8_t>(images).subspan(static_cast<size_t>(index) * elements, elements);
  }
  int32_t label(int64_t index) const { return labels[static_cast<size_t>(index)]; }

private:
  ImageShape imageShape;
  std::vector<uint8_t> images;
  std::vector<int32_t> labels;
  std::vector<std::string> names;
};

/// Reads one split of the data set in the folder `path`. The content decides the format:
///  - IDX: `{train,test,t10k,t2k}-images-idx{3,4}-ubyte` and `...-labels-idx1-ubyte`, with `.gz` or not; idx4 is NHWC.
///  - CIFAR-10 and -100 binary: `data_batch_N.bin` and `test_batch.bin`, or `train.bin` and `test.bin`, with `.gz` or
///    not. Of CIFAR-100's two labels the fine one is the class.
///  - Image folders: `train/<class>/` and `test/<class>/` or `val/<class>/` with PNG and JPEG files. Classes are the
///    sorted folder names of `train/`.
/// Class names come from `classes.txt` (a line each; CIFAR's own lists are read too), else from the format, else they
/// are the numbers. Damage, images without labels and labels out of range are InvalidInput and name file and sample.
Expected<Dataset> openDataset(const std::string &path, Split split, const DatasetOptions &options = {});

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_DATA_DATASET_H
