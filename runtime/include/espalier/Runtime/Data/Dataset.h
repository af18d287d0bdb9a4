//===- Dataset.h - Labelled samples, decoded as they are asked for -*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_DATA_DATASET_H
#define ESPALIER_RUNTIME_DATA_DATASET_H

#include "espalier/Runtime/Data/Image.h"

#include <memory>

namespace espalier::rt {

/// What the samples of a set are.
enum class SampleKind {
  Image,    ///< bytes, CHW
  Features, ///< f32, one for each column
};

/// One decoded sample. Reading into it again reuses its memory.
struct Sample {
  ImageShape shape;
  std::vector<uint8_t> pixels; ///< of an image
  std::vector<float> features; ///< of anything else
  std::vector<uint8_t> stored; ///< what a source read before it decoded it
};

/// Where decoded samples come from. Safe to use by several threads at once.
class SampleSource {
public:
  virtual ~SampleSource() = default;
  /// Decodes sample `index`; a failure names file, sample and byte.
  virtual Status read(int64_t index, Sample &sample) const = 0;
  /// File, sample and byte, for messages.
  virtual std::string locate(int64_t index) const = 0;
  /// Whether the samples lie decoded in memory already.
  virtual bool isResident() const { return false; }
  /// Whether all samples have one size.
  virtual bool hasOneSize() const { return true; }
  /// Whether reading a sample can still find damage that opening the set did not.
  virtual bool canFail() const { return true; }
};

struct DatasetOptions {
  /// Most bytes of decoded samples that are kept in memory. Those beyond it are decoded each time. Opening a compressed
  /// file needs up to as much again for a while.
  uint64_t memoryBudget = uint64_t(4) << 30;
  /// Leave damaged samples out and count them, instead of failing. Image files are then all decoded once on opening.
  bool skipDamaged = false;
  /// Channels that images of a folder are converted to, 1 or 3; 0: those of the first image.
  int64_t channels = 0;
  /// The column of a table that holds the class; empty: `label`, `class`, `target` or `identity`, else the last.
  std::string labelColumn;
};

/// What is known of a set without decoding a sample.
struct DatasetInfo {
  std::string format; ///< "IDX", "CIFAR binary", ...
  std::string part;   ///< "train", "test", ...
  SampleKind kind = SampleKind::Image;
  /// Of every sample, or of the first where images differ in size.
  ImageShape shape;
  std::vector<std::string> classNames;
  std::vector<int32_t> labels; ///< one for each sample, an index into classNames; -1: a sample to leave out
  int64_t numSkipped = 0;      ///< samples left out because they are damaged
  std::string firstSkipped;    ///< what was wrong with the first of them
};

/// A set of labelled samples.
class Dataset {
public:
  /// Takes `source`, which has a sample for each label of `info`, and keeps decoded samples up to `options`' budget.
  Dataset(DatasetInfo info, std::unique_ptr<SampleSource> source, const DatasetOptions &options = {});
  Dataset(Dataset &&);
  Dataset &operator=(Dataset &&);
  ~Dataset();

  /// A set of images in memory: `images` holds labels.size() of them, CHW.
  static Dataset fromMemory(ImageShape shape, std::vector<uint8_t> images, std::vector<int32_t> labels,
                            std::vector<std::string> classNames);
  /// The same for features.
  static Dataset fromMemory(int64_t numFeatures, std::vector<float> features, std::vector<int32_t> labels,
                            std::vector<std::string> classNames);

  const DatasetInfo &info() const { return about; }
  int64_t size() const { return static_cast<int64_t>(about.labels.size()); }
  SampleKind kind() const { return about.kind; }
  const ImageShape &shape() const { return about.shape; }
  const std::vector<std::string> &classNames() const { return about.classNames; }
  int32_t label(int64_t index) const { return about.labels[static_cast<size_t>(index)]; }

  /// Decodes sample `index` into `sample`. Safe to call from several threads at once. Allocates nothing when the sample
  /// is kept in memory and `sample` has held one as large. A failure names file, sample and byte.
  Status read(int64_t index, Sample &sample) const;
  /// Whether all samples are known to have one size.
  bool hasOneSize() const { return source->hasOneSize(); }
  /// Where sample `index` lies: file, sample and byte.
  std::string locate(int64_t index) const;

private:
  class Cache;
  DatasetInfo about;
  std::unique_ptr<SampleSource> source;
  std::vector<int64_t> places;  ///< of the samples in `source`; empty if they are all there in order
  std::unique_ptr<Cache> cache; ///< absent when `source` is resident
};

/// The parts that the data set in the folder `path` consists of. Usual are `train` and `test`; domains have their own
/// names, and a set that is not divided is `all`.
Expected<std::vector<std::string>> datasetParts(const std::string &path);

/// Opens one part of the data set in the folder `path`. The files decide the format, see docs/data.md: IDX, CIFAR-10
/// and -100 binary, pairs of .npy files, image folders, CSV and TSV tables; all may be compressed by gzip. Damage,
/// numbers of samples and labels that differ and labels out of range are InvalidInput and name file, sample and byte.
Expected<Dataset> openDataset(const std::string &path, const std::string &part, const DatasetOptions &options = {});

enum class Split { Train, Test };

/// Opens the part `train`, or the first of `test` and `val` that there is.
Expected<Dataset> openDataset(const std::string &path, Split split, const DatasetOptions &options = {});

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_DATA_DATASET_H
