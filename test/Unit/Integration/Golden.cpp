//===- Golden.cpp - what PyTorch computed, and the numbers it started from ===//

#include "Golden.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>

using namespace espalier;

golden::Golden golden::read(const std::string &net) {
  std::ifstream file(std::string(ESPALIER_SOURCE_DIR) + "/test/Unit/Integration/goldens/" + net + ".json");
  nlohmann::json json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  Golden golden;
  if (!json.is_object()) {
    ADD_FAILURE() << "no golden of " << net;
    return golden;
  }
  golden.batch = json["batch"];
  golden.size = json["size"];
  golden.learningRate = json["learning_rate"];
  golden.losses = json["losses"].get<std::vector<double>>();
  golden.weightsAfter = json["weights_after"].get<std::map<std::string, double>>();
  if (!json.contains("gradients"))
    return golden;
  golden.gradients = json["gradients"].get<std::map<std::string, std::vector<double>>>();
  golden.float32Shift = json["float32_shift"];
  golden.float32Batches = json["float32_batches"];
  golden.float32Errors = json["float32_errors"].get<std::map<std::string, double>>();
  if (json.contains("bfloat16_errors")) {
    golden.bfloat16Errors = json["bfloat16_errors"].get<std::map<std::string, double>>();
    golden.bfloat16LogitsError = json["bfloat16_logits_error"];
  }
  return golden;
}

static uint64_t splitmix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// The words of a name, by index.
static auto words(const std::string &name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char byte : name)
    hash = (hash ^ byte) * 0x100000001b3;
  return [hash](uint64_t index) { return splitmix64(hash ^ splitmix64(index)); };
}

std::vector<double> golden::uniform(const std::string &name, size_t count) {
  std::vector<double> result(count);
  auto word = words(name);
  for (size_t i = 0; i < count; ++i)
    result[i] = static_cast<double>(word(i) >> 40) * 0x1p-23 - 1.0;
  return result;
}

std::vector<double> golden::signs(const std::string &name, unsigned index, size_t count) {
  std::vector<double> result(count);
  auto word = words(name + "/sign" + std::to_string(index));
  for (size_t i = 0; i < count; ++i)
    result[i] = 1.0 - 2.0 * static_cast<double>(word(i) & 1);
  return result;
}

std::vector<int64_t> golden::labels(const std::string &name, size_t count, uint64_t classes) {
  std::vector<int64_t> result(count);
  auto word = words(name);
  for (size_t i = 0; i < count; ++i)
    result[i] = static_cast<int64_t>(word(i) % classes);
  return result;
}

static bool isScale(const std::string &path) {
  return path.size() >= 6 && path.compare(path.size() - 6, 6, "weight") == 0;
}

std::vector<double> golden::initial(const std::string &path, const std::vector<int64_t> &shape) {
  size_t count = 1;
  for (int64_t extent : shape)
    count *= static_cast<size_t>(extent);
  std::vector<double> values = uniform(path, count);
  if (shape.size() >= 2) {
    double fanIn = static_cast<double>(count) / static_cast<double>(shape[0]);
    for (double &value : values)
      value *= std::sqrt(6.0 / fanIn);
    return values;
  }
  for (double &value : values)
    value = (isScale(path) ? 1.0 : 0.0) + 0.1 * value;
  return values;
}

std::vector<double> golden::initialAwayFromKinks(const std::string &path, const std::vector<int64_t> &shape,
                                                 double shift) {
  std::vector<double> values = initial(path, shape);
  if (shift == 0.0 || shape.size() >= 2)
    return values;
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = isScale(path) ? values[i] * (shift / 4.0) : values[i] + (i % 4 == 3 ? -shift : shift);
  return values;
}
