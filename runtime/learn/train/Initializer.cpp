//===- Initializer.cpp - How parameters and states start ------------------===//

#include "espalier/Runtime/Train/Initializer.h"

#include "espalier/Runtime/Core/Philox.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>

using namespace espalier::rt;
using Json = nlohmann::json;

Expected<InitializerTable> espalier::rt::parseInitializers(const std::string &metadata) {
  InitializerTable table;
  Json document = Json::parse(metadata, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object())
    return invalidInput("the artifact's metadata is not a JSON object");
  auto entries = document.find("initializers");
  if (entries == document.end())
    return table;
  for (const auto &[name, entry] : entries->items()) {
    struct KindEntry {
      Initializer::Kind kind;
      size_t numNumbers;
    };
    static const std::map<std::string, KindEntry> kinds = {{"fill", {Initializer::Kind::Fill, 1}},
                                                           {"uniform", {Initializer::Kind::Uniform, 2}},
                                                           {"normal", {Initializer::Kind::Normal, 2}},
                                                           {"values", {Initializer::Kind::Values, 0}}};
    auto kind = entry.is_array() && !entry.empty() && entry[0].is_string() ? kinds.find(entry[0].get<std::string>())
                                                                           : kinds.end();
    bool isList = kind != kinds.end() && kind->second.kind == Initializer::Kind::Values;
    bool valid = kind != kinds.end() && (isList || entry.size() == kind->second.numNumbers + 1);
    for (size_t i = 1; valid && i < entry.size(); ++i)
      valid = entry[i].is_number();
    if (!valid)
      return invalidInput("the artifact's metadata has no valid initializer for '{}': {}", name, entry.dump());
    Initializer &initializer = table[name];
    initializer.kind = kind->second.kind;
    if (isList) {
      std::transform(entry.begin() + 1, entry.end(), std::back_inserter(initializer.values),
                     [](const Json &value) { return value.get<double>(); });
      continue;
    }
    initializer.a = entry[1].get<double>();
    initializer.b = entry.size() > 2 ? entry[2].get<double>() : 0.0;
  }
  return table;
}

/// FNV-1a, 64 bits.
static uint64_t hashName(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char byte : name)
    hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

/// Uniform in [0, 1) with 53 bits, from two words.
static double toUnit(uint32_t high, uint32_t low) {
  uint64_t bits = (static_cast<uint64_t>(high) << 32 | low) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

/// Two uniforms for each block: enough for two uniform elements or a Box-Muller pair.
static double draw(const Initializer &initializer, uint64_t index, uint64_t key, uint64_t seed) {
  uint64_t block = index / 2;
  PhiloxCounter words = philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                                    static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
                                   philoxKey(key));
  double u = toUnit(words[0], words[1]), v = toUnit(words[2], words[3]);
  bool second = index % 2;
  if (initializer.kind == Initializer::Kind::Uniform)
    return initializer.a + (initializer.b - initializer.a) * (second ? v : u);
  constexpr double twoPi = 6.283185307179586477;
  double radius = std::sqrt(-2.0 * std::log1p(-u));
  return initializer.a + initializer.b * radius * (second ? std::sin(twoPi * v) : std::cos(twoPi * v));
}

static double elementAt(const Initializer &initializer, size_t index, uint64_t key, uint64_t seed) {
  switch (initializer.kind) {
  case Initializer::Kind::Fill:
    return initializer.a;
  case Initializer::Kind::Values:
    return initializer.values[index];
  case Initializer::Kind::Uniform:
  case Initializer::Kind::Normal:
    break;
  }
  return draw(initializer, index, key, seed);
}

template <typename T>
static void fillElements(HostTensor &tensor, const Initializer &initializer, uint64_t key, uint64_t seed) {
  Span<T> elements = tensor.elements<T>();
  for (size_t i = 0; i < elements.size(); ++i)
    elements[i] = static_cast<T>(elementAt(initializer, i, key, seed));
}

Status espalier::rt::initialize(HostTensor &tensor, const Initializer &initializer, std::string_view name,
                                uint64_t seed) {
  auto numElements = static_cast<size_t>(tensor.numElements());
  if (initializer.kind == Initializer::Kind::Values && initializer.values.size() != numElements)
    return invalidInput("'{}' has {} elements, but its initializer has values for {}", name, numElements,
                        initializer.values.size());
  uint64_t key = hashName(name);
  switch (tensor.dtype()) {
  case DType::F32:
    fillElements<float>(tensor, initializer, key, seed);
    return {};
  case DType::F64:
    fillElements<double>(tensor, initializer, key, seed);
    return {};
  case DType::I32:
    fillElements<int32_t>(tensor, initializer, key, seed);
    return {};
  case DType::I64:
    fillElements<int64_t>(tensor, initializer, key, seed);
    return {};
  default:
    return unsupported("cannot initialize '{}' of type {}; f32, f64, i32 and i64 can be", name,
                       espalier::rt::name(tensor.dtype()));
  }
}
