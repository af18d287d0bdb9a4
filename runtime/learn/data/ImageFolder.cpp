//===- ImageFolder.cpp - A folder of images for each class ----------------===//

#include "DatasetReaders.h"
#include "RecordSource.h"

#include "espalier/Runtime/Core/Text.h"
#include "espalier/Runtime/Data/Image.h"

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

namespace {
/// Decodes a file for each sample.
class ImageFolderSource final : public SampleSource {
public:
  /// Path from the root of the part.
  struct File {
    std::string name;
    int32_t label;
  };

  ImageFolderSource(std::string root, std::vector<File> files) : root(std::move(root)), files(std::move(files)) {}

  /// From now on all images have `numChannels`: grey ones are repeated, and coloured ones are converted if
  /// `convertColour`.
  void convertTo(int64_t numChannels, bool convertColour) {
    channels = numChannels;
    convertsColour = convertColour;
  }

  std::string locate(int64_t index) const override { return root + "/" + files[static_cast<size_t>(index)].name; }

  bool hasOneSize() const override { return false; }

  Expected<Image> decode(size_t index) const {
    std::string path = locate(static_cast<int64_t>(index));
    Expected<Image> image = readImage(path);
    if (!image || channels == 0 || image->channels == channels)
      return image;
    if (image->channels > channels && !convertsColour)
      return invalidInput(
          "{}: expected a grey image like the first one, but got colour; set loading.channels to convert "
          "all",
          path);
    return convertChannels(*std::move(image), channels);
  }

  Status read(int64_t index, Sample &sample) const override {
    Expected<Image> image = decode(static_cast<size_t>(index));
    if (!image)
      return image.takeStatus();
    sample.shape = {image->channels, image->height, image->width};
    sample.pixels.resize(image->pixels.size());
    toPlanar(image->pixels.data(), sample.shape, sample.pixels.data());
    return {};
  }

private:
  std::string root;
  std::vector<File> files;
  int64_t channels = 0; ///< 0: as they are stored
  bool convertsColour = false;
};
} // namespace

static std::vector<std::string> findParts(const DatasetFolder &folder) {
  std::vector<std::string> parts;
  for (const char *part : {"train", "test", "val"})
    if (folder.folders.count(part))
      parts.push_back(part);
  return parts;
}

static Expected<OpenedPart> openPart(const DatasetFolder &folder, const std::string &part,
                                     const DatasetOptions &options) {
  Expected<DatasetFolder> root = DatasetFolder::list(folder.path + "/" + part);
  if (!root)
    return root.takeStatus();
  // The training set says which classes there are, so that all parts agree.
  std::set<std::string> classes = root->folders;
  if (part != "train" && folder.folders.count("train")) {
    Expected<DatasetFolder> trainingRoot = DatasetFolder::list(folder.path + "/train");
    if (!trainingRoot)
      return trainingRoot.takeStatus();
    classes = trainingRoot->folders;
  }
  DatasetInfo info;
  info.classNames.assign(classes.begin(), classes.end());

  DamageReport damage(options.skipDamaged);
  std::vector<ImageFolderSource::File> files;
  for (const std::string &className : root->folders) {
    auto found = std::lower_bound(info.classNames.begin(), info.classNames.end(), className);
    bool isKnown = found != info.classNames.end() && *found == className;
    Expected<DatasetFolder> images = DatasetFolder::list(root->path + "/" + className);
    if (!images)
      return images.takeStatus();
    int64_t count = 0;
    for (const std::string &file : images->files) {
      if (!isImageName(file))
        continue;
      ++count;
      if (isKnown)
        files.push_back({className + "/" + file, static_cast<int32_t>(found - info.classNames.begin())});
    }
    if (isKnown)
      continue;
    if (Status status =
            damage.add(fmt::format("{}: class {} does not occur in train/", root->path, quote(className)), count);
        !status.ok())
      return status;
  }
  if (files.empty())
    return invalidInput("{} holds no images: expected <class>/*.png or *.jpg", quote(root->path));
  for (const ImageFolderSource::File &file : files)
    info.labels.push_back(file.label);

  auto source = std::make_unique<ImageFolderSource>(root->path, std::move(files));
  source->convertTo(options.channels, /*convertColour=*/true);
  // Shape and channels are those of the first image that can be decoded.
  for (size_t i = 0; i < info.labels.size(); ++i) {
    Expected<Image> image = source->decode(i);
    if (!image && options.skipDamaged)
      continue;
    if (!image)
      return image.takeStatus();
    info.shape = {image->channels, image->height, image->width};
    break;
  }
  if (!options.channels)
    source->convertTo(info.shape.channels, /*convertColour=*/false);
  damage.addTo(info);
  return OpenedPart{std::move(info), std::move(source)};
}

const DatasetReader espalier::rt::imageFolderReader = {"image folder", "train/<class>/*.png", findParts, openPart};
