//===- Npy.cpp - NumPy's .npy files ---------------------------------------===//

#include "espalier/Runtime/Core/Npy.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Core/Text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

using namespace espalier::rt;

static constexpr std::string_view magic = "\x93NUMPY";
/// NumPy allows rank 64; a header for that is far below the limit of its text.
static constexpr size_t maxTextBytes = maxNpyHeaderBytes - 12;
static constexpr size_t maxRank = 64;

namespace {
struct NpyType {
  std::string_view code; ///< type letter and width, after the byte order
  DType dtype;
};

/// Reads the dictionary of the header, a Python literal such as
/// `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`. Positions in messages are bytes of the file.
class HeaderParser {
public:
  HeaderParser(std::string_view text, size_t fileOffset) : text(text), fileOffset(fileOffset) {}

  Expected<NpyHeader> parse();

private:
  Status parseKey();
  Status parseDescr();
  Status parseFortranOrder();
  Status parseShape();

  Expected<std::string_view> parseString();
  void skipBlanks() {
    while (position < text.size() && std::string_view(" \t\n\r").find(text[position]) != std::string_view::npos)
      ++position;
  }
  /// Whether `token` comes next; then steps over it.
  bool accept(std::string_view token) {
    skipBlanks();
    if (text.substr(position, token.size()) != token)
      return false;
    position += token.size();
    return true;
  }
  Status expected(std::string_view what) const {
    return invalidInput("header at byte {}: expected {}", fileOffset + position, what);
  }

  std::string_view text;
  size_t fileOffset;
  size_t position = 0;
  NpyHeader header;
  bool seenDescr = false, seenFortranOrder = false, seenShape = false;
};
} // namespace

static constexpr NpyType npyTypes[] = {
    {"f4", DType::F32}, {"f8", DType::F64}, {"f2", DType::F16}, {"b1", DType::I1},
    {"u1", DType::U8},  {"i1", DType::I8},  {"i4", DType::I32}, {"i8", DType::I64},
};

//===----------------------------------------------------------------------===//
// Header
//===----------------------------------------------------------------------===//

Expected<NpyHeader> HeaderParser::parse() {
  if (!accept("{"))
    return expected("'{'");
  while (!accept("}")) {
    if (Status status = parseKey(); !status.ok())
      return status;
    if (!accept(",") && text.substr(position, 1) != "}")
      return expected("',' or '}'");
  }
  skipBlanks();
  if (position != text.size())
    return expected("nothing after '}'");
  if (!seenDescr || !seenFortranOrder || !seenShape)
    return invalidInput("header lacks the key '{}'",
                        !seenDescr ? "descr" : (!seenFortranOrder ? "fortran_order" : "shape"));
  return std::move(header);
}

Status HeaderParser::parseKey() {
  size_t start = position;
  Expected<std::string_view> key = parseString();
  if (!key)
    return key.takeStatus();
  if (!accept(":"))
    return expected("':'");
  bool *seen = *key == "descr"           ? &seenDescr
               : *key == "fortran_order" ? &seenFortranOrder
               : *key == "shape"         ? &seenShape
                                         : nullptr;
  if (!seen)
    return invalidInput("header at byte {}: unknown key {}", fileOffset + start, quote(*key));
  if (std::exchange(*seen, true))
    return invalidInput("header at byte {}: key {} appears twice", fileOffset + start, quote(*key));
  return seen == &seenDescr ? parseDescr() : seen == &seenShape ? parseShape() : parseFortranOrder();
}

Expected<std::string_view> HeaderParser::parseString() {
  skipBlanks();
  char mark = position < text.size() ? text[position] : '\0';
  size_t end = mark == '\'' || mark == '"' ? text.find(mark, position + 1) : std::string_view::npos;
  if (end == std::string_view::npos)
    return expected("a quoted string");
  std::string_view content = text.substr(position + 1, end - position - 1);
  position = end + 1;
  return content;
}

Status HeaderParser::parseDescr() {
  skipBlanks();
  if (text.substr(position, 1) == "[")
    return unsupported("structured arrays are not supported");
  Expected<std::string_view> descr = parseString();
  if (!descr)
    return descr.takeStatus();
  std::string_view order = "=", code = *descr;
  if (!code.empty() && std::string_view("<>|=").find(code[0]) != std::string_view::npos) {
    order = code.substr(0, 1);
    code.remove_prefix(1);
  }
  header.isBigEndian = order == ">";
  for (const NpyType &type : npyTypes) {
    if (type.code == code) {
      header.dtype = type.dtype;
      return {};
    }
  }
  std::vector<std::string_view> codes;
  for (const NpyType &type : npyTypes)
    codes.push_back(type.code);
  return unsupported("element type {} is not supported; supported are {}", quote(*descr), fmt::join(codes, ", "));
}

Status HeaderParser::parseFortranOrder() {
  header.isFortranOrder = accept("True");
  if (!header.isFortranOrder && !accept("False"))
    return expected("True or False");
  return {};
}

Status HeaderParser::parseShape() {
  if (!accept("("))
    return expected("'('");
  while (!accept(")")) {
    skipBlanks();
    size_t start = position;
    int64_t dim = 0;
    for (; position < text.size() && text[position] >= '0' && text[position] <= '9'; ++position)
      if (__builtin_mul_overflow(dim, 10, &dim) || __builtin_add_overflow(dim, text[position] - '0', &dim))
        return invalidInput("header at byte {}: dim does not fit in 64 bits", fileOffset + start);
    if (position == start)
      return expected("a dim or ')'");
    accept("L"); // Python 2 wrote long integers so
    header.shape.push_back(dim);
    if (header.shape.size() > maxRank)
      return invalidInput("header at byte {}: more than {} dims", fileOffset + start, maxRank);
    if (!accept(",") && text.substr(position, 1) != ")")
      return expected("',' or ')'");
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Data
//===----------------------------------------------------------------------===//

static void swapBytes(HostTensor &tensor) {
  size_t width = byteWidth(tensor.dtype());
  Span<uint8_t> bytes = tensor.bytes();
  for (size_t start = 0; start < bytes.size(); start += width)
    std::reverse(bytes.begin() + start, bytes.begin() + start + width);
}

/// Copies `source`, whose elements lie with the first index running fastest, into row-major order.
static Expected<HostTensor> toRowMajor(const HostTensor &source) {
  Expected<HostTensor> result = HostTensor::create(source.dtype(), source.shape());
  if (!result || source.numElements() == 0)
    return result;
  size_t width = byteWidth(source.dtype()), rank = source.shape().size();
  std::vector<int64_t> index(rank), stride(rank, 1);
  for (size_t axis = 1; axis < rank; ++axis)
    stride[axis] = stride[axis - 1] * source.shape()[axis - 1];
  int64_t from = 0;
  for (int64_t to = 0; to < source.numElements(); ++to) {
    std::memcpy(result->bytes().data() + to * width, source.bytes().data() + from * width, width);
    for (size_t axis = rank; axis-- > 0;) {
      from += stride[axis];
      if (++index[axis] < source.shape()[axis])
        break;
      from -= stride[axis] * index[axis];
      index[axis] = 0;
    }
  }
  return result;
}

Expected<NpyHeader> espalier::rt::parseNpyHeader(Span<const uint8_t> start) {
  constexpr size_t prefixSize = 8;
  if (std::string_view(reinterpret_cast<const char *>(start.data()), std::min(start.size(), magic.size())) != magic)
    return invalidInput("not an npy file: it does not start with '\\x93NUMPY'");
  auto endsEarly = [&] { return invalidInput("file ends at byte {}, in the middle of the header", start.size()); };
  if (start.size() < prefixSize)
    return endsEarly();
  unsigned major = start[6], minor = start[7];
  if (major < 1 || major > 3 || minor != 0)
    return unsupported("npy version {}.{} is not supported; versions 1.0 to 3.0 are", major, minor);
  // The header's length has two bytes in version 1, four later.
  size_t lengthBytes = major == 1 ? 2 : 4;
  uint64_t length = 0, textStart = prefixSize + lengthBytes;
  if (start.size() < textStart)
    return endsEarly();
  for (size_t i = lengthBytes; i-- > 0;)
    length = length << 8 | start[prefixSize + i];
  if (length > maxTextBytes)
    return invalidInput("header length {} exceeds the limit of {} bytes", length, maxTextBytes);
  if (length > start.size() - textStart)
    return invalidInput("header says {} bytes, file has {} after byte {} (truncated?)", length,
                        start.size() - textStart, textStart);
  std::string_view text(reinterpret_cast<const char *>(start.data()) + textStart, static_cast<size_t>(length));
  Expected<NpyHeader> header = HeaderParser(text, textStart).parse();
  if (header)
    header->dataStart = textStart + length;
  return header;
}

static Expected<HostTensor> readNpy(const InputFile &file) {
  std::vector<uint8_t> prefix(static_cast<size_t>(std::min<uint64_t>(file.size(), maxNpyHeaderBytes)));
  if (Status status = file.readAt(0, prefix); !status.ok())
    return status;
  Expected<NpyHeader> header = parseNpyHeader(prefix);
  if (!header)
    return header.takeStatus();

  std::optional<int64_t> size = checkedByteSize(header->dtype, header->shape);
  if (!size)
    return invalidInput("the size of {} overflows", formatType(header->dtype, header->shape));
  uint64_t available = file.size() - header->dataStart;
  if (static_cast<uint64_t>(*size) != available)
    return invalidInput("{} takes {} bytes, but the file has {} after the header{}",
                        formatType(header->dtype, header->shape), *size, available,
                        static_cast<uint64_t>(*size) > available ? " (truncated?)" : "");
  Expected<HostTensor> tensor = HostTensor::create(header->dtype, std::move(header->shape));
  if (!tensor)
    return tensor;
  if (Status status = file.readAt(header->dataStart, tensor->bytes()); !status.ok())
    return status;
  if (header->isBigEndian)
    swapBytes(*tensor);
  if (header->dtype == DType::I1)
    for (uint8_t &value : tensor->bytes())
      value = value != 0;
  return header->isFortranOrder ? toRowMajor(*tensor) : std::move(tensor);
}

Expected<HostTensor> espalier::rt::readNpy(const std::string &path) {
  Expected<InputFile> file = InputFile::open(path);
  if (!file)
    return file.takeStatus();
  Expected<HostTensor> tensor = ::readNpy(*file);
  if (!tensor)
    return tensor.takeStatus().in(path);
  return tensor;
}

Status espalier::rt::writeNpy(const std::string &path, const HostTensor &tensor) {
  const NpyType *type = std::find_if(std::begin(npyTypes), std::end(npyTypes),
                                     [&](const NpyType &type) { return type.dtype == tensor.dtype(); });
  if (type == std::end(npyTypes))
    return unsupported("cannot write {}: npy has no {}; write safetensors, or convert to f32", quote(path),
                       name(tensor.dtype()));
  std::string shape;
  for (int64_t dim : tensor.shape())
    shape += fmt::format("{}, ", dim);
  if (tensor.shape().size() > 1)
    shape.resize(shape.size() - 2);
  std::string header = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                   byteWidth(tensor.dtype()) == 1 ? '|' : '<', type->code, shape);
  // The data starts at a multiple of 64 bytes; the header ends with a newline.
  constexpr size_t prefixSize = 10, align = 64;
  size_t end = (prefixSize + header.size() + 1 + align - 1) / align * align;
  header.append(end - prefixSize - header.size() - 1, ' ');
  header += '\n';
  if (header.size() > UINT16_MAX)
    return unsupported("cannot write {}: rank {} is too large for npy", quote(path), tensor.shape().size());

  Expected<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.takeStatus();
  std::string prefix(magic);
  prefix += {1, 0, static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  if (Status status = file->write(prefix + header); !status.ok())
    return status;
  if (Status status = file->write(tensor.bytes()); !status.ok())
    return status;
  return file->commit();
}
