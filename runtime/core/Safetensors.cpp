//===- Safetensors.cpp - Named tensors in a .safetensors file -------------===//

#include "espalier/Runtime/Core/Safetensors.h"

#include "espalier/Runtime/Core/Text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <tuple>

using namespace espalier::rt;

/// The limit of the reference implementation.
static constexpr uint64_t maxHeaderBytes = 100'000'000;
static constexpr size_t maxRank = 64;
static constexpr std::string_view metadataKey = "__metadata__";

namespace {
struct SafetensorsType {
  std::string_view name;
  DType dtype;
};

/// Builds the tables while nlohmann's parser reads the header. The grammar is two levels of objects and arrays of
/// integers; the parser stops at the first event that does not fit, so nesting costs nothing.
class HeaderReader {
public:
  Metadata metadata;
  std::map<std::string, SafetensorsEntry> tensors;
  Status failure;

  bool start_object(size_t);
  bool end_object();
  bool start_array(size_t);
  bool end_array();
  bool key(std::string &key);
  bool string(std::string &value);
  bool number_unsigned(uint64_t value);
  bool number_integer(int64_t) { return unexpected("a negative number"); }
  bool number_float(double, const std::string &) { return unexpected("a fraction"); }
  bool boolean(bool) { return unexpected("a boolean"); }
  bool null() { return unexpected("null"); }
  bool binary(std::vector<uint8_t> &) { return unexpected("binary data"); }
  bool parse_error(size_t position, const std::string &, const nlohmann::json::exception &);

private:
  enum class Place { Start, Top, Metadata, Tensor, Shape, Offsets, End };

  bool fail(Status status) {
    failure = std::move(status);
    return false;
  }
  bool unexpected(std::string_view what);
  std::string where() const;
  bool finishTensor();

  Place place = Place::Start;
  std::string topKey; ///< name of the tensor being read, or the metadata key
  std::string field;  ///< key inside the tensor or the metadata
  std::optional<DType> dtype;
  std::optional<std::vector<int64_t>> shape;
  std::optional<std::vector<uint64_t>> offsets;
  bool seenMetadata = false;
};
} // namespace

static constexpr SafetensorsType safetensorsTypes[] = {
    {"F32", DType::F32}, {"F64", DType::F64}, {"BF16", DType::BF16}, {"F16", DType::F16}, {"BOOL", DType::I1},
    {"U8", DType::U8},   {"I8", DType::I8},   {"I32", DType::I32},   {"I64", DType::I64},
};

//===----------------------------------------------------------------------===//
// Header
//===----------------------------------------------------------------------===//

std::string HeaderReader::where() const {
  switch (place) {
  case Place::Start:
  case Place::Top:
  case Place::End:
    return "header";
  case Place::Metadata:
    return "metadata";
  case Place::Tensor:
  case Place::Shape:
  case Place::Offsets:
    return fmt::format("tensor {}", quote(topKey));
  }
  return "";
}

bool HeaderReader::unexpected(std::string_view what) {
  std::string_view wanted;
  switch (place) {
  case Place::Start:
    wanted = "an object";
    break;
  case Place::Top:
    wanted = topKey == metadataKey ? "an object of strings" : "an object with dtype, shape and data_offsets";
    break;
  case Place::Metadata:
    wanted = "a string";
    break;
  case Place::Tensor:
    wanted = field == "dtype" ? "a string as dtype" : field == "shape" ? "a list as shape" : "a list as data_offsets";
    break;
  case Place::Shape:
  case Place::Offsets:
    wanted = "a non-negative integer that fits in 63 bits";
    break;
  case Place::End:
    wanted = "nothing more";
    break;
  }
  return fail(invalidInput("{}: expected {}, but got {}", where(), wanted, what));
}

bool HeaderReader::start_object(size_t) {
  if (place == Place::Start) {
    place = Place::Top;
    return true;
  }
  if (place != Place::Top)
    return unexpected("an object");
  if (topKey == metadataKey) {
    place = Place::Metadata;
  } else {
    place = Place::Tensor;
    dtype.reset();
    shape.reset();
    offsets.reset();
  }
  return true;
}

bool HeaderReader::end_object() {
  if (place == Place::Tensor)
    return finishTensor();
  place = place == Place::Metadata ? Place::Top : Place::End;
  return true;
}

bool HeaderReader::finishTensor() {
  if (!dtype || !shape || !offsets)
    return fail(invalidInput("{} lacks '{}'", where(), !dtype ? "dtype" : (!shape ? "shape" : "data_offsets")));
  if (offsets->size() != 2)
    return fail(invalidInput("{}: expected 2 data_offsets, but got {}", where(), offsets->size()));
  uint64_t begin = (*offsets)[0], end = (*offsets)[1];
  if (begin > end)
    return fail(invalidInput("{}: data_offsets [{}, {}] run backwards", where(), begin, end));
  std::optional<int64_t> size = checkedByteSize(*dtype, *shape);
  if (!size)
    return fail(invalidInput("{}: the size of {} overflows", where(), formatType(*dtype, *shape)));
  if (static_cast<uint64_t>(*size) != end - begin)
    return fail(invalidInput("{}: {} takes {} bytes, but data_offsets [{}, {}] hold {}", where(),
                             formatType(*dtype, *shape), *size, begin, end, end - begin));
  tensors.emplace(topKey, SafetensorsEntry{*dtype, std::move(*shape), begin, end});
  place = Place::Top;
  return true;
}

bool HeaderReader::start_array(size_t) {
  if (place != Place::Tensor || field == "dtype")
    return unexpected("a list");
  if (field == "shape") {
    place = Place::Shape;
    shape.emplace();
  } else {
    place = Place::Offsets;
    offsets.emplace();
  }
  return true;
}

bool HeaderReader::end_array() {
  place = Place::Tensor;
  return true;
}

bool HeaderReader::key(std::string &key) {
  bool duplicate;
  if (place == Place::Top) {
    duplicate = tensors.count(key) || (key == metadataKey && std::exchange(seenMetadata, true));
    topKey = key;
  } else if (place == Place::Metadata) {
    duplicate = metadata.count(key);
    field = key;
  } else {
    field = key;
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      return fail(invalidInput("{}: unknown key {}", where(), quote(key)));
    duplicate = key == "dtype" ? dtype.has_value() : key == "shape" ? shape.has_value() : offsets.has_value();
  }
  if (duplicate)
    return fail(invalidInput("{}: {} appears twice", where(), quote(key)));
  return true;
}

bool HeaderReader::string(std::string &value) {
  if (place == Place::Metadata) {
    metadata.emplace(field, value);
    return true;
  }
  if (place != Place::Tensor || field != "dtype")
    return unexpected("a string");
  for (const SafetensorsType &type : safetensorsTypes)
    if (type.name == value)
      dtype = type.dtype;
  if (!dtype)
    return fail(unsupported("{}: dtype {} is not supported", where(), quote(value)));
  return true;
}

bool HeaderReader::number_unsigned(uint64_t value) {
  if ((place != Place::Shape && place != Place::Offsets) || value > INT64_MAX)
    return unexpected(value > INT64_MAX ? fmt::format("{}", value) : "a number");
  if (place == Place::Offsets)
    offsets->push_back(value);
  else
    shape->push_back(static_cast<int64_t>(value));
  if (place == Place::Shape && shape->size() > maxRank)
    return fail(invalidInput("{}: more than {} dims", where(), maxRank));
  if (place == Place::Offsets && offsets->size() > 2)
    return fail(invalidInput("{}: more than 2 data_offsets", where()));
  return true;
}

bool HeaderReader::parse_error(size_t position, const std::string &, const nlohmann::json::exception &) {
  constexpr size_t lengthBytes = 8;
  return fail(invalidInput("header is not valid JSON at byte {}", lengthBytes + position));
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

/// The ranges must cover the data exactly: bytes that no tensor owns could hide content, shared bytes are an attack
/// or an error.
static Status checkCoverage(const std::map<std::string, SafetensorsEntry> &tensors, uint64_t dataSize) {
  using Item = std::pair<const std::string, SafetensorsEntry>;
  std::vector<const Item *> items;
  for (const Item &item : tensors)
    items.push_back(&item);
  std::sort(items.begin(), items.end(), [](const Item *a, const Item *b) {
    return std::tie(a->second.begin, a->second.end, a->first) < std::tie(b->second.begin, b->second.end, b->first);
  });
  uint64_t end = 0;
  const Item *previous = nullptr;
  for (const Item *item : items) {
    const SafetensorsEntry &entry = item->second;
    if (entry.end > dataSize)
      return invalidInput("tensor {} ends at byte {} of the data, but the file has {} (truncated?)", quote(item->first),
                          entry.end, dataSize);
    if (entry.begin < end)
      return invalidInput("tensors {} and {} overlap", quote(previous->first), quote(item->first));
    if (entry.begin > end)
      return invalidInput("bytes {} to {} of the data belong to no tensor", end, entry.begin);
    end = entry.end;
    previous = item;
  }
  if (end != dataSize)
    return invalidInput("bytes {} to {} of the data belong to no tensor", end, dataSize);
  return {};
}

static Expected<std::vector<uint8_t>> readHeader(const InputFile &file) {
  uint8_t prefix[8];
  if (file.size() < sizeof(prefix))
    return invalidInput("not a safetensors file: expected at least 8 bytes, but got {}", file.size());
  if (Status status = file.readAt(0, {prefix, sizeof(prefix)}); !status.ok())
    return status;
  uint64_t length = 0;
  for (size_t i = sizeof(prefix); i-- > 0;)
    length = length << 8 | prefix[i];
  if (length > file.size() - sizeof(prefix))
    return invalidInput("header says {} bytes, file has {} (truncated, or not a safetensors file)", length,
                        file.size() - sizeof(prefix));
  if (length > maxHeaderBytes)
    return invalidInput("header has {}, the limit is {}", formatBytes(length), formatBytes(maxHeaderBytes));
  std::vector<uint8_t> header(length);
  if (Status status = file.readAt(sizeof(prefix), header); !status.ok())
    return status;
  // The parser takes a zero byte for the end of its input.
  if (auto zero = std::find(header.begin(), header.end(), 0); zero != header.end())
    return invalidInput("header has a zero byte at byte {}", sizeof(prefix) + (zero - header.begin()));
  return header;
}

Expected<SafetensorsFile> SafetensorsFile::open(const std::string &path) {
  Expected<InputFile> file = InputFile::open(path);
  if (!file)
    return file.takeStatus();
  Expected<std::vector<uint8_t>> header = readHeader(*file);
  if (!header)
    return header.takeStatus().in(path);
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(header->begin(), header->end(), &reader))
    return std::move(reader.failure).in(path);
  uint64_t dataStart = 8 + header->size();
  if (Status status = checkCoverage(reader.tensors, file->size() - dataStart); !status.ok())
    return std::move(status).in(path);
  return SafetensorsFile(*std::move(file), dataStart, std::move(reader.metadata), std::move(reader.tensors));
}

Expected<HostTensor> SafetensorsFile::read(const std::string &name) const {
  auto found = tensors.find(name);
  if (found == tensors.end())
    return invalidInput("{} has no tensor {}", path(), quote(name));
  Expected<HostTensor> tensor = HostTensor::create(found->second.dtype, found->second.shape);
  if (!tensor)
    return tensor;
  if (Status status = file.readAt(dataStart + found->second.begin, tensor->bytes()); !status.ok())
    return status;
  if (tensor->dtype() == DType::I1)
    for (uint8_t &value : tensor->bytes())
      value = value != 0;
  return tensor;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static std::string_view safetensorsName(DType dtype) {
  for (const SafetensorsType &type : safetensorsTypes)
    if (type.dtype == dtype)
      return type.name;
  return "";
}

static Expected<std::string> formatHeader(Span<const std::pair<std::string, const HostTensor *>> tensors,
                                          const Metadata &metadata) {
  std::vector<std::string> items;
  try {
    if (!metadata.empty())
      items.push_back(fmt::format("\"{}\":{}", metadataKey, nlohmann::json(metadata).dump()));
    uint64_t offset = 0;
    for (const auto &[name, tensor] : tensors) {
      if (name == metadataKey)
        return invalidInput("a tensor cannot be named {}", quote(metadataKey));
      uint64_t end = offset + tensor->byteSize();
      items.push_back(fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                                  nlohmann::json(name).dump(), safetensorsName(tensor->dtype()),
                                  fmt::join(tensor->shape(), ","), offset, end));
      offset = end;
    }
  } catch (const nlohmann::json::exception &) {
    return invalidInput("a tensor name or metadata entry is not valid UTF-8");
  }
  return fmt::format("{{{}}}", fmt::join(items, ","));
}

Status espalier::rt::writeSafetensors(const std::string &path, const std::map<std::string, const HostTensor *> &tensors,
                                      const Metadata &metadata) {
  Expected<AtomicFile> file = stageSafetensors(path, tensors, metadata);
  return file ? file->commit() : file.takeStatus();
}

Expected<AtomicFile> espalier::rt::stageSafetensors(const std::string &path,
                                                    const std::map<std::string, const HostTensor *> &tensors,
                                                    const Metadata &metadata) {
  std::vector<std::pair<std::string, const HostTensor *>> ordered(tensors.begin(), tensors.end());
  std::sort(ordered.begin(), ordered.end(), [](const auto &a, const auto &b) {
    size_t widthA = byteWidth(a.second->dtype()), widthB = byteWidth(b.second->dtype());
    return widthA != widthB ? widthA > widthB : a.first < b.first;
  });
  Expected<std::string> header = formatHeader(ordered, metadata);
  if (!header)
    return header.takeStatus().in(fmt::format("cannot write {}", quote(path)));
  // Blanks at the end of the header align the data to 8 bytes.
  header->resize((header->size() + 7) / 8 * 8, ' ');
  std::string prefix;
  for (unsigned shift = 0; shift < 64; shift += 8)
    prefix += static_cast<char>(static_cast<uint64_t>(header->size()) >> shift & 0xff);

  Expected<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.takeStatus();
  if (Status status = file->write(prefix + *header); !status.ok())
    return status;
  for (const auto &[name, tensor] : ordered)
    if (Status status = file->write(tensor->bytes()); !status.ok())
      return status;
  return file;
}
