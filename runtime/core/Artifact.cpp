//===- Artifact.cpp - Reading .espx bytes ---------------------------------===//

#include "espalier/Runtime/Program/Artifact.h"

#include "espalier/Runtime/Core/Text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <zlib.h>

#include <algorithm>
#include <cstring>

using namespace espalier::rt;
using nlohmann::json;

namespace {
constexpr uint32_t formatVersion = 1;
constexpr size_t headerBytes = 32, checkedFrom = 16;
constexpr int64_t placeAlignment = 64;
/// Addresses are below 2^47: no sum of two sizes below this wraps.
constexpr int64_t maxBytes = int64_t(1) << 46;
constexpr int maxDepth = 64;

constexpr std::string_view roleNames[] = {"input", "parameter", "state", "slot", "hyper", "packed", "output"};
} // namespace

std::string_view espalier::rt::name(Role role) { return roleNames[static_cast<size_t>(role)]; }

std::string_view espalier::rt::operationName(const Row &row) {
  constexpr std::string_view names[] = {"dispatch", "conv2d", "conv2d_input_gradient", "conv2d_filter_gradient",
                                        "matmul"};
  return names[row.operation.index()];
}

namespace {
struct CollectPlaces {
  std::vector<PlaceId> operator()(const DispatchRow &row) const { return row.places; }
  std::vector<PlaceId> operator()(const Conv2DRow &row) const {
    return with({row.input, row.filter, row.output}, {row.bias, row.residual});
  }
  std::vector<PlaceId> operator()(const Conv2DInputGradientRow &row) const {
    return {row.outputGradient, row.filter, row.inputGradient};
  }
  std::vector<PlaceId> operator()(const Conv2DFilterGradientRow &row) const {
    return {row.input, row.outputGradient, row.filterGradient};
  }
  std::vector<PlaceId> operator()(const MatmulRow &row) const {
    return with({row.lhs, row.rhs, row.output}, {row.bias});
  }

  static std::vector<PlaceId> with(std::vector<PlaceId> places,
                                   std::initializer_list<std::optional<PlaceId>> optionalPlaces) {
    for (const std::optional<PlaceId> &place : optionalPlaces)
      if (place)
        places.push_back(*place);
    return places;
  }
};
} // namespace

std::vector<PlaceId> espalier::rt::placesOf(const Row &row) { return std::visit(CollectPlaces(), row.operation); }

namespace {

/// Reads the manifest. The first failure sticks; after it every accessor returns a harmless value, so that callers
/// test `failure` once per object and not once per field.
class ManifestReader {
public:
  Status failure;

  void read(const json &manifest, Artifact &artifact);

private:
  void readProgram(const json &object, ProgramTable &program);
  Place readPlace(const json &object, const ProgramTable &program);
  Row readRow(const json &object, const ProgramTable &program);
  Conv2DGeometry readGeometry(const json &object);
  Clamp readClamp(const json &object);

  void fail(Status status) {
    if (failure.ok())
      failure = std::move(status).in(context);
  }
  /// The member `key`, or null after a failure.
  const json &member(const json &object, const char *key);
  const json::array_t &list(const json &object, const char *key);
  std::string string(const json &object, const char *key);
  int64_t integer(const json &value, const char *what, int64_t min, int64_t max);
  int64_t integerAt(const json &object, const char *key, int64_t min, int64_t max) {
    return integer(member(object, key), key, min, max);
  }
  bool boolean(const json &object, const char *key);
  std::vector<int64_t> integers(const json &object, const char *key, size_t maxCount, int64_t min, int64_t max);
  template <size_t N> std::array<int64_t, N> tuple(const json &object, const char *key, int64_t min);
  PlaceId placeId(const json &value, const char *what, const ProgramTable &program) {
    return static_cast<PlaceId>(integer(value, what, 0, static_cast<int64_t>(program.places.size()) - 1));
  }
  PlaceId placeAt(const json &object, const char *key, const ProgramTable &program) {
    return placeId(member(object, key), key, program);
  }
  std::optional<PlaceId> optionalPlaceAt(const json &object, const char *key, const ProgramTable &program) {
    if (!object.is_object() || !object.contains(key))
      return std::nullopt;
    return placeAt(object, key, program);
  }

  std::string context = "manifest";
  size_t numKernels = 0;
};

} // namespace

//===----------------------------------------------------------------------===//
// Fields
//===----------------------------------------------------------------------===//

const json &ManifestReader::member(const json &object, const char *key) {
  static const json null;
  if (!object.is_object()) {
    fail(invalidInput("expected an object, but got {}", object.type_name()));
    return null;
  }
  auto found = object.find(key);
  if (found == object.end()) {
    fail(invalidInput("lacks '{}'", key));
    return null;
  }
  return *found;
}

const json::array_t &ManifestReader::list(const json &object, const char *key) {
  static const json::array_t empty;
  const json &value = member(object, key);
  if (const auto *array = value.get_ptr<const json::array_t *>())
    return *array;
  fail(invalidInput("expected '{}' to be a list, but got {}", key, value.type_name()));
  return empty;
}

std::string ManifestReader::string(const json &object, const char *key) {
  const json &value = member(object, key);
  if (const auto *text = value.get_ptr<const json::string_t *>())
    return *text;
  fail(invalidInput("expected '{}' to be a string, but got {}", key, value.type_name()));
  return {};
}

int64_t ManifestReader::integer(const json &value, const char *what, int64_t min, int64_t max) {
  // nlohmann keeps non-negative numbers as unsigned: above 2^63 they would wrap.
  bool fits = value.is_number_integer() && (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX);
  if (fits && value.get<int64_t>() >= min && value.get<int64_t>() <= max)
    return value.get<int64_t>();
  fail(invalidInput("expected '{}' to be an integer in [{}, {}], but got {}", what, min, max,
                    value.is_number() ? value.dump() : value.type_name()));
  return std::max<int64_t>(min, 0);
}

bool ManifestReader::boolean(const json &object, const char *key) {
  const json &value = member(object, key);
  if (const auto *flag = value.get_ptr<const json::boolean_t *>())
    return *flag;
  fail(invalidInput("expected '{}' to be true or false, but got {}", key, value.type_name()));
  return false;
}

std::vector<int64_t> ManifestReader::integers(const json &object, const char *key, size_t maxCount, int64_t min,
                                              int64_t max) {
  const json::array_t &values = list(object, key);
  std::vector<int64_t> result;
  if (values.size() > maxCount) {
    fail(invalidInput("expected '{}' to have at most {} entries, but got {}", key, maxCount, values.size()));
    return result;
  }
  for (const json &value : values)
    result.push_back(integer(value, key, min, max));
  return result;
}

template <size_t N> std::array<int64_t, N> ManifestReader::tuple(const json &object, const char *key, int64_t min) {
  // Libraries take 32-bit geometry.
  std::vector<int64_t> values = integers(object, key, N, min, std::numeric_limits<int32_t>::max());
  std::array<int64_t, N> result{};
  if (values.size() == N)
    std::copy(values.begin(), values.end(), result.begin());
  else
    fail(invalidInput("expected '{}' to have {} entries, but got {}", key, N, values.size()));
  return result;
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

void ManifestReader::read(const json &manifest, Artifact &artifact) {
  artifact.cpu = string(manifest, "cpu");
  for (const json &extension : list(manifest, "extensions")) {
    if (!extension.is_string())
      return fail(invalidInput("expected 'extensions' to be strings, but got {}", extension.type_name()));
    artifact.extensions.push_back(extension.get<std::string>());
  }
  const json &metadata = member(manifest, "metadata");
  if (!metadata.is_object())
    return fail(invalidInput("expected 'metadata' to be an object, but got {}", metadata.type_name()));
  artifact.metadata = metadata.dump(-1, ' ', false, json::error_handler_t::replace);

  for (const json &object : list(manifest, "kernels")) {
    Kernel kernel;
    kernel.symbol = string(object, "symbol");
    kernel.extent = integerAt(object, "extent", 1, INT64_MAX / 2);
    kernel.grain = integerAt(object, "grain", 1, kernel.extent);
    artifact.kernels.push_back(std::move(kernel));
  }
  numKernels = artifact.kernels.size();
  for (const json &object : list(manifest, "programs")) {
    if (!failure.ok())
      return;
    readProgram(object, artifact.programs.emplace_back());
  }
}

void ManifestReader::readProgram(const json &object, ProgramTable &program) {
  context = "manifest: program";
  program.name = string(object, "name");
  context = fmt::format("manifest: program {}", quote(program.name));
  program.arenaBytes = integerAt(object, "arena_bytes", 0, maxBytes);
  const std::string programContext = context;
  for (const json &place : list(object, "places")) {
    context = fmt::format("{}: place #{}", programContext, program.places.size());
    program.places.push_back(readPlace(place, program));
    if (!failure.ok())
      return;
  }
  context = programContext;
  for (const json &row : list(object, "rows")) {
    context = fmt::format("{}: row #{}", programContext, program.rows.size());
    program.rows.push_back(readRow(row, program));
    if (!failure.ok())
      return;
  }
}

Place ManifestReader::readPlace(const json &object, const ProgramTable &program) {
  Place place;
  std::string kind = string(object, "kind"), dtypeName = string(object, "dtype");
  std::optional<DType> dtype = parseDType(dtypeName);
  if (!dtype) {
    fail(invalidInput("has unknown dtype {}", quote(dtypeName)));
    return place;
  }
  place.dtype = *dtype;
  place.shape = integers(object, "shape", maxPlaceRank, 0, maxBytes);
  std::optional<int64_t> bytes = checkedByteSize(place.dtype, place.shape);
  if (!bytes || *bytes >= maxBytes) {
    fail(invalidInput("has more than 2^46 bytes: {}", formatType(place.dtype, place.shape)));
    return place;
  }
  place.byteSize = *bytes;

  if (kind == "argument") {
    place.kind = Place::Kind::Argument;
    place.name = string(object, "name");
    std::string role = string(object, "role");
    const auto *found = std::find(std::begin(roleNames), std::end(roleNames), role);
    if (found == std::end(roleNames))
      fail(invalidInput("has unknown role {}", quote(role)));
    else
      place.role = static_cast<Role>(found - std::begin(roleNames));
    size_t rank = place.shape.size();
    place.logical = integers(object, "logical", rank, 0, maxBytes);
    place.permutation = integers(object, "permutation", rank, 0, static_cast<int64_t>(rank) - 1);
    std::vector<int64_t> sorted = place.permutation;
    std::sort(sorted.begin(), sorted.end());
    bool valid = place.logical.size() == rank && sorted.size() == rank &&
                 std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
    for (size_t dim = 0; valid && dim < rank; ++dim)
      valid = place.logical[static_cast<size_t>(place.permutation[dim])] <= place.shape[dim];
    if (!valid)
      fail(invalidInput("has logical shape [{}] and permutation [{}], which do not fit shape [{}]",
                        fmt::join(place.logical, ", "), fmt::join(place.permutation, ", "),
                        fmt::join(place.shape, ", ")));
    place.source = optionalPlaceAt(object, "tied", program);
    if (place.source && failure.ok()) {
      const Place &source = program.places[*place.source];
      if (place.role != Role::Output || source.kind != Place::Kind::Argument || source.role == Role::Output ||
          source.byteSize != place.byteSize)
        fail(invalidInput("is tied to place #{}, which is no input of its size", *place.source));
    }
    return place;
  }

  place.offset = integerAt(object, "offset", 0, maxBytes);
  int64_t available = program.arenaBytes;
  if (kind == "view") {
    place.kind = Place::Kind::View;
    place.source = placeAt(object, "source", program);
    if (!failure.ok())
      return place;
    available = program.places[*place.source].byteSize;
  } else if (kind != "buffer") {
    fail(invalidInput("has unknown kind {}", quote(kind)));
  }
  if (place.offset % placeAlignment != 0 || place.offset > available || place.byteSize > available - place.offset)
    fail(invalidInput("has {} bytes at offset {} of {} bytes", place.byteSize, place.offset, available));
  return place;
}

Conv2DGeometry ManifestReader::readGeometry(const json &object) {
  Conv2DGeometry geometry;
  std::string layout = string(object, "layout");
  if (layout != "nhwc" && layout != "nchw")
    fail(invalidInput("has unknown layout {}", quote(layout)));
  geometry.layout = layout == "nhwc" ? ImageLayout::NHWC : ImageLayout::NCHW;
  geometry.strides = tuple<2>(object, "strides", 1);
  geometry.pads = tuple<4>(object, "pads", 0);
  geometry.dilations = tuple<2>(object, "dilations", 1);
  geometry.groups = integerAt(object, "groups", 1, std::numeric_limits<int32_t>::max());
  return geometry;
}

Clamp ManifestReader::readClamp(const json &object) {
  Clamp clamp;
  for (auto [key, bound] : {std::pair("min", &clamp.min), std::pair("max", &clamp.max)}) {
    if (!object.contains(key))
      continue;
    if (!object[key].is_number())
      fail(invalidInput("expected '{}' to be a number, but got {}", key, object[key].type_name()));
    else
      *bound = object[key].get<float>();
  }
  return clamp;
}

Row ManifestReader::readRow(const json &object, const ProgramTable &program) {
  Row row;
  std::string op = string(object, "op");
  row.location = string(object, "location");
  row.scope = string(object, "scope");
  for (auto [key, text] : {std::pair("candidate", &row.candidate), std::pair("reason", &row.reason)})
    if (object.contains(key))
      *text = string(object, key);
  if (!failure.ok())
    return row;
  if (op == "dispatch") {
    DispatchRow dispatch;
    dispatch.kernel = static_cast<uint32_t>(integerAt(object, "kernel", 0, static_cast<int64_t>(numKernels) - 1));
    for (const json &place : list(object, "places"))
      dispatch.places.push_back(placeId(place, "places", program));
    row.operation = std::move(dispatch);
  } else if (op == "conv2d") {
    Conv2DRow conv;
    conv.geometry = readGeometry(object);
    conv.input = placeAt(object, "input", program);
    conv.filter = placeAt(object, "filter", program);
    conv.output = placeAt(object, "output", program);
    conv.bias = optionalPlaceAt(object, "bias", program);
    conv.residual = optionalPlaceAt(object, "residual", program);
    conv.clamp = readClamp(object);
    conv.constantFilter = boolean(object, "constant_filter");
    row.operation = conv;
  } else if (op == "conv2d_input_gradient") {
    Conv2DInputGradientRow conv;
    conv.geometry = readGeometry(object);
    conv.outputGradient = placeAt(object, "output_gradient", program);
    conv.filter = placeAt(object, "filter", program);
    conv.inputGradient = placeAt(object, "input_gradient", program);
    row.operation = conv;
  } else if (op == "conv2d_filter_gradient") {
    Conv2DFilterGradientRow conv;
    conv.geometry = readGeometry(object);
    conv.input = placeAt(object, "input", program);
    conv.outputGradient = placeAt(object, "output_gradient", program);
    conv.filterGradient = placeAt(object, "filter_gradient", program);
    row.operation = conv;
  } else if (op == "matmul") {
    MatmulRow matmul;
    matmul.lhs = placeAt(object, "lhs", program);
    matmul.rhs = placeAt(object, "rhs", program);
    matmul.output = placeAt(object, "output", program);
    matmul.bias = optionalPlaceAt(object, "bias", program);
    matmul.transposeLhs = boolean(object, "transpose_lhs");
    matmul.transposeRhs = boolean(object, "transpose_rhs");
    matmul.constantRhs = boolean(object, "constant_rhs");
    matmul.clamp = readClamp(object);
    row.operation = matmul;
  } else {
    fail(unsupported("has operation {}, which this runtime does not know", quote(op)));
  }
  return row;
}

//===----------------------------------------------------------------------===//
// Artifact
//===----------------------------------------------------------------------===//

template <typename T> static T readLittleEndian(const uint8_t *bytes) {
  T value = 0;
  for (size_t i = sizeof(T); i-- > 0;)
    value = static_cast<T>(value << 8 | bytes[i]);
  return value;
}

Expected<Artifact> Artifact::parse(Span<const uint8_t> bytes) {
  static constexpr uint8_t magic[8] = {0x89, 'E', 'S', 'P', 'X', '\r', '\n', 0x1a};
  if (bytes.size() < headerBytes || std::memcmp(bytes.data(), magic, sizeof(magic)) != 0)
    return invalidInput("this is no Espalier artifact (.espx)");
  uint32_t version = readLittleEndian<uint32_t>(bytes.data() + 8);
  if (version != formatVersion)
    return unsupported("artifact has format version {}, this runtime reads version {}", version, formatVersion);
  uint64_t manifestBytes = readLittleEndian<uint64_t>(bytes.data() + 16);
  uint64_t objectBytes = readLittleEndian<uint64_t>(bytes.data() + 24);
  uint64_t available = bytes.size() - headerBytes;
  if (manifestBytes > available)
    return invalidInput("manifest has {} bytes, but {} remain (truncated?)", manifestBytes, available);
  uint64_t objectStart = (headerBytes + manifestBytes + 63) / 64 * 64;
  if (objectStart > bytes.size() || objectBytes != bytes.size() - objectStart)
    return invalidInput("artifact has {} bytes, its header says {} (truncated?)", bytes.size(),
                        objectStart + std::min<uint64_t>(objectBytes, maxBytes));
  // The length parameter of crc32_z is a size_t, unlike that of crc32.
  uint32_t checksum = static_cast<uint32_t>(crc32_z(0, bytes.data() + checkedFrom, bytes.size() - checkedFrom));
  if (uint32_t stored = readLittleEndian<uint32_t>(bytes.data() + 12); stored != checksum)
    return invalidInput("artifact is damaged: checksum is {:08x}, its header says {:08x}", checksum, stored);

  Artifact artifact;
  const char *manifest = reinterpret_cast<const char *>(bytes.data()) + headerBytes;
  // Printing the metadata recurses.
  bool isTooDeep = false;
  auto checkDepth = [&](int depth, json::parse_event_t, json &) {
    isTooDeep |= depth > maxDepth;
    return !isTooDeep;
  };
  json parsed = json::parse(manifest, manifest + manifestBytes, checkDepth, /*allow_exceptions=*/false);
  if (isTooDeep)
    return invalidInput("manifest is nested deeper than {} levels", maxDepth);
  if (parsed.is_discarded())
    return invalidInput("manifest is not valid JSON");
  ManifestReader reader;
  reader.read(parsed, artifact);
  if (!reader.failure.ok())
    return std::move(reader.failure);
  artifact.sharedObject.assign(bytes.begin() + objectStart, bytes.end());
  return artifact;
}

Expected<const ProgramTable *> Artifact::findProgram(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const ProgramTable &program : programs) {
    if (program.name == name)
      return &program;
    names.push_back(program.name);
  }
  return unsupported("artifact has no program {}; it has: {}", quote(name), fmt::join(names, ", "));
}
