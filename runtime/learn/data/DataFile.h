//===- DataFile.h - The content of a file at any offset ---------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_LEARN_DATA_DATAFILE_H
#define ESPALIER_RUNTIME_LEARN_DATA_DATAFILE_H

#include "GzipIndex.h"

#include "espalier/Runtime/Core/File.h"

namespace espalier::rt {

/// A file whose content, decompressed if it is gzip, can be read at any offset by several threads. It is held in memory
/// if it fits the budget; else it is read as needed.
class DataFile {
public:
  /// Damage of compressed data is a failure, unless `keepsDamaged`: then the content ends before it.
  static Expected<DataFile> open(const std::string &path, uint64_t memoryBudget, bool keepsDamaged);

  const std::string &path() const { return file->path(); }
  uint64_t size() const { return byteSize; }
  bool isResident() const { return held; }
  /// Fills `bytes` from `offset` on; fails when the content ends before that.
  Status readAt(uint64_t offset, Span<uint8_t> bytes) const;
  /// The first `count` bytes, or all if there are fewer.
  Expected<std::vector<uint8_t>> prefix(uint64_t count) const;

private:
  std::unique_ptr<InputFile> file; ///< at an address that moves of this object do not change
  uint64_t byteSize = 0;
  bool held = false;
  std::vector<uint8_t> content;
  std::unique_ptr<GzipReader> compressed; ///< absent if the file is not compressed, or is held
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_LEARN_DATA_DATAFILE_H
