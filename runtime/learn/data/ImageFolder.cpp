//===- ImageFolder.cpp - A folder of images for each class ----------------===//

#include "DatasetReaders.h"

#include "espalier/Runtime/Core/Text.h"

#include <algorithm>
#include <filesystem>

using namespace espalier::rt;
namespace fs = std::filesystem;

static bool isImageName(const std::string &name) {
  std::string extension = fs::path(name).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

/// The name of the folder that holds a split; empty if there is none.
static std::string splitFolder(const DatasetFolder &folder, Split split) {
  std::vector<std::string> candidates =
      split == Split::Train ? std::vector<std::string>{"train"} : std::vector<std::string>{"test", "val"};
  for (const std::string &candidate : candidates)
    if (folder.folders.count(candidate))
      return candidate;
  return "";
}

bool espalier::rt::isImageFolder(const DatasetFolder &folder) {
  return !splitFolder(folder, Split::Train).empty() || !splitFolder(folder, Split::Test).empty();
}

Expected<Dataset> espalier::rt::readImageFolder(const DatasetFolder &folder, Split split,
                                                const DatasetOptions &options) {
  std::string name = splitFolder(folder, split);
  if (name.empty())
    return invalidInput("no folder {}", split == Split::Train ? "train/" : "test/ or val/");
  Expected<DatasetFolder> root = DatasetFolder::list(folder.path + "/" + name);
  if (!root)
    return root.takeStatus();
  // The training set defines the classes, so that the two splits agree on the numbers.
  std::set<std::string> classes = root->folders;
  std::string training = splitFolder(folder, Split::Train);
  if (split == Split::Test && !training.empty()) {
    Expected<DatasetFolder> trainingRoot = DatasetFolder::list(folder.path + "/" + training);
    if (!trainingRoot)
      return trainingRoot.takeStatus();
    classes = trainingRoot->folders;
  }
  std::vector<std::string> classNames(classes.begin(), classes.end());

  std::vector<std::pair<std::string, int32_t>> samples;
  for (const std::string &className : root->folders) {
    auto found = std::lower_bound(classNames.begin(), classNames.end(), className);
    if (found == classNames.end() || *found != className)
      return invalidInput("{}: class {} does not occur in {}/", root->path, quote(className), training);
    Expected<DatasetFolder> images = DatasetFolder::list(root->path + "/" + className);
    if (!images)
      return images.takeStatus();
    for (const std::string &file : images->files)
      if (isImageName(file))
        samples.emplace_back(images->path + "/" + file, static_cast<int32_t>(found - classNames.begin()));
  }
  if (samples.empty())
    return invalidInput("{} holds no images: expected <class>/*.png or *.jpg", quote(root->path));

  DatasetBuilder builder(options);
  for (const auto &[path, label] : samples) {
    Expected<Image> image = readImage(path);
    if (!image)
      return image.takeStatus();
    if (path == samples.front().first) {
      ImageShape shape{image->channels, image->height, image->width};
      if (Status status = builder.reserve(static_cast<int64_t>(samples.size()), shape); !status.ok())
        return std::move(status).in(root->path);
    }
    if (Status status = builder.add(*std::move(image), label); !status.ok())
      return std::move(status).in(path);
  }
  return std::move(builder).finish(std::move(classNames));
}
