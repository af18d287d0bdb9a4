//===- Preprocessing.cpp - from image files to inputs ---------------------===//

#include "Preprocessing.h"

#include "espalier/Runtime/Core/Text.h"
#include "espalier/Runtime/Data/Image.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

using namespace espalier;
using namespace espalier::tools;
using Json = nlohmann::json;

static constexpr const char *metadataKey = "espalier.preprocessing";

//===----------------------------------------------------------------------===//
// Metadata
//===----------------------------------------------------------------------===//

static Json toJson(const rt::AugmentationSettings &settings) {
  Json result = Json::object();
  for (const rt::AugmentationRecord &record : rt::augmentationRecords()) {
    auto setting = settings.find(record.name);
    if (setting == settings.end())
      continue;
    Json values = Json::object();
    for (size_t i = 0; i < record.keys.size(); ++i)
      values[std::string(record.keys[i].name)] = setting->second[i];
    result[std::string(record.name)] = std::move(values);
  }
  return result;
}

/// Known stages that are not random, each with all of its keys in their ranges.
static std::optional<rt::AugmentationSettings> settingsFrom(const Json &json) {
  if (!json.is_object())
    return std::nullopt;
  rt::AugmentationSettings settings;
  for (const rt::AugmentationRecord &record : rt::augmentationRecords()) {
    auto stage = json.find(std::string(record.name));
    if (stage == json.end())
      continue;
    if (!record.isDeterministic || !stage->is_object() || stage->size() != record.keys.size())
      return std::nullopt;
    rt::AugmentationValues &values = settings[std::string(record.name)];
    for (const rt::AugmentationKey &key : record.keys) {
      auto value = stage->find(std::string(key.name));
      if (value == stage->end() || !value->is_number())
        return std::nullopt;
      double number = value->get<double>();
      if (!(number >= key.min && number <= key.max) || (key.openMin && number == key.min) ||
          (key.isInteger && number != std::floor(number)))
        return std::nullopt;
      values.push_back(number);
    }
  }
  return settings.size() == json.size() ? std::optional(std::move(settings)) : std::nullopt;
}

rt::Metadata Preprocessing::toMetadata() const {
  Json json = {{"channels", image.channels},   {"height", image.height},     {"width", image.width},
               {"evaluate", toJson(evaluate)}, {"mean", normalisation.mean}, {"std", normalisation.deviation},
               {"classes", classNames}};
  return {{metadataKey, json.dump(-1, ' ', false, Json::error_handler_t::replace)}};
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
  std::optional<rt::AugmentationSettings> evaluate = settingsFrom(json.value("evaluate", Json::object()));
  if (!evaluate)
    return std::nullopt;
  result.evaluate = *std::move(evaluate);
  return result;
}

rt::Expected<std::optional<Preprocessing>> Preprocessing::fromMetadata(const rt::Metadata &metadata) {
  auto found = metadata.find(metadataKey);
  if (found == metadata.end())
    return std::optional<Preprocessing>();
  std::optional<Preprocessing> result = fromJson(Json::parse(found->second, nullptr, /*allow_exceptions=*/false));
  if (!result)
    return rt::invalidInput("the metadata '{}' is damaged: {}", metadataKey, rt::quote(found->second));
  return result;
}

//===----------------------------------------------------------------------===//
// Images
//===----------------------------------------------------------------------===//

rt::Status Preprocessing::readSample(const std::string &file, rt::Span<float> values) const {
  rt::Expected<rt::Image> read = rt::readImage(file);
  if (!read)
    return read.takeStatus();
  rt::Image pixels = rt::convertChannels(*std::move(read), image.channels);
  if (evaluate.empty())
    pixels = rt::resizeImage(pixels, image.height, image.width);
  rt::Sample sample;
  sample.shape = {pixels.channels, pixels.height, pixels.width};
  rt::Expected<rt::View> view =
      rt::View::create(sample.shape, rt::SampleKind::Image, normalisation, evaluate, rt::View::Use::Evaluation);
  if (!view)
    return view.takeStatus().in(file);
  if (!(view->shape() == image))
    return rt::invalidInput("{}: expected an image that becomes {} in evaluation, but {} becomes {}", file,
                            rt::formatShape(image), rt::formatShape(sample.shape), rt::formatShape(view->shape()));
  sample.pixels.resize(pixels.pixels.size());
  rt::toPlanar(pixels.pixels.data(), sample.shape, sample.pixels.data());
  rt::StageScratch scratch;
  view->show(sample, /*index=*/0, rt::ViewKey(), values, scratch);
  return {};
}
