//===- Certificate.cpp - that a folded network computes the same ----------===//

#include "Certificate.h"

#include "espalier/Runtime/Core/Digest.h"
#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Core/Text.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>

using namespace espalier;
using namespace espalier::tools;
using Json = nlohmann::json;

static rt::Expected<std::string> digestOf(const std::string &path) {
  constexpr uint64_t maxBytes = uint64_t(64) << 30;
  rt::Expected<std::vector<uint8_t>> bytes = rt::readFile(path, maxBytes);
  if (!bytes)
    return bytes.takeStatus();
  rt::Digest digest;
  digest.add(rt::Span<const uint8_t>(*bytes));
  return digest.finish();
}

static std::filesystem::path folderOf(const std::string &certificate) {
  std::error_code ignored;
  return std::filesystem::absolute(certificate, ignored).parent_path();
}

rt::Status Certificate::addFile(const std::string &role, const std::string &path, const std::string &content,
                                const std::string &certificate) {
  rt::Expected<std::string> digest = digestOf(content);
  if (!digest)
    return digest.takeStatus();
  std::error_code ignored;
  std::filesystem::path relative = std::filesystem::absolute(path, ignored).lexically_proximate(folderOf(certificate));
  files[role] = {relative.string(), *digest};
  return {};
}

rt::Expected<std::string> Certificate::findFile(const std::string &role, const std::string &certificate) const {
  auto file = files.find(role);
  if (file == files.end())
    return rt::invalidInput("{}: names no file \"{}\"", certificate, role);
  std::string path = (folderOf(certificate) / file->second.path).lexically_normal().string();
  rt::Expected<std::string> digest = digestOf(path);
  if (!digest)
    return digest.takeStatus().in(certificate);
  if (*digest != file->second.sha256)
    return rt::invalidInput("{} is not the file that {} is about: its SHA-256 is {}, and was {}", path, certificate,
                            *digest, file->second.sha256);
  return path;
}

std::string Certificate::toJson() const {
  Json json{{"architecture", architecture}, {"sizes", sizes},           {"seed", seed},
            {"tolerance", tolerance},       {"parameters", parameters}, {"outputs", Json::array()}};
  for (const OutputError &output : outputs)
    json["outputs"].push_back(
        {{"name", output.name}, {"max_absolute", output.maxAbsolute}, {"relative", output.relative}});
  for (const auto &[role, file] : files)
    json["files"][role] = {{"path", file.path}, {"sha256", file.sha256}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

rt::Expected<Certificate> Certificate::read(const std::string &path) {
  constexpr uint64_t maxBytes = uint64_t(64) << 20;
  rt::Expected<std::vector<uint8_t>> bytes = rt::readFile(path, maxBytes);
  if (!bytes)
    return bytes.takeStatus();
  Json json = Json::parse(bytes->begin(), bytes->end(), nullptr, /*allow_exceptions=*/false);
  auto isString = [](const Json &value) { return value.is_string(); };
  auto has = [](const Json &object, const char *key, auto isRight) {
    return object.is_object() && object.contains(key) && isRight(object[key]);
  };
  auto isShare = [](const Json &value) { return value.is_number() && value >= 0.0 && value <= 1.0; };
  bool isRight = has(json, "architecture", isString) &&
                 has(json, "seed", [](const Json &value) { return value.is_number_unsigned(); }) &&
                 has(json, "tolerance", isShare) && has(json, "sizes", [&](const Json &sizes) {
                   return sizes.is_array() && std::all_of(sizes.begin(), sizes.end(), isString);
                 });
  isRight = isRight && has(json, "files", [&](const Json &files) {
              return files.is_object() && std::all_of(files.begin(), files.end(), [&](const Json &file) {
                       return has(file, "path", isString) && has(file, "sha256", isString);
                     });
            });
  auto isError = [](const Json &value) { return value.is_number() && value >= 0.0; };
  isRight = isRight && has(json, "outputs", [&](const Json &outputs) {
              return outputs.is_array() && std::all_of(outputs.begin(), outputs.end(), [&](const Json &output) {
                       return has(output, "name", isString) && has(output, "max_absolute", isError) &&
                              has(output, "relative", isError);
                     });
            });
  if (!isRight)
    return rt::invalidInput("{} is no certificate of 'espalier fold --verify'", path);
  Certificate result;
  result.architecture = json["architecture"];
  result.sizes = json["sizes"].get<SizeBindings>();
  result.seed = json["seed"];
  result.tolerance = json["tolerance"];
  for (const Json &output : json["outputs"])
    result.outputs.push_back({output["name"], output["max_absolute"], output["relative"]});
  for (const auto &[role, file] : json["files"].items())
    result.files[role] = {file["path"], file["sha256"]};
  return result;
}
