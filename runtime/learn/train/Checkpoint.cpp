//===- Checkpoint.cpp - All that a training run is made of ----------------===//

#include "espalier/Runtime/Train/Checkpoint.h"

#include "espalier/Runtime/Core/Digest.h"
#include "espalier/Runtime/Core/Text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>

using namespace espalier::rt;
using Json = nlohmann::json;

static constexpr const char *checkpointKey = "espalier.checkpoint", *checksumKey = "espalier.checksum";
static constexpr int formatVersion = 1;

bool espalier::rt::isSlotName(std::string_view name) { return name.find('#') != std::string_view::npos; }
std::string espalier::rt::averageName(const std::string &path) { return path + "#average"; }

bool espalier::rt::isCheckpoint(const Metadata &metadata) { return metadata.count(checkpointKey) != 0; }

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

static Json toValue(double number) {
  // A finite number is written with the digits that give the same bits again.
  if (std::isfinite(number))
    return number;
  return std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
}

static Json toObject(const Metrics &metrics) {
  Json object = Json::object();
  for (const auto &[name, value] : metrics)
    object[name] = toValue(value);
  return object;
}

namespace {

/// Reads fields of an object and remembers the first that is missing or of another type.
class FieldReader {
public:
  FieldReader(const Json &object, std::string where) : object(object), where(std::move(where)) {
    if (!object.is_object())
      fail("an object", "");
  }

  void read(const char *key, std::string &value) {
    if (const Json *field = find(key, &Json::is_string, "a string"))
      value = field->get<std::string>();
  }
  void read(const char *key, int64_t &value) {
    const Json *field = find(key, &Json::is_number_integer, "an integer");
    if (!field)
      return;
    // Counts and positions: nothing here is negative.
    if (!field->is_number_unsigned() || field->get<uint64_t>() > uint64_t(std::numeric_limits<int64_t>::max()))
      fail("an integer of at least 0", key);
    else
      value = field->get<int64_t>();
  }
  void read(const char *key, double &value) {
    if (const Json *field = find(key, nullptr, "a number"))
      readNumber(*field, key, value);
  }
  void read(const char *key, Metrics &metrics) {
    const Json *field = find(key, &Json::is_object, "an object");
    if (!field)
      return;
    for (const auto &[name, value] : field->items())
      readNumber(value, key, metrics[name]);
  }
  void read(const char *key, std::vector<std::string> &values) {
    const Json *field = find(key, &Json::is_array, "a list");
    if (!field)
      return;
    for (const Json &value : *field) {
      if (!value.is_string())
        return fail("a list of strings", key);
      values.push_back(value.get<std::string>());
    }
  }
  /// An object of lists of rows; none where the key is missing.
  void read(const char *key, std::map<std::string, std::vector<std::vector<double>>> &matrices) {
    if (!object.is_object() || object.find(key) == object.end())
      return;
    const Json *field = find(key, &Json::is_object, "an object");
    if (!field)
      return;
    for (const auto &[name, rows] : field->items()) {
      auto &matrix = matrices[name];
      if (!rows.is_array())
        return fail("an object of matrices", key);
      for (const Json &row : rows) {
        if (!row.is_array())
          return fail("an object of matrices", key);
        matrix.emplace_back();
        for (const Json &value : row)
          readNumber(value, key, matrix.back().emplace_back());
      }
    }
  }
  const Json *list(const char *key) { return find(key, &Json::is_array, "a list"); }
  const Json *child(const char *key) { return find(key, &Json::is_object, "an object"); }

  Status take() { return std::move(failure); }

private:
  void fail(std::string_view wanted, std::string_view key) {
    if (failure.ok())
      failure = invalidInput("{}{}{} is not {}", where, key.empty() ? "" : ".", key, wanted);
  }
  const Json *find(const char *key, bool (Json::*isType)() const noexcept, std::string_view wanted) {
    if (!failure.ok())
      return nullptr;
    auto found = object.find(key);
    if (found == object.end() || (isType && !((*found).*isType)())) {
      fail(wanted, key);
      return nullptr;
    }
    return &*found;
  }
  void readNumber(const Json &field, const char *key, double &value) {
    if (field.is_number())
      value = field.get<double>();
    else if (field == "nan")
      value = std::numeric_limits<double>::quiet_NaN();
    else if (field == "inf" || field == "-inf")
      value = field == "inf" ? HUGE_VAL : -HUGE_VAL;
    else
      fail("a number", key);
  }

  const Json &object;
  std::string where;
  Status failure;
};

} // namespace

static Json toObject(const EpochRecord &record) {
  Json object = {{"epoch", record.epoch},
                 {"step", record.step},
                 {"train", toObject(record.train)},
                 {"test", toObject(record.test)},
                 {"learning_rate", record.learningRate},
                 {"seconds", record.seconds},
                 {"images_per_second", toValue(record.imagesPerSecond)},
                 {"peak_bytes", record.peakBytes},
                 {"end_time", record.endTime}};
  for (const auto &[path, matrix] : record.gradientScales)
    object["gradient_scales"][path] = matrix;
  return object;
}

static Status readRecord(const Json &object, EpochRecord &record) {
  FieldReader reader(object, "history");
  reader.read("epoch", record.epoch);
  reader.read("step", record.step);
  reader.read("train", record.train);
  reader.read("test", record.test);
  reader.read("learning_rate", record.learningRate);
  reader.read("seconds", record.seconds);
  reader.read("images_per_second", record.imagesPerSecond);
  reader.read("peak_bytes", record.peakBytes);
  reader.read("end_time", record.endTime);
  reader.read("gradient_scales", record.gradientScales);
  return reader.take();
}

static Json toObject(const RunPosition &position) {
  Json history = Json::array();
  for (const EpochRecord &record : position.history)
    history.push_back(toObject(record));
  Json object = {{"step", position.step},
                 {"sums", toObject(position.sums)},
                 {"seconds", position.seconds},
                 {"history", std::move(history)}};
  if (position.editedStep > 0) {
    object["edits"] = position.edits;
    object["edited_step"] = position.editedStep;
  }
  return object;
}

static Status readPosition(const Json &object, RunPosition &position) {
  FieldReader reader(object, "position");
  reader.read("step", position.step);
  reader.read("sums", position.sums);
  reader.read("seconds", position.seconds);
  if (object.contains("edited_step")) {
    reader.read("edits", position.edits);
    reader.read("edited_step", position.editedStep);
    if (position.editedStep > position.step)
      return invalidInput("position.edited_step is beyond position.step");
  }
  if (const Json *history = reader.list("history"))
    for (const Json &entry : *history)
      if (Status s = readRecord(entry, position.history.emplace_back()); !s.ok())
        return s;
  return reader.take();
}

static Json toObject(const RunIdentity &identity) {
  Json recipe = Json::object();
  for (const auto &[key, value] : identity.recipe)
    recipe[key] = value;
  return {{"network", identity.network},     {"network_sha256", identity.networkDigest},
          {"loss", identity.loss},           {"recipe", std::move(recipe)},
          {"data", identity.data},           {"data_sha256", identity.dataDigest},
          {"processor", identity.processor}, {"artifact_sha256", identity.artifactDigest},
          {"kernels", identity.kernels},     {"threads", identity.threads}};
}

static Status readIdentity(const Json &object, RunIdentity &identity) {
  FieldReader reader(object, "identity");
  reader.read("network", identity.network);
  reader.read("network_sha256", identity.networkDigest);
  reader.read("loss", identity.loss);
  reader.read("data", identity.data);
  reader.read("data_sha256", identity.dataDigest);
  reader.read("processor", identity.processor);
  reader.read("artifact_sha256", identity.artifactDigest);
  reader.read("kernels", identity.kernels);
  reader.read("threads", identity.threads);
  if (const Json *recipe = reader.child("recipe"))
    for (const auto &[key, value] : recipe->items()) {
      if (!value.is_string())
        return invalidInput("identity.recipe.{} is not a string", key);
      identity.recipe.emplace_back(key, value.get<std::string>());
    }
  return reader.take();
}

static std::string dump(const Json &document, int indent = -1) {
  return document.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string espalier::rt::toJson(const EpochRecord &record) { return dump(toObject(record)); }

std::string espalier::rt::toJson(const RunIdentity &identity) { return dump(toObject(identity), 2) + "\n"; }

Expected<RunIdentity> espalier::rt::parseIdentity(std::string_view text) {
  Json document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  RunIdentity identity;
  if (Status s = readIdentity(document, identity); !s.ok())
    return s;
  return identity;
}

Expected<Recipe> espalier::rt::recipeOf(const RunIdentity &identity) {
  std::string text;
  for (const auto &[key, value] : identity.recipe)
    text += fmt::format("{} = {}\n", key, value);
  Expected<Recipe> recipe = parseRecipe(text, /*name=*/"");
  return recipe ? std::move(recipe) : Expected<Recipe>(recipe.takeStatus().in("recipe"));
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

static void addTensor(Digest &digest, const std::string &name, const HostTensor &tensor) {
  digest.add(std::string_view(name));
  digest.add(std::string_view(formatType(tensor.dtype(), tensor.shape())));
  digest.add(tensor.bytes());
}

/// SHA-256 of all metadata but the checksum, then of all tensors by name.
static std::string checksum(const Metadata &metadata, const TensorMap &tensors) {
  Digest digest;
  for (const auto &[key, value] : metadata)
    if (key != checksumKey) {
      digest.add(std::string_view(key));
      digest.add(std::string_view(value));
    }
  for (const auto &[name, tensor] : tensors)
    addTensor(digest, name, tensor);
  return digest.finish();
}

Status espalier::rt::writeCheckpoint(const std::string &path, const Checkpoint &checkpoint) {
  Json document = {{"version", formatVersion},
                   {"position", toObject(checkpoint.position)},
                   {"identity", toObject(checkpoint.identity)}};
  Metadata metadata = checkpoint.metadata;
  metadata["format"] = "pt"; // what Python's reader of PyTorch models asks for
  metadata[checkpointKey] = dump(document);
  metadata[checksumKey] = checksum(metadata, checkpoint.tensors);
  std::map<std::string, const HostTensor *> pointers;
  for (const auto &[name, tensor] : checkpoint.tensors)
    pointers[name] = &tensor;
  return writeSafetensors(path, pointers, metadata);
}

Expected<Checkpoint> espalier::rt::readCheckpoint(const std::string &path) {
  Expected<SafetensorsFile> file = SafetensorsFile::open(path);
  if (!file)
    return file.takeStatus();
  if (!isCheckpoint(file->metadata()) || !file->metadata().count(checksumKey))
    return invalidInput("{}: not a checkpoint: the metadata lacks '{}'", path,
                        isCheckpoint(file->metadata()) ? checksumKey : checkpointKey);
  Checkpoint checkpoint;
  checkpoint.metadata = file->metadata();
  for (const auto &[name, entry] : file->entries()) {
    Expected<HostTensor> tensor = file->read(name);
    if (!tensor)
      return tensor.takeStatus();
    checkpoint.tensors.emplace(name, std::move(*tensor));
  }
  if (checksum(checkpoint.metadata, checkpoint.tensors) != checkpoint.metadata[checksumKey])
    return invalidInput("{}: damaged: the checksum of its content differs from the stored one", path);

  Json document = Json::parse(checkpoint.metadata[checkpointKey], nullptr, /*allow_exceptions=*/false);
  FieldReader reader(document, "checkpoint");
  int64_t version = 0;
  reader.read("version", version);
  const Json *position = reader.child("position"), *identity = reader.child("identity");
  Status status = reader.take();
  if (status.ok() && version != formatVersion)
    status = invalidInput("expected version {} of the format, but got {}", formatVersion, version);
  if (status.ok())
    status = readPosition(*position, checkpoint.position);
  if (status.ok())
    status = readIdentity(*identity, checkpoint.identity);
  if (!status.ok())
    return std::move(status).in(path);
  for (const char *key : {checkpointKey, checksumKey, "format"})
    checkpoint.metadata.erase(key);
  return checkpoint;
}

//===----------------------------------------------------------------------===//
// Comparison
//===----------------------------------------------------------------------===//

static std::string valueOf(const RunIdentity &identity, std::string_view key) {
  for (const auto &[name, value] : identity.recipe)
    if (name == key)
      return value;
  return "nothing";
}

std::vector<std::string> espalier::rt::findConflicts(const RunIdentity &then, const RunIdentity &now) {
  std::vector<std::string> conflicts;
  auto compare = [&](std::string_view what, const std::string &before, const std::string &after) {
    if (before != after)
      conflicts.push_back(fmt::format("{}: was {}, is {}", what, quote(before), quote(after)));
    return before == after;
  };
  if (compare("network", then.network, now.network) && then.networkDigest != now.networkDigest)
    conflicts.push_back(fmt::format("network: '{}' has other operations or sizes than it had", now.network));
  compare("loss", then.loss, now.loss);
  if (compare("data set", then.data, now.data) && then.dataDigest != now.dataDigest)
    conflicts.push_back("data set: as many images as before, but other ones, or other labels");
  // A key that only one side has is a key that another version of the program knows.
  std::set<std::string> keys;
  for (const std::vector<RecipeValue> *recipe : {&then.recipe, &now.recipe})
    for (const auto &[key, value] : *recipe)
      keys.insert(key);
  for (const std::string &key : keys)
    if (!isRunKey(key) && valueOf(then, key) != valueOf(now, key))
      conflicts.push_back(fmt::format("recipe: {} was {}, is {}", key, valueOf(then, key), valueOf(now, key)));
  std::string epochsThen = valueOf(then, "epochs"), epochsNow = valueOf(now, "epochs");
  if (std::strtoll(epochsNow.c_str(), nullptr, 10) < std::strtoll(epochsThen.c_str(), nullptr, 10))
    conflicts.push_back(fmt::format("recipe: epochs was {}, is {}; it may only grow", epochsThen, epochsNow));
  return conflicts;
}

std::vector<std::string> espalier::rt::findDeviations(const RunIdentity &then, const RunIdentity &now) {
  std::vector<std::string> deviations;
  if (then.processor != now.processor)
    deviations.push_back(fmt::format("the code was for {}, now it is for {}", then.processor, now.processor));
  else if (then.artifactDigest != now.artifactDigest)
    deviations.push_back("the kernels are not those that the run began with");
  if (then.threads != now.threads && valueOf(now, "deterministic") != "true")
    deviations.push_back(fmt::format("the run had {} threads, now it has {}", then.threads, now.threads));
  std::string epochsThen = valueOf(then, "epochs"), epochsNow = valueOf(now, "epochs");
  if (epochsThen != epochsNow)
    deviations.push_back(
        fmt::format("the run was to have {} epochs, now it is to have {}{}", epochsThen, epochsNow,
                    valueOf(now, "schedule") == "\"constant\"" ? "" : ", over which its schedule stretches"));
  return deviations;
}
