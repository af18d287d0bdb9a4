//===- WeightsFile.cpp - weights with their preprocessing -----------------===//

#include "WeightsFile.h"

#include "espalier/Runtime/Core/Safetensors.h"
#include "espalier/Runtime/Core/Text.h"

#include <nlohmann/json.hpp>

using namespace espalier;
using namespace espalier::tools;
using Json = nlohmann::json;

static constexpr const char *preprocessingKey = "espalier.preprocessing";

static Json toJson(const Preprocessing &preprocessing) {
  const rt::ImageShape &image = preprocessing.image;
  return {{"channels", image.channels},
          {"height", image.height},
          {"width", image.width},
          {"mean", preprocessing.normalisation.mean},
          {"std", preprocessing.normalisation.deviation},
          {"classes", preprocessing.classNames}};
}

rt::Metadata Preprocessing::toMetadata() const {
  return {{preprocessingKey, toJson(*this).dump(-1, ' ', false, Json::error_handler_t::replace)}};
}

/// Every field with its type, and sizes that fit together.
static std::optional<Preprocessing> fromJson(const Json &json) {
  auto isSize = [&](const char *key) {
    return json.contains(key) && json[key].is_number_unsigned() && json[key].get<uint64_t>() >= 1 &&
           json[key].get<uint64_t>() <= 65536;
  };
  auto isList = [&](const char *key, bool (Json::*isElement)() const noexcept) {
    return json.contains(key) && json[key].is_array() &&
           std::all_of(json[key].begin(), json[key].end(), [&](const Json &e) { return (e.*isElement)(); });
  };
  if (!json.is_object() || !isSize("channels") || !isSize("height") || !isSize("width") ||
      !isList("mean", &Json::is_number) || !isList("std", &Json::is_number) || !isList("classes", &Json::is_string))
    return std::nullopt;
  Preprocessing result;
  result.image = {json["channels"].get<int64_t>(), json["height"].get<int64_t>(), json["width"].get<int64_t>()};
  result.normalisation.mean = json["mean"].get<std::vector<double>>();
  result.normalisation.deviation = json["std"].get<std::vector<double>>();
  result.classNames = json["classes"].get<std::vector<std::string>>();
  size_t channels = static_cast<size_t>(result.image.channels);
  if (result.normalisation.mean.size() != channels || result.normalisation.deviation.size() != channels)
    return std::nullopt;
  for (double deviation : result.normalisation.deviation)
    if (!(deviation > 0))
      return std::nullopt;
  return result;
}

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
    std::string average = name + "#average";
    bool hasAverage = rt::isCheckpoint(file->metadata()) && file->entries().count(average);
    rt::Expected<rt::HostTensor> tensor = file->read(hasAverage ? average : name);
    if (!tensor)
      return tensor.takeStatus();
    result.tensors.emplace(name, std::move(*tensor));
  }
  if (auto found = file->metadata().find(preprocessingKey); found != file->metadata().end()) {
    result.preprocessing = fromJson(Json::parse(found->second, nullptr, /*allow_exceptions=*/false));
    if (!result.preprocessing)
      return rt::invalidInput("{}: the metadata '{}' is damaged: {}", path, preprocessingKey, rt::quote(found->second));
  }
  return result;
}

rt::Status WeightsFile::write(const std::string &path) const {
  std::map<std::string, const rt::HostTensor *> pointers;
  for (const auto &[name, tensor] : tensors)
    pointers[name] = &tensor;
  rt::Metadata metadata = preprocessing ? preprocessing->toMetadata() : rt::Metadata();
  metadata["format"] = "pt";
  return rt::writeSafetensors(path, pointers, metadata);
}
