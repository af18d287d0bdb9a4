//===- DatasetReaders.h - One reader for each format ------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_LEARN_DATA_DATASETREADERS_H
#define ESPALIER_RUNTIME_LEARN_DATA_DATASETREADERS_H

#include "espalier/Runtime/Data/Dataset.h"

#include <optional>
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

/// Samples that are damaged: fatal, or left out and counted.
class DamageReport {
public:
  explicit DamageReport(bool skip) : skip(skip) {}

  bool skips() const { return skip; }
  /// Fails with `message` unless damage is skipped.
  Status add(std::string message, int64_t numSamples = 1);
  /// Whether a sample was left out.
  bool any() const { return count > 0; }
  /// Adds what was left out to what `info` says of it.
  void addTo(DatasetInfo &info) const;

private:
  bool skip;
  int64_t count = 0;
  std::string first;
};

/// A part of a set, as a reader opens it. `info.labels` has a label for each sample of `source`.
struct OpenedPart {
  DatasetInfo info;
  std::unique_ptr<SampleSource> source;
};

/// One format.
struct DatasetReader {
  std::string_view format;
  std::string_view example; ///< a file by which people know it
  /// The parts that a folder holds in this format; none if it has another.
  std::vector<std::string> (*parts)(const DatasetFolder &folder);
  /// Opens one of them.
  Expected<OpenedPart> (*open)(const DatasetFolder &folder, const std::string &part, const DatasetOptions &options);
};

/// \name The formats, in the order in which they are tried.
/// @{
extern const DatasetReader idxReader;
extern const DatasetReader cifarReader;
extern const DatasetReader npyReader;
extern const DatasetReader imageFolderReader;
extern const DatasetReader tableReader;
/// @}

/// Names from a text file, a line each (of the line's words only the first, if `firstWord`).
Expected<std::vector<std::string>> readClassNames(const std::string &path, bool firstWord = false);
/// "0", "1", ...
std::vector<std::string> numberedClasses(int64_t count);
/// classes.txt of the folder, else one class for each number up to the largest of `labels`.
Expected<std::vector<std::string>> findClasses(const DatasetFolder &folder, Span<const int64_t> labels);

/// Checks labels from `path` against the classes of `info`, and adds them to its labels. `position` is the byte of the
/// first label, `width` that of each.
Status addLabels(DatasetInfo &info, Span<const int64_t> labels, const std::string &path, uint64_t position,
                 uint64_t width, DamageReport &damage);

/// Makes the number of samples and labels agree: a difference is an error that names both files.
Status checkCounts(int64_t numSamples, const std::string &samples, int64_t numLabels, const std::string &labels);

/// Refuses images without pixels, of neither 1 nor 3 channels, or above the limit of pixels.
Status checkImageShape(const ImageShape &shape);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_LEARN_DATA_DATASETREADERS_H
