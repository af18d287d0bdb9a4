//===- Idx.cpp - Data sets in IDX files, as MNIST's -----------------------===//
//
// IDX: two zero bytes, the element type (8 = unsigned byte), the rank, each dim as 32 bits big endian, the elements in
// C order. http://yann.lecun.com/exdb/mnist
//
//===----------------------------------------------------------------------===//

#include "Csv.h"
#include "DatasetReaders.h"
#include "RecordSource.h"

#include "espalier/Runtime/Core/Text.h"

#include <algorithm>

using namespace espalier::rt;

/// Zeros, element type and rank.
static constexpr size_t prefixSize = 4;
static constexpr size_t maxImageRank = 4;

namespace {
struct IdxFile {
  DataFile file;
  std::vector<int64_t> dims;
  uint64_t dataStart;
  uint64_t sampleBytes;
  int64_t count; ///< whole samples that are there
};

/// The files of a part.
struct IdxPair {
  std::string images;
  std::string labels; ///< IDX, or a table with a column of classes
};
} // namespace

/// Fills in dims and sizes from the header, and checks them against the size of the file. `samples` is what one element
/// of the first dim is called in messages.
static Status readHeader(IdxFile &idx, size_t minRank, size_t maxRank, DamageReport &damage) {
  constexpr uint8_t unsignedByte = 8;
  Expected<std::vector<uint8_t>> bytes = idx.file.prefix(prefixSize + 4 * maxImageRank);
  if (!bytes)
    return bytes.takeStatus();
  if (bytes->size() < prefixSize || (*bytes)[0] != 0 || (*bytes)[1] != 0)
    return invalidInput("not an IDX file: it does not start with two zero bytes");
  if ((*bytes)[2] != unsignedByte)
    return unsupported("expected elements of type 0x08 (unsigned byte), but got 0x{:02x}", (*bytes)[2]);
  size_t rank = (*bytes)[3];
  if (rank < minRank || rank > maxRank)
    return invalidInput("expected {} dims, but got {}",
                        minRank == maxRank ? std::to_string(minRank) : fmt::format("{} or {}", minRank, maxRank), rank);
  idx.dataStart = prefixSize + 4 * rank;
  if (bytes->size() < idx.dataStart)
    return invalidInput("file ends at byte {}, in the middle of the header", bytes->size());
  idx.sampleBytes = 1;
  bool overflow = false;
  for (size_t i = 0; i < rank; ++i) {
    const uint8_t *dimBytes = &(*bytes)[prefixSize + 4 * i];
    uint64_t dim = uint64_t(dimBytes[0]) << 24 | dimBytes[1] << 16 | dimBytes[2] << 8 | dimBytes[3];
    idx.dims.push_back(static_cast<int64_t>(dim));
    if (i > 0)
      overflow |= __builtin_mul_overflow(idx.sampleBytes, dim, &idx.sampleBytes);
  }
  uint64_t promised = 0;
  overflow |= __builtin_mul_overflow(idx.sampleBytes, static_cast<uint64_t>(idx.dims[0]), &promised);
  if (overflow)
    return invalidInput("header promises over 2^64 bytes");
  uint64_t present = idx.file.size() - idx.dataStart;
  if (present > promised)
    return invalidInput("header promises {} bytes of data, but {} follow", promised, present);
  idx.count = idx.dims[0];
  if (present == promised)
    return {};
  idx.count = static_cast<int64_t>(present / idx.sampleBytes);
  return damage.add(fmt::format("sample {} (byte {}): header promises {} bytes of data, but {} follow (truncated?)",
                                idx.count, idx.file.size(), promised, present),
                    idx.dims[0] - idx.count);
}

static Expected<IdxFile> openIdx(const std::string &path, size_t minRank, size_t maxRank, uint64_t memoryBudget,
                                 DamageReport &damage) {
  Expected<DataFile> file = DataFile::open(path, memoryBudget, damage.skips());
  if (!file)
    return file.takeStatus();
  IdxFile idx{std::move(*file), {}, 0, 0, 0};
  if (Status status = readHeader(idx, minRank, maxRank, damage); !status.ok())
    return std::move(status).in(path);
  return idx;
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

static IdxPair findPair(const DatasetFolder &folder, const std::string &part) {
  std::vector<std::string> prefixes = part == "test"  ? std::vector<std::string>{"t10k-", "test-", "t2k-"}
                                      : part == "all" ? std::vector<std::string>{""}
                                                      : std::vector<std::string>{part + "-"};
  IdxPair pair;
  for (const std::string &prefix : prefixes) {
    for (const char *rank : {"3", "4"})
      if (pair.images.empty())
        pair.images = folder.find(fmt::format("{}images-idx{}-ubyte", prefix, rank));
    for (const char *name : {"labels-idx1-ubyte", "identity-idx1-ubyte", "labels.csv", "labels.tsv"})
      if (pair.labels.empty())
        pair.labels = folder.find(prefix + name);
  }
  return pair;
}

static std::vector<std::string> findParts(const DatasetFolder &folder) {
  std::vector<std::string> parts;
  for (const char *part : {"train", "test", "val", "all"})
    if (!findPair(folder, part).images.empty())
      parts.push_back(part);
  return parts;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {
struct LabelList {
  std::vector<int64_t> values;
  std::vector<std::string> classNames; ///< from a table; else empty
  uint64_t start = 0;                  ///< byte of the first label
};
} // namespace

static Expected<LabelList> readLabels(const std::string &path, const DatasetOptions &options, DamageReport &damage) {
  LabelList labels;
  if (path.find("-ubyte") == std::string::npos) {
    Expected<ClassColumn> column = readClassColumn(path, options.labelColumn);
    if (!column)
      return column.takeStatus();
    labels.values = std::move(column->labels);
    labels.classNames = std::move(column->classNames);
    return labels;
  }
  // Labels are held however small the budget is: a byte for each sample is what any set takes.
  Expected<IdxFile> idx = openIdx(path, 1, 1, UINT64_MAX / 2, damage);
  if (!idx)
    return idx.takeStatus();
  std::vector<uint8_t> bytes(static_cast<size_t>(idx->count));
  if (Status status = idx->file.readAt(idx->dataStart, bytes); !status.ok())
    return status;
  labels.values.assign(bytes.begin(), bytes.end());
  labels.start = idx->dataStart;
  return labels;
}

static Expected<OpenedPart> openPart(const DatasetFolder &folder, const std::string &part,
                                     const DatasetOptions &options) {
  IdxPair pair = findPair(folder, part);
  if (pair.labels.empty())
    return invalidInput("no labels for {}: expected {}labels-idx1-ubyte or {}labels.csv", quote(pair.images),
                        part == "all" ? "" : part + "-", part == "all" ? "" : part + "-");
  DamageReport damage(options.skipDamaged);
  Expected<IdxFile> images = openIdx(pair.images, 3, maxImageRank, options.memoryBudget, damage);
  if (!images)
    return images.takeStatus();
  Expected<LabelList> labels = readLabels(pair.labels, options, damage);
  if (!labels)
    return labels.takeStatus();
  // Where damage is left out, the shorter file decides; two whole files must agree.
  int64_t numLabels = static_cast<int64_t>(labels->values.size());
  if (!damage.any())
    if (Status status = checkCounts(images->count, pair.images, numLabels, pair.labels); !status.ok())
      return status;
  RecordLayout layout;
  layout.isInterleaved = images->dims.size() == maxImageRank;
  layout.shape = {layout.isInterleaved ? images->dims[3] : 1, images->dims[1], images->dims[2]};
  layout.recordBytes = images->sampleBytes;
  if (Status status = checkImageShape(layout.shape); !status.ok())
    return std::move(status).in(pair.images);

  DatasetInfo info;
  info.shape = layout.shape;
  info.classNames = labels->classNames;
  if (info.classNames.empty()) {
    // The training set says which classes there are, so that all parts agree.
    std::vector<int64_t> known = labels->values;
    std::string training = findPair(folder, "train").labels;
    if (part != "train" && !training.empty()) {
      DamageReport ignored(/*skip=*/true);
      Expected<LabelList> trainingLabels = readLabels(training, options, ignored);
      if (!trainingLabels)
        return trainingLabels.takeStatus();
      known = std::move(trainingLabels->values);
    }
    Expected<std::vector<std::string>> classes = findClasses(folder, known);
    if (!classes)
      return classes.takeStatus();
    info.classNames = *std::move(classes);
  }
  images->count = std::min(images->count, numLabels);
  labels->values.resize(static_cast<size_t>(images->count));
  if (Status status = addLabels(info, labels->values, pair.labels, labels->start, 1, damage); !status.ok())
    return status;
  damage.addTo(info);

  std::vector<RecordFile> files;
  files.push_back({std::move(images->file), images->dataStart, images->count});
  return OpenedPart{std::move(info), std::make_unique<RecordSource>(std::move(files), layout)};
}

const DatasetReader espalier::rt::idxReader = {"IDX", "train-images-idx3-ubyte", findParts, openPart};
