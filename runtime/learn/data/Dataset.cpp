//===- Dataset.cpp - Labelled samples, decoded as they are asked for ------===//

#include "espalier/Runtime/Data/Dataset.h"

#include "DatasetReaders.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Core/Text.h"
#include "espalier/Runtime/Data/Image.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>

using namespace espalier::rt;
namespace fs = std::filesystem;

//===----------------------------------------------------------------------===//
// Cache
//===----------------------------------------------------------------------===//

/// Decoded samples up to a number of bytes. A sample is written once, by the thread that claims its place first.
class Dataset::Cache {
public:
  Cache(size_t numSamples, uint64_t budget) : entries(numSamples), budget(budget) {}

  bool load(size_t index, SampleKind kind, Sample &sample) const {
    const Entry &entry = entries[index];
    if (entry.state.load(std::memory_order_acquire) != Present)
      return false;
    sample.shape = entry.shape;
    if (kind == SampleKind::Image) {
      sample.pixels.resize(static_cast<size_t>(entry.shape.numElements()));
      std::memcpy(sample.pixels.data(), entry.bytes.get(), sample.pixels.size());
    } else {
      sample.features.resize(static_cast<size_t>(entry.shape.numElements()));
      std::memcpy(sample.features.data(), entry.bytes.get(), sample.features.size() * sizeof(float));
    }
    return true;
  }

  void store(size_t index, SampleKind kind, const Sample &sample) {
    Entry &entry = entries[index];
    bool isImage = kind == SampleKind::Image;
    size_t size = isImage ? sample.pixels.size() : sample.features.size() * sizeof(float);
    uint8_t expected = Absent;
    if (!entry.state.compare_exchange_strong(expected, Claimed))
      return;
    // A sample that does not fit stays claimed: it will not fit later either.
    if (used.fetch_add(size) + size > budget) {
      used -= size;
      return;
    }
    entry.shape = sample.shape;
    entry.bytes.reset(new uint8_t[size]);
    const void *data = isImage ? static_cast<const void *>(sample.pixels.data()) : sample.features.data();
    std::memcpy(entry.bytes.get(), data, size);
    entry.state.store(Present, std::memory_order_release);
  }

private:
  enum State : uint8_t { Absent, Claimed, Present };
  struct Entry {
    std::atomic<uint8_t> state{Absent};
    ImageShape shape;
    std::unique_ptr<uint8_t[]> bytes;
  };
  std::vector<Entry> entries;
  std::atomic<uint64_t> used{0};
  uint64_t budget;
};

//===----------------------------------------------------------------------===//
// Dataset
//===----------------------------------------------------------------------===//

Dataset::Dataset(DatasetInfo info, std::unique_ptr<SampleSource> newSource, const DatasetOptions &options)
    : about(std::move(info)), source(std::move(newSource)) {
  std::vector<int32_t> &labels = about.labels;
  if (std::find(labels.begin(), labels.end(), -1) != labels.end()) {
    for (size_t i = 0; i < labels.size(); ++i)
      if (labels[i] >= 0)
        places.push_back(static_cast<int64_t>(i));
    labels.erase(std::remove(labels.begin(), labels.end(), -1), labels.end());
  }
  if (!source->isResident())
    cache = std::make_unique<Cache>(labels.size(), options.memoryBudget);
}

Dataset::Dataset(Dataset &&) = default;
Dataset &Dataset::operator=(Dataset &&) = default;
Dataset::~Dataset() = default;

Status Dataset::read(int64_t index, Sample &sample) const {
  assert(index >= 0 && index < size() && "no such sample");
  size_t place = static_cast<size_t>(index);
  if (cache && cache->load(place, about.kind, sample))
    return {};
  if (Status status = source->read(places.empty() ? index : places[place], sample); !status.ok())
    return status;
  if (cache)
    cache->store(place, about.kind, sample);
  return {};
}

std::string Dataset::locate(int64_t index) const {
  return source->locate(places.empty() ? index : places[static_cast<size_t>(index)]);
}

namespace {
/// Samples of one size, one after the other.
class MemorySource final : public SampleSource {
public:
  MemorySource(ImageShape shape, std::vector<uint8_t> pixels, std::vector<float> features)
      : shape(shape), pixels(std::move(pixels)), features(std::move(features)) {}

  Status read(int64_t index, Sample &sample) const override {
    sample.shape = shape;
    copySample(pixels, index, sample.pixels);
    copySample(features, index, sample.features);
    return {};
  }
  std::string locate(int64_t index) const override { return fmt::format("sample {}", index); }
  bool isResident() const override { return true; }
  bool canFail() const override { return false; }

private:
  template <typename T> void copySample(const std::vector<T> &all, int64_t index, std::vector<T> &one) const {
    if (!all.empty())
      one.assign(all.begin() + index * shape.numElements(), all.begin() + (index + 1) * shape.numElements());
  }

  ImageShape shape;
  std::vector<uint8_t> pixels;
  std::vector<float> features;
};
} // namespace

static DatasetInfo memoryInfo(SampleKind kind, ImageShape shape, std::vector<int32_t> labels,
                              std::vector<std::string> classNames) {
  DatasetInfo info;
  info.format = "memory";
  info.part = "all";
  info.kind = kind;
  info.shape = shape;
  info.classNames = std::move(classNames);
  info.labels = std::move(labels);
  return info;
}

Dataset Dataset::fromMemory(ImageShape shape, std::vector<uint8_t> images, std::vector<int32_t> labels,
                            std::vector<std::string> classNames) {
  assert(images.size() == labels.size() * static_cast<size_t>(shape.numElements()) && "as many images as labels");
  return Dataset(memoryInfo(SampleKind::Image, shape, std::move(labels), std::move(classNames)),
                 std::make_unique<MemorySource>(shape, std::move(images), std::vector<float>()));
}

Dataset Dataset::fromMemory(int64_t numFeatures, std::vector<float> features, std::vector<int32_t> labels,
                            std::vector<std::string> classNames) {
  ImageShape shape{numFeatures, 1, 1};
  assert(features.size() == labels.size() * static_cast<size_t>(numFeatures) && "as many samples as labels");
  return Dataset(memoryInfo(SampleKind::Features, shape, std::move(labels), std::move(classNames)),
                 std::make_unique<MemorySource>(shape, std::vector<uint8_t>(), std::move(features)));
}

//===----------------------------------------------------------------------===//
// What the readers share
//===----------------------------------------------------------------------===//

Expected<DatasetFolder> DatasetFolder::list(const std::string &path) {
  // Sets with more samples have them in folders of classes.
  constexpr size_t maxEntries = 1'000'000;
  DatasetFolder folder;
  folder.path = path;
  std::error_code error;
  fs::directory_iterator entry(path, error), end;
  for (; !error && entry != end; entry.increment(error)) {
    std::error_code ignored; // a broken link is neither file nor folder
    std::string name = entry->path().filename().string();
    if (entry->is_directory(ignored))
      folder.folders.insert(name);
    else if (entry->is_regular_file(ignored))
      folder.files.insert(name);
    if (folder.files.size() + folder.folders.size() > maxEntries)
      return invalidInput("{} has more than {} entries", quote(path), maxEntries);
  }
  if (error) {
    bool inputsFault = error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory;
    return Status(inputsFault ? StatusCode::InvalidInput : StatusCode::Environment,
                  fmt::format("cannot read folder {}: {}", quote(path), error.message()));
  }
  return folder;
}

std::string DatasetFolder::find(const std::string &name) const {
  for (const std::string &candidate : {name, name + ".gz"})
    if (files.count(candidate))
      return path + "/" + candidate;
  return "";
}

Status DamageReport::add(std::string message, int64_t numSamples) {
  if (!skip)
    return Status(StatusCode::InvalidInput, std::move(message));
  if (count == 0)
    first = std::move(message);
  count += numSamples;
  return {};
}

void DamageReport::addTo(DatasetInfo &info) const {
  info.numSkipped += count;
  if (info.firstSkipped.empty())
    info.firstSkipped = first;
}

Expected<std::vector<std::string>> espalier::rt::readClassNames(const std::string &path, bool firstWord) {
  constexpr uint64_t maxBytes = 1 << 20;
  Expected<std::vector<uint8_t>> content = readFile(path, maxBytes);
  if (!content)
    return content.takeStatus();
  std::vector<std::string> names;
  std::string name;
  auto finishLine = [&] {
    if (firstWord)
      name = name.substr(0, name.find(' '));
    if (!name.empty())
      names.push_back(std::exchange(name, {}));
  };
  for (uint8_t c : *content) {
    if (c == '\n')
      finishLine();
    else if (c != '\r')
      name += static_cast<char>(c);
  }
  finishLine();
  if (names.empty())
    return invalidInput("{} names no class", quote(path));
  return names;
}

std::vector<std::string> espalier::rt::numberedClasses(int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i)
    names.push_back(std::to_string(i));
  return names;
}

Expected<std::vector<std::string>> espalier::rt::findClasses(const DatasetFolder &folder, Span<const int64_t> labels) {
  if (folder.files.count("classes.txt"))
    return readClassNames(folder.path + "/classes.txt");
  // One damaged label must not make a list of 2^63 names.
  constexpr int64_t maxClasses = 1'000'000;
  int64_t largest = labels.empty() ? -1 : *std::max_element(labels.begin(), labels.end());
  return numberedClasses(std::clamp<int64_t>(largest + 1, 0, maxClasses));
}

Status espalier::rt::addLabels(DatasetInfo &info, Span<const int64_t> labels, const std::string &path,
                               uint64_t position, uint64_t width, DamageReport &damage) {
  int64_t numClasses = static_cast<int64_t>(info.classNames.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    bool valid = labels[i] >= 0 && labels[i] < numClasses;
    info.labels.push_back(valid ? static_cast<int32_t>(labels[i]) : -1);
    if (valid)
      continue;
    if (Status status =
            damage.add(fmt::format("{}: sample {} (byte {}): label {} is out of range: there are {} classes", path, i,
                                   position + i * width, labels[i], numClasses));
        !status.ok())
      return status;
  }
  return {};
}

Status espalier::rt::checkCounts(int64_t numSamples, const std::string &samples, int64_t numLabels,
                                 const std::string &labels) {
  if (numSamples == numLabels)
    return {};
  return invalidInput("{} samples in {}, but {} labels in {}", numSamples, quote(samples), numLabels, quote(labels));
}

Status espalier::rt::checkImageShape(const ImageShape &shape) {
  if (shape.channels != 1 && shape.channels != 3)
    return invalidInput("expected 1 or 3 channels, but got {}", shape.channels);
  if (shape.height <= 0 || shape.width <= 0 || shape.height > maxImagePixels / shape.width)
    return invalidInput("images of {}x{} are empty or exceed the limit of {} pixels", shape.width, shape.height,
                        maxImagePixels);
  return {};
}

//===----------------------------------------------------------------------===//
// Opening
//===----------------------------------------------------------------------===//

static constexpr const DatasetReader *readers[] = {&idxReader, &cifarReader, &npyReader, &imageFolderReader,
                                                   &tableReader};

/// The format of a folder and its parts.
static Expected<const DatasetReader *> findReader(const DatasetFolder &folder, std::vector<std::string> &parts) {
  for (const DatasetReader *reader : readers) {
    parts = reader->parts(folder);
    if (!parts.empty())
      return reader;
  }
  std::vector<std::string> known;
  for (const DatasetReader *reader : readers)
    known.push_back(fmt::format("{} ({})", reader->format, reader->example));
  return invalidInput("it holds no known data set; expected {}", fmt::join(known, ", "));
}

/// Reads every sample once and leaves those out that cannot be decoded.
static Status leaveOutDamaged(OpenedPart &part, DamageReport &damage) {
  Sample sample;
  for (size_t i = 0; i < part.info.labels.size(); ++i) {
    if (part.info.labels[i] < 0)
      continue;
    Status status = part.source->read(static_cast<int64_t>(i), sample);
    if (status.ok())
      continue;
    if (status.code() == StatusCode::Environment)
      return status;
    part.info.labels[i] = -1;
    (void)damage.add(std::string(status.message())).ok();
  }
  return {};
}

static Expected<Dataset> openPart(const DatasetReader &reader, const DatasetFolder &folder, const std::string &name,
                                  const DatasetOptions &options) {
  Expected<OpenedPart> part = reader.open(folder, name, options);
  if (!part)
    return part.takeStatus();
  part->info.format = reader.format;
  part->info.part = name;
  if (options.skipDamaged && part->source->canFail()) {
    DamageReport damage(/*skip=*/true);
    if (Status status = leaveOutDamaged(*part, damage); !status.ok())
      return status;
    damage.addTo(part->info);
  }
  bool isEmpty =
      std::all_of(part->info.labels.begin(), part->info.labels.end(), [](int32_t label) { return label < 0; });
  if (isEmpty && part->info.numSkipped > 0)
    return invalidInput("all {} samples of '{}' are damaged; the first: {}", part->info.numSkipped, name,
                        part->info.firstSkipped);
  if (isEmpty)
    return invalidInput("the part '{}' has no samples", name);
  return Dataset(std::move(part->info), std::move(part->source), options);
}

/// Calls `open` with folder, reader and parts of the data set in `path`, and says of a failure what was being done.
template <typename Open> static auto withDataset(const std::string &path, Open open) {
  using Result = decltype(open(std::declval<const DatasetReader &>(), std::declval<const DatasetFolder &>(),
                               std::declval<std::vector<std::string> &>()));
  Expected<DatasetFolder> folder = DatasetFolder::list(path);
  if (!folder)
    return Result(folder.takeStatus());
  std::vector<std::string> parts;
  Expected<const DatasetReader *> reader = findReader(*folder, parts);
  Result result = reader ? open(**reader, *folder, parts) : Result(reader.takeStatus());
  return result ? std::move(result)
                : Result(result.takeStatus().in(fmt::format("cannot read data set {}", quote(path))));
}

Expected<std::vector<std::string>> espalier::rt::datasetParts(const std::string &path) {
  return withDataset(path, [](const DatasetReader &, const DatasetFolder &, std::vector<std::string> &parts) {
    return Expected<std::vector<std::string>>(std::move(parts));
  });
}

Expected<Dataset> espalier::rt::openDataset(const std::string &path, const std::string &part,
                                            const DatasetOptions &options) {
  return withDataset(path,
                     [&](const DatasetReader &reader, const DatasetFolder &folder,
                         std::vector<std::string> &parts) -> Expected<Dataset> {
                       if (std::find(parts.begin(), parts.end(), part) == parts.end())
                         return invalidInput("it has no part {}; it has '{}'", quote(part), fmt::join(parts, "', '"));
                       return openPart(reader, folder, part, options);
                     });
}

Expected<Dataset> espalier::rt::openDataset(const std::string &path, Split split, const DatasetOptions &options) {
  return withDataset(
      path,
      [&](const DatasetReader &reader, const DatasetFolder &folder,
          std::vector<std::string> &parts) -> Expected<Dataset> {
        std::vector<std::string> wanted =
            split == Split::Train ? std::vector<std::string>{"train"} : std::vector<std::string>{"test", "val"};
        for (const std::string &name : wanted)
          if (std::find(parts.begin(), parts.end(), name) != parts.end())
            return openPart(reader, folder, name, options);
        return invalidInput("it has no part '{}'; it has '{}'", fmt::join(wanted, "' or '"), fmt::join(parts, "', '"));
      });
}
