//===- Csv.cpp - Rows of CSV and TSV files --------------------------------===//

#include "Csv.h"

#include "espalier/Runtime/Core/Text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

using namespace espalier::rt;

static constexpr size_t chunkBytes = 65536, maxRowBytes = size_t(16) << 20;
static constexpr std::string_view byteOrderMark = "\xef\xbb\xbf";

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

void CsvReader::seek(uint64_t offset) {
  bufferStart = offset;
  buffer.clear();
  position = 0;
}

Status CsvReader::refill() {
  bufferStart += buffer.size();
  position = 0;
  buffer.resize(static_cast<size_t>(std::min<uint64_t>(chunkBytes, file.size() - bufferStart)));
  return file.readAt(bufferStart, buffer);
}

int CsvReader::peek() {
  if (position == buffer.size()) {
    if (bufferStart + buffer.size() >= file.size() || !failure.ok())
      return -1;
    failure = refill();
    if (!failure.ok())
      return -1;
  }
  return buffer[position];
}

void CsvReader::take() {
  if (buffer[position++] == '\n')
    ++line;
}

Status CsvReader::malformed(const CsvRow &row, std::string_view what) {
  Status status = invalidInput("{}:{}: byte {}: {}", file.path(), row.line, bufferStart + position, what);
  int byte;
  while ((byte = peek()) != -1) {
    take();
    if (byte == '\n')
      break;
  }
  return status;
}

Status CsvReader::readQuoted(CsvRow &row, std::string &field) {
  take();
  for (;;) {
    int byte = peek();
    if (byte == -1)
      return malformed(row, "the file ends inside quotes");
    take();
    if (byte == '"') {
      if (peek() != '"')
        break;
      take();
    }
    field += static_cast<char>(byte);
    if (field.size() > maxRowBytes)
      return malformed(row, "a field of more than 16 MiB");
  }
  int byte = peek();
  if (byte == -1 || byte == separator || byte == '\n' || byte == '\r')
    return {};
  return malformed(row, "expected a separator or the end of the line after a closing quote");
}

Expected<bool> CsvReader::next(CsvRow &row) {
  if (bufferStart + position == 0) {
    // The mark, if it is there, is within the first chunk.
    (void)peek();
    if (buffer.size() >= byteOrderMark.size() && std::equal(byteOrderMark.begin(), byteOrderMark.end(), buffer.begin(),
                                                            [](char a, uint8_t b) { return uint8_t(a) == b; }))
      position = byteOrderMark.size();
  }
  while (peek() == '\n' || peek() == '\r')
    take();
  row.offset = bufferStart + position;
  row.line = line;
  size_t numFields = 0, rowBytes = 0;
  bool more = peek() != -1;
  bool any = more;
  while (more) {
    if (row.fields.size() == numFields)
      row.fields.emplace_back();
    std::string &field = row.fields[numFields++];
    field.clear();
    if (peek() == '"')
      if (Status status = readQuoted(row, field); !status.ok())
        return status;
    int byte;
    while ((byte = peek()) != -1 && byte != separator && byte != '\n') {
      if (byte == '"')
        return malformed(row, "a quote inside a field that is not quoted");
      take();
      field += static_cast<char>(byte);
      if (++rowBytes > maxRowBytes)
        return malformed(row, "a row of more than 16 MiB");
    }
    more = byte == separator;
    if (!more && !field.empty() && field.back() == '\r')
      field.pop_back();
    if (byte != -1)
      take();
  }
  row.fields.resize(numFields);
  if (!failure.ok())
    return std::move(failure);
  return any;
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

char espalier::rt::separatorOf(const std::string &path) { return path.find(".tsv") == std::string::npos ? ',' : '\t'; }

bool espalier::rt::parseNumber(std::string_view text, double &value) {
  size_t first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
  if (first == std::string_view::npos)
    return false;
  text = text.substr(first, last - first + 1);
  if (text[0] == '+')
    text.remove_prefix(1);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
}

Expected<TableColumns> espalier::rt::readTableColumns(CsvReader &reader, const std::string &path,
                                                      const std::string &labelColumn) {
  CsvRow row;
  Expected<bool> any = reader.next(row);
  if (!any)
    return any.takeStatus();
  if (!*any)
    return invalidInput("{}: the table is empty", path);
  TableColumns columns;
  columns.count = row.fields.size();
  columns.label = columns.count - 1;
  double ignored;
  bool isHeader = std::none_of(row.fields.begin(), row.fields.end(),
                               [&](const std::string &field) { return parseNumber(field, ignored); });
  if (!isHeader) {
    if (!labelColumn.empty())
      return invalidInput("{}: it has no header, so no column {}", path, quote(labelColumn));
    reader.seek(row.offset);
    return columns;
  }
  columns.names = row.fields;
  std::vector<std::string> usual = {"label", "class", "target", "identity"};
  for (const std::string &name : labelColumn.empty() ? usual : std::vector<std::string>{labelColumn}) {
    auto found = std::find(columns.names.begin(), columns.names.end(), name);
    if (found == columns.names.end())
      continue;
    columns.label = static_cast<size_t>(found - columns.names.begin());
    return columns;
  }
  if (!labelColumn.empty())
    return invalidInput("{}: it has no column {}; it has '{}'", path, quote(labelColumn),
                        fmt::join(columns.names, "', '"));
  return columns;
}

std::vector<std::string> espalier::rt::sortedClasses(std::vector<std::string> names) {
  auto parse = [](const std::string &name, int64_t &value) {
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
    return error == std::errc() && end == name.data() + name.size();
  };
  int64_t ignored;
  bool areIntegers =
      std::all_of(names.begin(), names.end(), [&](const std::string &name) { return parse(name, ignored); });
  std::sort(names.begin(), names.end(), [&](const std::string &a, const std::string &b) {
    int64_t x = 0, y = 0;
    if (areIntegers) {
      parse(a, x);
      parse(b, y);
    }
    return std::pair(x, std::string_view(a)) < std::pair(y, std::string_view(b));
  });
  return names;
}

Expected<ClassColumn> espalier::rt::readClassColumn(const std::string &path, const std::string &labelColumn) {
  constexpr uint64_t memoryBudget = uint64_t(64) << 20;
  Expected<DataFile> file = DataFile::open(path, memoryBudget, /*keepsDamaged=*/false);
  if (!file)
    return file.takeStatus();
  CsvReader reader(*file, separatorOf(path));
  Expected<TableColumns> columns = readTableColumns(reader, path, labelColumn);
  if (!columns)
    return columns.takeStatus();
  std::map<std::string, std::vector<size_t>> samples;
  size_t count = 0;
  CsvRow row;
  for (;;) {
    Expected<bool> more = reader.next(row);
    if (!more)
      return more.takeStatus();
    if (!*more)
      break;
    if (row.fields.size() != columns->count)
      return invalidInput("{}:{}: sample {} (byte {}): expected {} fields, but got {}", path, row.line, count,
                          row.offset, columns->count, row.fields.size());
    samples[row.fields[columns->label]].push_back(count++);
  }
  ClassColumn result;
  for (const auto &[name, indices] : samples)
    result.classNames.push_back(name);
  result.classNames = sortedClasses(std::move(result.classNames));
  result.labels.resize(count);
  for (size_t i = 0; i < result.classNames.size(); ++i)
    for (size_t sample : samples[result.classNames[i]])
      result.labels[sample] = static_cast<int64_t>(i);
  return result;
}
