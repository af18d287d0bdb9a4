//===- Cifar.cpp - CIFAR-10 and CIFAR-100, binary version -----------------===//
//
// A record is one label byte (CIFAR-10) or a coarse and a fine label byte (CIFAR-100), then 32x32 bytes each of red,
// green, blue. https://www.cs.toronto.edu/~kriz/cifar.html
//
//===----------------------------------------------------------------------===//

#include "DatasetReaders.h"
#include "RecordSource.h"

#include "espalier/Runtime/Core/Text.h"

using namespace espalier::rt;

static constexpr ImageShape cifarShape{3, 32, 32};
static constexpr uint64_t pixelBytes = 3 * 32 * 32;

/// The files of a part; empty if there are none.
static std::vector<std::string> findBatches(const DatasetFolder &folder, const std::string &part) {
  std::vector<std::string> batches;
  auto addIfPresent = [&](const std::string &name) {
    if (std::string path = folder.find(name); !path.empty())
      batches.push_back(path);
  };
  if (part == "train")
    for (int i = 1; i <= 5; ++i)
      addIfPresent(fmt::format("data_batch_{}.bin", i));
  else
    addIfPresent(part + "_batch.bin");
  if (batches.empty())
    addIfPresent(part + ".bin");
  return batches;
}

static std::vector<std::string> findParts(const DatasetFolder &folder) {
  std::vector<std::string> parts;
  for (const char *part : {"train", "test", "val"})
    if (!findBatches(folder, part).empty())
      parts.push_back(part);
  return parts;
}

/// Class names from the list beside the batches; empty if there is none.
static Expected<std::vector<std::string>> findNames(const DatasetFolder &folder) {
  // In classes.txt of a CIFAR-100 a line may go on with the name of the coarse class.
  for (const char *name : {"classes.txt", "batches.meta.txt", "fine_label_names.txt"})
    if (folder.files.count(name))
      return readClassNames(folder.path + "/" + name, /*firstWord=*/true);
  return std::vector<std::string>();
}

static Expected<OpenedPart> openPart(const DatasetFolder &folder, const std::string &part,
                                     const DatasetOptions &options) {
  Expected<std::vector<std::string>> classes = findNames(folder);
  if (!classes)
    return classes.takeStatus();
  uint64_t budget = options.memoryBudget;
  std::vector<RecordFile> files;
  for (const std::string &path : findBatches(folder, part)) {
    Expected<DataFile> file = DataFile::open(path, budget, options.skipDamaged);
    if (!file)
      return file.takeStatus();
    if (file->isResident())
      budget -= file->size();
    files.push_back({std::move(*file), 0, 0});
  }

  // The two variants differ by one label byte; without a list of classes the size of the file tells them apart.
  constexpr uint64_t cifar10Labels = 1, cifar100Labels = 2;
  constexpr size_t maxCifar10Classes = 10;
  uint64_t size = files[0].file.size();
  bool isCifar10 = classes->empty()
                       ? size % (cifar10Labels + pixelBytes) == 0 || size % (cifar100Labels + pixelBytes) != 0
                       : classes->size() <= maxCifar10Classes;
  DatasetInfo info;
  info.shape = cifarShape;
  info.classNames = classes->empty() ? numberedClasses(isCifar10 ? 10 : 100) : *std::move(classes);
  RecordLayout layout;
  layout.shape = cifarShape;
  layout.sampleOffset = isCifar10 ? cifar10Labels : cifar100Labels;
  layout.recordBytes = layout.sampleOffset + pixelBytes;

  DamageReport damage(options.skipDamaged);
  for (RecordFile &batch : files) {
    const DataFile &file = batch.file;
    batch.count = static_cast<int64_t>(file.size() / layout.recordBytes);
    if (file.size() % layout.recordBytes != 0)
      if (Status status = damage.add(fmt::format(
              "{}: sample {} (byte {}): {} bytes are no whole number of records of 3073 (CIFAR-10) or 3074 bytes "
              "(CIFAR-100); expected records of {} (truncated?)",
              file.path(), batch.count, static_cast<uint64_t>(batch.count) * layout.recordBytes, file.size(),
              layout.recordBytes));
          !status.ok())
        return status;
    std::vector<int64_t> labels(static_cast<size_t>(batch.count));
    uint64_t position = layout.sampleOffset - 1;
    for (size_t i = 0; i < labels.size(); ++i) {
      uint8_t label = 0;
      if (Status status = file.readAt(position + i * layout.recordBytes, Span<uint8_t>(&label, 1)); !status.ok())
        return status;
      labels[i] = label;
    }
    if (Status status = addLabels(info, labels, file.path(), position, layout.recordBytes, damage); !status.ok())
      return status;
  }
  damage.addTo(info);
  return OpenedPart{std::move(info), std::make_unique<RecordSource>(std::move(files), layout)};
}

const DatasetReader espalier::rt::cifarReader = {"CIFAR binary", "train.bin", findParts, openPart};
