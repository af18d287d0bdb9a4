//===- Idx.cpp - Data sets in IDX files, as MNIST's -----------------------===//
//
// IDX: two zero bytes, the element type (8 = unsigned byte), the rank, each dim as 32 bits big endian, the elements in
// C order. http://yann.lecun.com/exdb/mnist
//
//===----------------------------------------------------------------------===//

#include "DatasetReaders.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Core/Text.h"

#include <algorithm>

using namespace espalier::rt;

/// Zeros, element type and rank.
static constexpr size_t prefixSize = 4;

namespace {
struct IdxArray {
  std::vector<int64_t> dims;
  std::vector<uint8_t> content; ///< of the whole file
  size_t dataStart;

  Span<const uint8_t> data() const {
    return Span<const uint8_t>(content).subspan(dataStart, content.size() - dataStart);
  }
};

struct IdxPair {
  std::string images;
  std::string labels;
};
} // namespace

/// Reads dims and the start of the data from the first bytes of a file, and checks what they promise against
/// `maxBytes`. `totalBytes` becomes the size that the file must have.
static Expected<IdxArray> parseHeader(Span<const uint8_t> bytes, size_t minRank, size_t maxRank, uint64_t maxBytes,
                                      uint64_t &totalBytes) {
  constexpr uint8_t unsignedByte = 8;
  if (bytes.size() < prefixSize || bytes[0] != 0 || bytes[1] != 0)
    return invalidInput("not an IDX file: it does not start with two zero bytes");
  if (bytes[2] != unsignedByte)
    return unsupported("expected elements of type 0x08 (unsigned byte), but got 0x{:02x}", bytes[2]);
  size_t rank = bytes[3];
  if (rank < minRank || rank > maxRank)
    return invalidInput("expected {} dims, but got {}",
                        minRank == maxRank ? std::to_string(minRank) : fmt::format("{} or {}", minRank, maxRank), rank);
  IdxArray array{{}, {}, prefixSize + 4 * rank};
  if (bytes.size() < array.dataStart)
    return invalidInput("file ends at byte {}, in the middle of the header", bytes.size());
  uint64_t product = 1;
  bool overflow = false;
  for (size_t i = 0; i < rank; ++i) {
    const uint8_t *dimBytes = &bytes[prefixSize + 4 * i];
    uint64_t dim = uint64_t(dimBytes[0]) << 24 | dimBytes[1] << 16 | dimBytes[2] << 8 | dimBytes[3];
    array.dims.push_back(static_cast<int64_t>(dim));
    overflow |= __builtin_mul_overflow(product, dim, &product);
  }
  overflow |= __builtin_add_overflow(product, array.dataStart, &totalBytes);
  if (overflow || totalBytes > maxBytes)
    return invalidInput("header promises {}, more than the memory budget of {}",
                        overflow ? "over 2^64 bytes" : formatBytes(totalBytes), formatBytes(maxBytes));
  return array;
}

static Expected<IdxArray> parseIdx(std::vector<uint8_t> content, size_t minRank, size_t maxRank, uint64_t maxBytes) {
  std::vector<uint8_t> prefix;
  bool compressed = isGzip(content);
  if (compressed) {
    Expected<std::vector<uint8_t>> start = gunzipPrefix(content, prefixSize + 4 * maxRank);
    if (!start)
      return start.takeStatus();
    prefix = *std::move(start);
  }
  uint64_t totalBytes = 0;
  Expected<IdxArray> array = parseHeader(compressed ? prefix : content, minRank, maxRank, maxBytes, totalBytes);
  if (!array)
    return array;
  if (compressed) {
    Expected<std::vector<uint8_t>> decompressed = gunzip(content, totalBytes);
    if (!decompressed)
      return decompressed.takeStatus();
    content = *std::move(decompressed);
  }
  if (content.size() != totalBytes)
    return invalidInput("header promises {} bytes of data, but {} follow{}", totalBytes - array->dataStart,
                        content.size() - array->dataStart, content.size() < totalBytes ? " (truncated?)" : "");
  array->content = std::move(content);
  return array;
}

static Expected<IdxArray> readIdxFile(const std::string &path, uint64_t maxBytes, size_t minRank, size_t maxRank) {
  Expected<std::vector<uint8_t>> content = readFile(path, maxBytes);
  if (!content)
    return content.takeStatus();
  Expected<IdxArray> array = parseIdx(*std::move(content), minRank, maxRank, maxBytes);
  if (!array)
    return array.takeStatus().in(path);
  return array;
}

/// The files of a split by their usual names; empty where missing.
static IdxPair findPair(const DatasetFolder &folder, Split split) {
  std::vector<std::string> prefixes =
      split == Split::Train ? std::vector<std::string>{"train"} : std::vector<std::string>{"t10k", "test", "t2k"};
  IdxPair pair;
  for (const std::string &prefix : prefixes) {
    for (const char *rank : {"3", "4"})
      if (pair.images.empty())
        pair.images = folder.find(fmt::format("{}-images-idx{}-ubyte", prefix, rank));
    if (pair.labels.empty())
      pair.labels = folder.find(prefix + "-labels-idx1-ubyte");
  }
  return pair;
}

bool espalier::rt::isIdx(const DatasetFolder &folder) {
  return !findPair(folder, Split::Train).images.empty() || !findPair(folder, Split::Test).images.empty();
}

/// classes.txt, else one class for each number up to the largest label of the training set (of the test set, if it
/// stands alone).
static Expected<std::vector<std::string>> findClasses(const DatasetFolder &folder, const IdxArray &labels, Split split,
                                                      uint64_t maxBytes) {
  if (folder.files.count("classes.txt"))
    return readClassNames(folder.path + "/classes.txt");
  Span<const uint8_t> known = labels.data();
  std::string training = findPair(folder, Split::Train).labels;
  std::optional<IdxArray> trainingLabels;
  if (split == Split::Test && !training.empty()) {
    Expected<IdxArray> array = readIdxFile(training, maxBytes, 1, 1);
    if (!array)
      return array.takeStatus();
    trainingLabels = *std::move(array);
    known = trainingLabels->data();
  }
  return numberedClasses(known.empty() ? 0 : 1 + *std::max_element(known.begin(), known.end()));
}

Expected<Dataset> espalier::rt::readIdx(const DatasetFolder &folder, Split split, const DatasetOptions &options) {
  IdxPair pair = findPair(folder, split);
  std::string_view prefix = split == Split::Train ? "train" : "t10k, test or t2k";
  if (pair.images.empty())
    return invalidInput("no images: expected {}-images-idx3-ubyte", prefix);
  if (pair.labels.empty())
    return invalidInput("no labels: expected {}-labels-idx1-ubyte", prefix);
  uint64_t maxBytes = options.memoryBudget;
  Expected<IdxArray> images = readIdxFile(pair.images, maxBytes, 3, 4);
  if (!images)
    return images.takeStatus();
  Expected<IdxArray> labels = readIdxFile(pair.labels, maxBytes, 1, 1);
  if (!labels)
    return labels.takeStatus();
  if (images->dims[0] != labels->dims[0])
    return invalidInput("{} images in {}, but {} labels in {}", images->dims[0], quote(pair.images), labels->dims[0],
                        quote(pair.labels));

  bool planar = images->dims.size() == 3;
  ImageShape shape{planar ? 1 : images->dims[3], images->dims[1], images->dims[2]};
  if (shape.channels != 1 && shape.channels != 3)
    return invalidInput("{}: expected 1 or 3 channels, but got {}", pair.images, shape.channels);
  if (shape.height == 0 || shape.width == 0 || shape.height > maxImagePixels / shape.width)
    return invalidInput("{}: images of {}x{} are empty or exceed the limit of {} pixels", pair.images, shape.width,
                        shape.height, maxImagePixels);
  Expected<std::vector<std::string>> classes = findClasses(folder, *labels, split, maxBytes);
  if (!classes)
    return classes.takeStatus();

  DatasetBuilder builder(options);
  int64_t count = images->dims[0];
  if (Status status = builder.reserve(count, shape); !status.ok())
    return std::move(status).in(pair.images);
  size_t imageSize = static_cast<size_t>(shape.numElements());
  for (int64_t i = 0; i < count; ++i) {
    uint8_t label = labels->data()[i];
    if (label >= classes->size())
      return invalidInput("{}: label {} of sample {} is out of range: there are {} classes", pair.labels, label, i,
                          classes->size());
    Span<const uint8_t> pixels = images->data().subspan(i * imageSize, imageSize);
    Status status =
        planar ? builder.addPlanar(pixels, shape, label)
               : builder.add({shape.height, shape.width, shape.channels, {pixels.begin(), pixels.end()}}, label);
    if (!status.ok())
      return std::move(status).in(pair.images);
  }
  return std::move(builder).finish(*std::move(classes));
}
