//===- Cifar.cpp - CIFAR-10 and CIFAR-100, binary version -----------------===//
//
// A record is one label byte (CIFAR-10) or a coarse and a fine label byte (CIFAR-100), then 32x32 bytes each of red,
// green, blue. https://www.cs.toronto.edu/~kriz/cifar.html
//
//===----------------------------------------------------------------------===//

#include "DatasetReaders.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Core/Text.h"

#include <algorithm>

using namespace espalier::rt;

static constexpr ImageShape cifarShape{3, 32, 32};
static constexpr size_t pixelBytes = 3 * 32 * 32;

/// The files of a split; empty if there are none.
static std::vector<std::string> findBatches(const DatasetFolder &folder, Split split) {
  std::vector<std::string> batches;
  auto addIfPresent = [&](const std::string &name) {
    if (std::string path = folder.find(name); !path.empty())
      batches.push_back(path);
  };
  if (split == Split::Train) {
    for (int i = 1; i <= 5; ++i)
      addIfPresent(fmt::format("data_batch_{}.bin", i));
    if (batches.empty())
      addIfPresent("train.bin");
  } else {
    addIfPresent("test_batch.bin");
    if (batches.empty())
      addIfPresent("test.bin");
  }
  return batches;
}

bool espalier::rt::isCifar(const DatasetFolder &folder) {
  return !findBatches(folder, Split::Train).empty() || !findBatches(folder, Split::Test).empty();
}

/// Class names from the list beside the batches; empty if there is none.
static Expected<std::vector<std::string>> findClasses(const DatasetFolder &folder) {
  // In classes.txt of a CIFAR-100 a line may go on with the name of the coarse class.
  for (const char *name : {"classes.txt", "batches.meta.txt", "fine_label_names.txt"})
    if (folder.files.count(name))
      return readClassNames(folder.path + "/" + name, /*firstWord=*/true);
  return std::vector<std::string>();
}

Expected<Dataset> espalier::rt::readCifar(const DatasetFolder &folder, Split split, const DatasetOptions &options) {
  std::vector<std::string> paths = findBatches(folder, split);
  if (paths.empty())
    return invalidInput("no {} samples: expected {}", split == Split::Train ? "training" : "test",
                        split == Split::Train ? "train.bin or data_batch_1.bin" : "test.bin or test_batch.bin");
  Expected<std::vector<std::string>> classes = findClasses(folder);
  if (!classes)
    return classes.takeStatus();

  std::vector<std::vector<uint8_t>> batches;
  uint64_t total = 0;
  for (const std::string &path : paths) {
    // The format has no header that says how much is to come. The largest official file has 147 MiB.
    constexpr uint64_t maxFileBytes = uint64_t(256) << 20;
    Expected<std::vector<uint8_t>> batch =
        readFileMaybeGzip(path, std::min(maxFileBytes, options.memoryBudget - total));
    if (!batch)
      return batch.takeStatus();
    total += batch->size();
    batches.push_back(*std::move(batch));
  }

  // The two variants differ by one label byte; without a list of classes the size of the file tells them apart.
  constexpr size_t cifar10Labels = 1, cifar100Labels = 2, maxCifar10Classes = 10;
  size_t first = batches[0].size();
  bool isCifar10 = classes->empty() ? first % (cifar10Labels + pixelBytes) == 0 : classes->size() <= maxCifar10Classes;
  size_t labelBytes = isCifar10 ? cifar10Labels : cifar100Labels;
  size_t recordBytes = labelBytes + pixelBytes;
  if (classes->empty())
    classes = numberedClasses(isCifar10 ? 10 : 100);

  int64_t count = 0;
  for (size_t b = 0; b < batches.size(); ++b) {
    if (batches[b].size() % recordBytes != 0)
      return invalidInput("{}: {} bytes are no whole number of records of 3073 (CIFAR-10) or 3074 bytes (CIFAR-100); "
                          "expected records of {} (truncated?)",
                          paths[b], batches[b].size(), recordBytes);
    count += static_cast<int64_t>(batches[b].size() / recordBytes);
  }
  DatasetBuilder builder(options);
  if (Status status = builder.reserve(count, cifarShape); !status.ok())
    return std::move(status).in(paths[0]);
  for (size_t b = 0; b < batches.size(); ++b) {
    for (size_t start = 0; start < batches[b].size(); start += recordBytes) {
      uint8_t label = batches[b][start + labelBytes - 1];
      if (label >= classes->size())
        return invalidInput("{}: label {} of sample {} is out of range: there are {} classes", paths[b], label,
                            start / recordBytes, classes->size());
      Span<const uint8_t> pixels = Span<const uint8_t>(batches[b]).subspan(start + labelBytes, pixelBytes);
      if (Status status = builder.addPlanar(pixels, cifarShape, label); !status.ok())
        return std::move(status).in(paths[b]);
    }
    batches[b] = {}; // the pixels are copied: give the memory back before the next
  }
  return std::move(builder).finish(*std::move(classes));
}
