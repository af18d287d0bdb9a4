//===- WeightsFile.cpp - weights with their preprocessing -----------------===//

#include "WeightsFile.h"

#include "espalier/Runtime/Core/Safetensors.h"
#include "espalier/Runtime/Core/Text.h"

using namespace espalier;
using namespace espalier::tools;

static bool endsWith(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

rt::Expected<WeightsFile> WeightsFile::read(const std::string &path) {
  rt::Expected<rt::SafetensorsFile> file = rt::SafetensorsFile::open(path);
  if (!file)
    return file.takeStatus();
  WeightsFile result;
  for (const auto &[name, entry] : file->entries()) {
    if (endsWith(name, "num_batches_tracked") || (rt::isCheckpoint(file->metadata()) && rt::isSlotName(name)))
      continue;
    // What a run with a moving average was evaluated with.
    std::string average = rt::averageName(name);
    bool hasAverage = rt::isCheckpoint(file->metadata()) && file->entries().count(average);
    rt::Expected<rt::HostTensor> tensor = file->read(hasAverage ? average : name);
    if (!tensor)
      return tensor.takeStatus();
    result.tensors.emplace(name, std::move(*tensor));
  }
  rt::Expected<std::optional<Preprocessing>> preprocessing = Preprocessing::fromMetadata(file->metadata());
  if (!preprocessing)
    return preprocessing.takeStatus().in(path);
  result.preprocessing = *std::move(preprocessing);
  return result;
}

rt::Status WeightsFile::write(const std::string &path) const {
  rt::Expected<rt::AtomicFile> file = stage(path);
  return file ? file->commit() : file.takeStatus();
}

rt::Expected<rt::AtomicFile> WeightsFile::stage(const std::string &path) const {
  std::map<std::string, const rt::HostTensor *> pointers;
  for (const auto &[name, tensor] : tensors)
    pointers[name] = &tensor;
  rt::Metadata metadata = preprocessing ? preprocessing->toMetadata() : rt::Metadata();
  metadata["format"] = "pt";
  return rt::stageSafetensors(path, pointers, metadata);
}
