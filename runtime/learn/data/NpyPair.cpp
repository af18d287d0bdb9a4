//===- NpyPair.cpp - Samples and labels in two .npy files -----------------===//

#include "DatasetReaders.h"
#include "RecordSource.h"

#include "espalier/Runtime/Core/Npy.h"
#include "espalier/Runtime/Core/Text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

using namespace espalier::rt;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

namespace {
/// Files of one part by their names in the folder.
struct NpyFiles {
  std::vector<std::string> samples;
  std::vector<std::string> labels;
};
} // namespace

/// Splits a name at `_` and `-`; empty if it is no .npy file.
static std::vector<std::string> wordsOf(const std::string &name) {
  std::string stem;
  for (std::string_view suffix : {".npy", ".npy.gz"})
    if (name.size() > suffix.size() && std::string_view(name).substr(name.size() - suffix.size()) == suffix)
      stem = name.substr(0, name.size() - suffix.size());
  std::vector<std::string> words;
  for (char c : stem) {
    bool isBreak = c == '_' || c == '-';
    if (words.empty() || isBreak)
      words.emplace_back();
    if (!isBreak)
      words.back() += c;
  }
  return words;
}

/// `coil1_labels_u8` and `y_train` are labels of the parts coil1 and train; `coil1_32x32_u8` and `x_train` are their
/// samples. Plain `labels` and anything beside it are the part `all`.
static std::map<std::string, NpyFiles> findPairs(const DatasetFolder &folder) {
  auto join = [](const std::vector<std::string> &words, size_t begin, size_t end) {
    return fmt::format("{}", fmt::join(words.begin() + static_cast<ptrdiff_t>(begin),
                                       words.begin() + static_cast<ptrdiff_t>(end), "_"));
  };
  std::map<std::string, NpyFiles> parts;
  std::map<std::string, std::vector<std::string>> others; ///< words of the files that are no labels
  for (const std::string &file : folder.files) {
    std::vector<std::string> words = wordsOf(file);
    if (words.empty())
      continue;
    size_t labels = static_cast<size_t>(std::find(words.begin(), words.end(), "labels") - words.begin());
    if (words[0] == "y" && words.size() > 1)
      parts[join(words, 1, words.size())].labels.push_back(file);
    else if (labels < words.size())
      parts[labels == 0 ? "all" : join(words, 0, labels)].labels.push_back(file);
    else
      others[file] = std::move(words);
  }
  for (auto &[part, files] : parts) {
    for (const auto &[file, words] : others) {
      bool fits = part == "all" || (words[0] == "x" && words.size() > 1 && join(words, 1, words.size()) == part);
      for (size_t count = 1; count <= words.size() && !fits; ++count)
        fits = join(words, 0, count) == part;
      if (fits)
        files.samples.push_back(file);
    }
  }
  return parts;
}

static std::vector<std::string> findParts(const DatasetFolder &folder) {
  std::vector<std::string> parts;
  for (const auto &[part, files] : findPairs(folder))
    parts.push_back(part);
  return parts;
}

//===----------------------------------------------------------------------===//
// Arrays
//===----------------------------------------------------------------------===//

namespace {
struct NpyArray {
  DataFile file;
  NpyHeader header;
  uint64_t sampleBytes; ///< of one element of the first dim
  int64_t count;        ///< whole samples that are there
};
} // namespace

static Status readHeader(NpyArray &array, DamageReport &damage) {
  Expected<std::vector<uint8_t>> prefix = array.file.prefix(maxNpyHeaderBytes);
  if (!prefix)
    return prefix.takeStatus();
  Expected<NpyHeader> header = parseNpyHeader(*prefix);
  if (!header)
    return header.takeStatus();
  std::vector<int64_t> &shape = header->shape;
  std::optional<int64_t> size = checkedByteSize(header->dtype, shape);
  if (!size)
    return invalidInput("the size of {} overflows", formatType(header->dtype, shape));
  if (shape.empty())
    return invalidInput("expected an array with a dim of samples, but got a scalar");
  if (header->isFortranOrder && shape.size() > 1)
    return unsupported("arrays in Fortran order are not supported here; save it with numpy.ascontiguousarray");
  uint64_t promised = static_cast<uint64_t>(*size), present = array.file.size() - header->dataStart;
  array.count = shape[0];
  array.sampleBytes = shape[0] == 0 ? 0 : promised / static_cast<uint64_t>(shape[0]);
  array.header = std::move(*header);
  if (present == promised)
    return {};
  std::string what = fmt::format("{} takes {} bytes, but {} follow the header",
                                 formatType(array.header.dtype, array.header.shape), promised, present);
  if (present > promised)
    return invalidInput("{}", what);
  array.count = static_cast<int64_t>(present / array.sampleBytes);
  return damage.add(
      fmt::format("{}: sample {} (byte {}): {} (truncated?)", array.file.path(), array.count, array.file.size(), what),
      array.header.shape[0] - array.count);
}

static Expected<NpyArray> openNpy(const std::string &path, uint64_t memoryBudget, DamageReport &damage) {
  Expected<DataFile> file = DataFile::open(path, memoryBudget, damage.skips());
  if (!file)
    return file.takeStatus();
  NpyArray array{std::move(*file), {}, 0, 0};
  if (Status status = readHeader(array, damage); !status.ok())
    return std::string_view(status.message()).substr(0, path.size()) == path ? std::move(status)
                                                                             : std::move(status).in(path);
  return array;
}

static bool isChannels(int64_t dim) { return dim == 1 || dim == 3; }

/// What the samples of an array are.
static Expected<RecordLayout> layoutOf(const NpyArray &array) {
  const std::vector<int64_t> &shape = array.header.shape;
  std::string type = formatType(array.header.dtype, shape);
  RecordLayout layout;
  layout.recordBytes = array.sampleBytes;
  layout.dtype = array.header.dtype;
  layout.isBigEndian = array.header.isBigEndian;
  if (layout.dtype == DType::F16 || layout.dtype == DType::I1)
    return unsupported("samples of type {} are not supported; convert it to u8 (images) or f32 (features)", type);
  if (shape.size() == 2) {
    layout.kind = SampleKind::Features;
    layout.shape = {shape[1], 1, 1};
    if (shape[1] < 1)
      return invalidInput("{} has no features", type);
    return layout;
  }
  if (layout.dtype != DType::U8)
    return unsupported("images of type {} are not supported; images are u8", type);
  bool isPlanar = shape.size() == 4 && !isChannels(shape[3]) && isChannels(shape[1]);
  layout.isInterleaved = shape.size() == 4 && isChannels(shape[3]);
  if (shape.size() == 3)
    layout.shape = {1, shape[1], shape[2]};
  else if (layout.isInterleaved)
    layout.shape = {shape[3], shape[1], shape[2]};
  else if (isPlanar)
    layout.shape = {shape[1], shape[2], shape[3]};
  else
    return invalidInput(
        "expected images [N, H, W], [N, H, W, 1 or 3] or [N, 1 or 3, H, W], or features [N, F], but got {}", type);
  if (Status status = checkImageShape(layout.shape); !status.ok())
    return status;
  return layout;
}

static Expected<std::vector<int64_t>> readLabels(const std::string &path, uint64_t &start, uint64_t &width,
                                                 DamageReport &damage) {
  Expected<NpyArray> array = openNpy(path, UINT64_MAX / 2, damage);
  if (!array)
    return array.takeStatus();
  DType dtype = array->header.dtype;
  bool isInteger = dtype == DType::U8 || dtype == DType::I8 || dtype == DType::I32 || dtype == DType::I64;
  if (array->header.shape.size() != 1 || !isInteger)
    return invalidInput("{}: expected labels u8, i8, i32 or i64 of shape [N], but got {}", path,
                        formatType(dtype, array->header.shape));
  start = array->header.dataStart;
  width = byteWidth(dtype);
  std::vector<uint8_t> bytes(static_cast<size_t>(array->count) * width);
  if (Status status = array->file.readAt(start, bytes); !status.ok())
    return status;
  std::vector<int64_t> labels(static_cast<size_t>(array->count));
  for (size_t i = 0; i < labels.size(); ++i) {
    uint8_t *element = &bytes[i * width];
    if (array->header.isBigEndian)
      std::reverse(element, element + width);
    labels[i] = dtype == DType::I64 ? [&] {
      int64_t value;
      std::copy_n(element, sizeof value, reinterpret_cast<uint8_t *>(&value));
      return value;
    }()
                                    : static_cast<int64_t>(elementAsDouble(dtype, element, 0));
  }
  return labels;
}

//===----------------------------------------------------------------------===//
// Opening
//===----------------------------------------------------------------------===//

static Expected<OpenedPart> openPart(const DatasetFolder &folder, const std::string &part,
                                     const DatasetOptions &options) {
  std::map<std::string, NpyFiles> pairs = findPairs(folder);
  const NpyFiles &files = pairs[part];
  if (files.samples.size() != 1 || files.labels.size() != 1)
    return invalidInput("part '{}' expects one .npy file of samples and one of labels, but got '{}' and '{}'", part,
                        fmt::join(files.samples, "', '"), fmt::join(files.labels, "', '"));
  std::string samplesPath = folder.path + "/" + files.samples[0], labelsPath = folder.path + "/" + files.labels[0];

  DamageReport damage(options.skipDamaged);
  Expected<NpyArray> samples = openNpy(samplesPath, options.memoryBudget, damage);
  if (!samples)
    return samples.takeStatus();
  Expected<RecordLayout> layout = layoutOf(*samples);
  if (!layout)
    return layout.takeStatus().in(samplesPath);
  uint64_t start = 0, width = 0;
  Expected<std::vector<int64_t>> labels = readLabels(labelsPath, start, width, damage);
  if (!labels)
    return labels.takeStatus();
  // Where damage is left out, the shorter file decides; two whole files must agree.
  int64_t numLabels = static_cast<int64_t>(labels->size());
  if (!damage.any())
    if (Status status = checkCounts(samples->count, samplesPath, numLabels, labelsPath); !status.ok())
      return status;

  DatasetInfo info;
  info.kind = layout->kind;
  info.shape = layout->shape;
  std::vector<int64_t> known = *labels;
  auto training = pairs.find("train");
  if (part != "train" && training != pairs.end() && training->second.labels.size() == 1) {
    // The training set says which classes there are, so that all parts agree.
    DamageReport ignored(/*skip=*/true);
    uint64_t ignoredStart = 0, ignoredWidth = 0;
    Expected<std::vector<int64_t>> trainingLabels =
        readLabels(folder.path + "/" + training->second.labels[0], ignoredStart, ignoredWidth, ignored);
    if (!trainingLabels)
      return trainingLabels.takeStatus();
    known = *std::move(trainingLabels);
  }
  Expected<std::vector<std::string>> classes = findClasses(folder, known);
  if (!classes)
    return classes.takeStatus();
  info.classNames = *std::move(classes);
  samples->count = std::min(samples->count, numLabels);
  labels->resize(static_cast<size_t>(samples->count));
  if (Status status = addLabels(info, *labels, labelsPath, start, width, damage); !status.ok())
    return status;
  damage.addTo(info);
  std::vector<RecordFile> records;
  records.push_back({std::move(samples->file), samples->header.dataStart, samples->count});
  return OpenedPart{std::move(info), std::make_unique<RecordSource>(std::move(records), *layout)};
}

const DatasetReader espalier::rt::npyReader = {"npy pair", "train_images.npy and train_labels.npy", findParts,
                                               openPart};
