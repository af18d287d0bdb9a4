//===- DatasetReaders.h - One reader for each format ------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_LEARN_DATA_DATASETREADERS_H
#define ESPALIER_RUNTIME_LEARN_DATA_DATASETREADERS_H

#include "espalier/Runtime/Data/Dataset.h"
#include "espalier/Runtime/Data/Image.h"

#include <set>

namespace espalier::rt {

/// The entries of a data set's folder.
struct DatasetFolder {
  std::string path;
  std::set<std::string> files;
  std::set<std::string> folders;

  static Expected<DatasetFolder> list(const std::string &path);

  /// The path of the file called `name` or `name`.gz; empty if there is neither.
  std::string find(const std::string &name) const;
};

/// Collects images in the shape of the set, converted if options ask for it, within the memory budget.
class DatasetBuilder {
public:
  explicit DatasetBuilder(const DatasetOptions &options) : options(options) {}

  /// Announces `count` images, the first of which has `shape`, and reserves their memory.
  Status reserve(int64_t count, ImageShape shape);
  /// Adds one HWC image; the failure of an image of another shape does not name it.
  Status add(Image image, int32_t label);
  /// Adds one image that lies as CHW already.
  Status addPlanar(Span<const uint8_t> pixels, ImageShape shape, int32_t label);

  Dataset finish(std::vector<std::string> classNames) &&;

private:
  const DatasetOptions &options;
  ImageShape shape;
  std::vector<uint8_t> images;
  std::vector<int32_t> labels;
};

/// Names from a text file, a line each (of the line's words only the first, if `firstWord`).
Expected<std::vector<std::string>> readClassNames(const std::string &path, bool firstWord = false);
/// "0", "1", ...
std::vector<std::string> numberedClasses(int64_t count);

/// \name Readers. Each is for folders that its `is...` accepts.
/// @{
bool isIdx(const DatasetFolder &folder);
Expected<Dataset> readIdx(const DatasetFolder &folder, Split split, const DatasetOptions &options);

bool isCifar(const DatasetFolder &folder);
Expected<Dataset> readCifar(const DatasetFolder &folder, Split split, const DatasetOptions &options);

bool isImageFolder(const DatasetFolder &folder);
Expected<Dataset> readImageFolder(const DatasetFolder &folder, Split split, const DatasetOptions &options);
/// @}

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_LEARN_DATA_DATASETREADERS_H
