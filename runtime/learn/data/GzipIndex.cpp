//===- GzipIndex.cpp - Random access to gzip files ------------------------===//

#include "GzipIndex.h"

#include "espalier/Runtime/Core/Text.h"

#include <zlib.h>

#include <algorithm>
#include <mutex>

using namespace espalier::rt;

static constexpr size_t windowBytes = 32768, chunkBytes = 65536;
/// Content between two points: a read decompresses half of it on average, and the windows take 1/16 of the content.
static constexpr uint64_t pointSpacing = 16 * windowBytes;
static constexpr int gzipWrapper = 16 + MAX_WBITS, rawDeflate = -MAX_WBITS;
static constexpr size_t trailerBytes = 8;

namespace {
/// A file that inflate() reads chunk by chunk.
class CompressedInput {
public:
  explicit CompressedInput(const InputFile &file) : file(file), buffer(chunkBytes) {}

  void seek(z_stream &stream, uint64_t newPosition) {
    position = newPosition;
    stream.avail_in = 0;
  }
  /// Reads the next chunk when the last one is used up. `avail_in` stays 0 at the end of the file.
  Status refill(z_stream &stream) {
    if (stream.avail_in > 0 || position >= file.size())
      return {};
    size_t count = static_cast<size_t>(std::min<uint64_t>(chunkBytes, file.size() - position));
    if (Status status = file.readAt(position, Span<uint8_t>(buffer).subspan(0, count)); !status.ok())
      return status;
    position += count;
    stream.next_in = buffer.data();
    stream.avail_in = static_cast<uInt>(count);
    return {};
  }
  /// The first byte of the file that inflate() has not taken.
  uint64_t consumed(const z_stream &stream) const { return position - stream.avail_in; }

private:
  const InputFile &file;
  std::vector<uint8_t> buffer;
  uint64_t position = 0; ///< behind the chunk in `buffer`
};

struct Inflater {
  z_stream stream = {};
  bool valid;

  explicit Inflater(int windowBits) : valid(inflateInit2(&stream, windowBits) == Z_OK) {}
  ~Inflater() { inflateEnd(&stream); }
};
} // namespace

static Status outOfMemory() { return environmentError("out of memory for decompression"); }

//===----------------------------------------------------------------------===//
// Scan
//===----------------------------------------------------------------------===//

/// The last `windowBytes` of the content, out of a ring that is filled up to `end`.
static std::vector<uint8_t> unrollWindow(const std::vector<uint8_t> &ring, size_t end, uint64_t size) {
  std::vector<uint8_t> window(ring.begin() + static_cast<ptrdiff_t>(end), ring.end());
  window.insert(window.end(), ring.begin(), ring.begin() + static_cast<ptrdiff_t>(end));
  if (size < windowBytes)
    window.erase(window.begin(), window.end() - static_cast<ptrdiff_t>(size));
  return window;
}

Expected<GzipScan> espalier::rt::scanGzip(const InputFile &file, uint64_t maxContent) {
  Inflater inflater(gzipWrapper);
  if (!inflater.valid)
    return outOfMemory();
  z_stream &stream = inflater.stream;
  CompressedInput input(file);
  GzipScan scan;
  scan.points.push_back({0, 0, 0, {}});
  std::vector<uint8_t> ring(windowBytes);
  size_t end = 0;
  bool keeps = true;
  for (bool done = false; !done;) {
    if (Status status = input.refill(stream); !status.ok())
      return status;
    if (stream.avail_in == 0) {
      scan.damage = fmt::format("gzip data ends at byte {} in the middle of its content", file.size());
      break;
    }
    if (end == windowBytes)
      end = 0;
    stream.next_out = ring.data() + end;
    stream.avail_out = static_cast<uInt>(windowBytes - end);
    int result = inflate(&stream, Z_BLOCK);
    size_t produced = windowBytes - end - stream.avail_out;
    scan.size += produced;
    keeps &= scan.size <= maxContent;
    if (keeps)
      scan.content.insert(scan.content.end(), ring.data() + end, ring.data() + end + produced);
    else
      scan.content = {};
    end += produced;
    if (result == Z_STREAM_END) {
      done = input.consumed(stream) == file.size();
      inflateReset(&stream); // the next member
      continue;
    }
    if (result != Z_OK && result != Z_BUF_ERROR) {
      scan.damage = fmt::format("damaged gzip data at byte {}: {}", input.consumed(stream),
                                stream.msg ? stream.msg : "unexpected content");
      break;
    }
    constexpr int atBlockEnd = 128, inLastBlock = 64, bitMask = 7;
    bool canEnter = (stream.data_type & atBlockEnd) && !(stream.data_type & inLastBlock);
    if (canEnter && scan.size - scan.points.back().offset >= pointSpacing) {
      scan.points.push_back(
          {scan.size, input.consumed(stream), stream.data_type & bitMask, unrollWindow(ring, end, scan.size)});
      if (!keeps && scan.points.size() > maxContent / windowBytes + 1)
        return invalidInput("{}: the index of its content ({} so far) takes more than the memory budget of {}; "
                            "decompress the file, or raise the budget",
                            file.path(), formatBytes(scan.size), formatBytes(maxContent));
    }
  }
  if (keeps)
    scan.points = {};
  return scan;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

/// A decompression in progress.
class GzipReader::Cursor {
public:
  explicit Cursor(const InputFile &file) : input(file), inflater(gzipWrapper) {}

  bool valid() const { return inflater.valid; }
  /// Of the content that comes next.
  uint64_t offset() const { return contentOffset; }

  Status enter(const InputFile &file, const GzipPoint &point) {
    z_stream &stream = inflater.stream;
    isRaw = point.offset != 0;
    inflateReset2(&stream, isRaw ? rawDeflate : gzipWrapper);
    contentOffset = point.offset;
    input.seek(stream, point.position);
    if (point.bits) {
      uint8_t byte;
      if (Status status = file.readAt(point.position - 1, Span<uint8_t>(&byte, 1)); !status.ok())
        return status;
      inflatePrime(&stream, point.bits, byte >> (8 - point.bits));
    }
    if (isRaw)
      inflateSetDictionary(&stream, point.window.data(), static_cast<uInt>(point.window.size()));
    return {};
  }

  /// Decompresses the next bytes.
  Status read(const InputFile &file, Span<uint8_t> bytes) {
    z_stream &stream = inflater.stream;
    size_t done = 0;
    while (done < bytes.size()) {
      if (Status status = input.refill(stream); !status.ok())
        return status;
      auto room = static_cast<uInt>(std::min<size_t>(bytes.size() - done, chunkBytes));
      stream.next_out = bytes.data() + done;
      stream.avail_out = room;
      int result = inflate(&stream, Z_NO_FLUSH);
      done += room - stream.avail_out;
      contentOffset += room - stream.avail_out;
      if (result == Z_STREAM_END) {
        // Raw deflate leaves checksum and length of the member unread.
        if (isRaw)
          input.seek(stream, input.consumed(stream) + trailerBytes);
        isRaw = false;
        inflateReset2(&stream, gzipWrapper);
      } else if (result != Z_OK) {
        return invalidInput("cannot read {}: damaged gzip data at byte {}; it changed since it was opened",
                            quote(file.path()), input.consumed(stream));
      }
    }
    return {};
  }

  Status skip(const InputFile &file, uint64_t count) {
    discarded.resize(chunkBytes);
    while (count > 0) {
      size_t part = static_cast<size_t>(std::min<uint64_t>(count, chunkBytes));
      if (Status status = read(file, Span<uint8_t>(discarded).subspan(0, part)); !status.ok())
        return status;
      count -= part;
    }
    return {};
  }

private:
  CompressedInput input;
  Inflater inflater;
  uint64_t contentOffset = 0;
  bool isRaw = false; ///< inside a member that was entered at a point
  std::vector<uint8_t> discarded;
};

/// Cursors that no thread uses at the moment.
struct GzipReader::State {
  std::mutex mutex;
  std::vector<std::unique_ptr<Cursor>> idle;
};

GzipReader::GzipReader(const InputFile &file, std::vector<GzipPoint> points)
    : file(file), points(std::move(points)), state(std::make_unique<State>()) {}

GzipReader::~GzipReader() = default;

Status GzipReader::readAt(uint64_t offset, Span<uint8_t> bytes) {
  auto next = std::upper_bound(points.begin(), points.end(), offset,
                               [](uint64_t value, const GzipPoint &point) { return value < point.offset; });
  const GzipPoint &point = *std::prev(next);
  std::unique_ptr<Cursor> cursor;
  {
    std::lock_guard<std::mutex> lock(state->mutex);
    // Best is a cursor that stands between the point and the offset.
    auto best = std::find_if(state->idle.begin(), state->idle.end(), [&](const std::unique_ptr<Cursor> &candidate) {
      return candidate->offset() >= point.offset && candidate->offset() <= offset;
    });
    if (best == state->idle.end() && !state->idle.empty())
      best = std::prev(state->idle.end());
    if (best != state->idle.end()) {
      cursor = std::move(*best);
      state->idle.erase(best);
    }
  }
  bool isNew = !cursor;
  if (isNew)
    cursor = std::make_unique<Cursor>(file);
  if (!cursor->valid())
    return outOfMemory();
  if (isNew || cursor->offset() < point.offset || cursor->offset() > offset)
    if (Status status = cursor->enter(file, point); !status.ok())
      return status;
  if (Status status = cursor->skip(file, offset - cursor->offset()); !status.ok())
    return status;
  if (Status status = cursor->read(file, bytes); !status.ok())
    return status;
  std::lock_guard<std::mutex> lock(state->mutex);
  state->idle.push_back(std::move(cursor));
  return {};
}
