//===- GzipIndex.h - Random access to gzip files ----------------*- C++ -*-===//
//
// Deflate can be entered at a block boundary by whoever has the 32 KiB of content before it. One pass over a file
// stores these for some boundaries; a read then starts at the last one before its offset.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_RUNTIME_LEARN_DATA_GZIPINDEX_H
#define ESPALIER_RUNTIME_LEARN_DATA_GZIPINDEX_H

#include "espalier/Runtime/Core/File.h"

#include <memory>

namespace espalier::rt {

/// Where the decompression of a gzip file can begin.
struct GzipPoint {
  uint64_t offset;             ///< of the content
  uint64_t position;           ///< of the first whole byte in the file
  int bits;                    ///< of the byte before it that still count
  std::vector<uint8_t> window; ///< content before `offset`; empty at the start of the file
};

/// What one pass over a gzip file finds.
struct GzipScan {
  uint64_t size = 0;            ///< of the content
  std::vector<uint8_t> content; ///< all of it, if it is within the limit
  std::vector<GzipPoint> points;
  std::string damage; ///< why the content ends at `size`; empty if the file is whole
};

/// Decompresses `file` once. The content is dropped when it exceeds `maxContent`, the points must then not take more.
/// Damage is no failure here.
Expected<GzipScan> scanGzip(const InputFile &file, uint64_t maxContent);

/// Reads the content of a scanned file at any offset, from several threads. Sequential reads go on where the last one
/// ended.
class GzipReader {
public:
  GzipReader(const InputFile &file, std::vector<GzipPoint> points);
  ~GzipReader();

  /// Fills `bytes` from `offset` of the content on; the range is inside it.
  Status readAt(uint64_t offset, Span<uint8_t> bytes);

private:
  class Cursor;
  struct State;
  const InputFile &file;
  std::vector<GzipPoint> points;
  std::unique_ptr<State> state;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_LEARN_DATA_GZIPINDEX_H
