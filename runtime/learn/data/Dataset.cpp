//===- Dataset.cpp - Labelled images in memory ----------------------------===//

#include "espalier/Runtime/Data/Dataset.h"

#include "DatasetReaders.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Core/Text.h"

#include <algorithm>
#include <filesystem>

using namespace espalier::rt;
namespace fs = std::filesystem;

Dataset::Dataset(ImageShape shape, std::vector<uint8_t> images, std::vector<int32_t> labels,
                 std::vector<std::string> classNames)
    : imageShape(shape), images(std::move(images)), labels(std::move(labels)), names(std::move(classNames)) {
  assert(this->images.size() == this->labels.size() * static_cast<size_t>(shape.numElements()) &&
         "as many images as labels");
}

//===----------------------------------------------------------------------===//
// What the readers share
//===----------------------------------------------------------------------===//

Expected<DatasetFolder> DatasetFolder::list(const std::string &path) {
  // A data set of a million files has them in folders of classes, not here.
  constexpr size_t maxEntries = 100'000;
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

static std::string formatShape(const ImageShape &shape) {
  return fmt::format("{}x{}x{}", shape.channels, shape.height, shape.width);
}

Status DatasetBuilder::reserve(int64_t count, ImageShape firstShape) {
  shape = options.shape.value_or(firstShape);
  if (count == 0)
    return invalidInput("the data set has no samples");
  uint64_t imageBytes = static_cast<uint64_t>(shape.numElements());
  if (static_cast<uint64_t>(count) > options.memoryBudget / std::max<uint64_t>(imageBytes, 1))
    return invalidInput("{} images of {} take more than the memory budget of {}", count, formatShape(shape),
                        formatBytes(options.memoryBudget));
  images.reserve(static_cast<size_t>(count) * imageBytes);
  labels.reserve(static_cast<size_t>(count));
  return {};
}

Status DatasetBuilder::add(Image image, int32_t label) {
  if (options.shape) {
    image = convertChannels(std::move(image), shape.channels);
    image = resizeImage(image, shape.height, shape.width);
  }
  ImageShape got{image.channels, image.height, image.width};
  if (!(got == shape))
    return invalidInput("expected an image of {} like the first one, but got {}; name a size to scale all to",
                        formatShape(shape), formatShape(got));
  int64_t numPixels = image.height * image.width;
  for (int64_t c = 0; c < image.channels; ++c)
    for (int64_t i = 0; i < numPixels; ++i)
      images.push_back(image.pixels[i * image.channels + c]);
  labels.push_back(label);
  return {};
}

Status DatasetBuilder::addPlanar(Span<const uint8_t> pixels, ImageShape got, int32_t label) {
  if (got == shape) {
    images.insert(images.end(), pixels.begin(), pixels.end());
    labels.push_back(label);
    return {};
  }
  Image image{got.height, got.width, got.channels, std::vector<uint8_t>(pixels.size())};
  int64_t numPixels = got.height * got.width;
  for (int64_t c = 0; c < got.channels; ++c)
    for (int64_t i = 0; i < numPixels; ++i)
      image.pixels[i * got.channels + c] = pixels[c * numPixels + i];
  return add(std::move(image), label);
}

Dataset DatasetBuilder::finish(std::vector<std::string> classNames) && {
  return Dataset(shape, std::move(images), std::move(labels), std::move(classNames));
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

Expected<Dataset> espalier::rt::openDataset(const std::string &path, Split split, const DatasetOptions &options) {
  Expected<DatasetFolder> folder = DatasetFolder::list(path);
  if (!folder)
    return folder.takeStatus();
  Expected<Dataset> dataset = isIdx(*folder)           ? readIdx(*folder, split, options)
                              : isCifar(*folder)       ? readCifar(*folder, split, options)
                              : isImageFolder(*folder) ? readImageFolder(*folder, split, options)
                                                       : invalidInput("it holds no known data set; expected IDX files "
                                                                      "(train-images-idx3-ubyte), CIFAR batches "
                                                                      "(train.bin) or image folders (train/<class>/)");
  if (!dataset)
    return dataset.takeStatus().in(fmt::format("cannot read data set {}", quote(path)));
  return dataset;
}
