//===- DataFile.cpp - The content of a file at any offset -----------------===//

#include "DataFile.h"

#include "espalier/Runtime/Core/Text.h"

#include <algorithm>
#include <cstring>

using namespace espalier::rt;

Expected<DataFile> DataFile::open(const std::string &path, uint64_t memoryBudget, bool keepsDamaged) {
  Expected<InputFile> opened = InputFile::open(path);
  if (!opened)
    return opened.takeStatus();
  DataFile result;
  result.file = std::make_unique<InputFile>(std::move(*opened));
  result.byteSize = result.file->size();
  uint8_t magic[2] = {};
  if (result.byteSize >= sizeof magic)
    if (Status status = result.file->readAt(0, Span<uint8_t>(magic, sizeof magic)); !status.ok())
      return status;
  if (!isGzip(Span<const uint8_t>(magic, sizeof magic))) {
    result.held = result.byteSize <= memoryBudget;
    if (result.held) {
      result.content.resize(static_cast<size_t>(result.byteSize));
      if (Status status = result.file->readAt(0, result.content); !status.ok())
        return status;
    }
    return result;
  }
  Expected<GzipScan> scan = scanGzip(*result.file, memoryBudget);
  if (!scan)
    return scan.takeStatus();
  if (!scan->damage.empty() && !keepsDamaged)
    return invalidInput("{}: {}", path, scan->damage);
  result.byteSize = scan->size;
  result.held = scan->points.empty();
  result.content = std::move(scan->content);
  if (!result.held)
    result.compressed = std::make_unique<GzipReader>(*result.file, std::move(scan->points));
  return result;
}

Status DataFile::readAt(uint64_t offset, Span<uint8_t> bytes) const {
  if (offset > byteSize || bytes.size() > byteSize - offset)
    return invalidInput("cannot read {}: content ends at byte {}, expected {} bytes from byte {} on", quote(path()),
                        byteSize, bytes.size(), offset);
  if (held) {
    std::copy_n(content.begin() + static_cast<ptrdiff_t>(offset), bytes.size(), bytes.begin());
    return {};
  }
  return compressed ? compressed->readAt(offset, bytes) : file->readAt(offset, bytes);
}

Expected<std::vector<uint8_t>> DataFile::prefix(uint64_t count) const {
  std::vector<uint8_t> bytes(static_cast<size_t>(std::min(count, byteSize)));
  if (Status status = readAt(0, bytes); !status.ok())
    return status;
  return bytes;
}
