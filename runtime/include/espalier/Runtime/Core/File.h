//===- File.h - Reading files, and writing them atomically ------*- C++ -*-===//
//
// Files are untrusted: every reader takes a limit and checks it before it allocates. Failures name the file. A file
// that is missing or of the wrong kind is the input's fault (exit 1); permissions and full disks are the
// environment's (exit 4).
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_RUNTIME_CORE_FILE_H
#define ESPALIER_RUNTIME_CORE_FILE_H

#include "espalier/Runtime/Core/Span.h"
#include "espalier/Runtime/Core/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace espalier::rt {

/// An owned file descriptor.
class FileDescriptor {
public:
  explicit FileDescriptor(int fd = -1) : fd(fd) {}
  FileDescriptor(FileDescriptor &&other) : fd(std::exchange(other.fd, -1)) {}
  FileDescriptor &operator=(FileDescriptor &&other) {
    std::swap(fd, other.fd);
    return *this;
  }
  ~FileDescriptor();

  int get() const { return fd; }
  bool valid() const { return fd >= 0; }

private:
  int fd;
};

/// A regular file, open for reading at any offset. Reads copy instead of mapping: a file that someone truncates while
/// it is in use then gives an error, not a signal.
class InputFile {
public:
  static Expected<InputFile> open(const std::string &path);

  const std::string &path() const { return filePath; }
  uint64_t size() const { return byteSize; }
  /// Fills `bytes` from `offset` on; fails when the file ends before that.
  Status readAt(uint64_t offset, Span<uint8_t> bytes) const;

private:
  InputFile(std::string path, FileDescriptor fd, uint64_t size)
      : filePath(std::move(path)), fd(std::move(fd)), byteSize(size) {}

  std::string filePath;
  FileDescriptor fd;
  uint64_t byteSize;
};

/// The content of a file of at most `maxBytes`.
Expected<std::vector<uint8_t>> readFile(const std::string &path, uint64_t maxBytes);

/// Decompresses gzip data (one or more members) whose content has at most `maxBytes`.
Expected<std::vector<uint8_t>> gunzip(Span<const uint8_t> compressed, uint64_t maxBytes);

/// The first `count` bytes of what gunzip() gives, or all of it if it is shorter. With it a reader of a format that
/// says its size can check that before it decompresses the rest.
Expected<std::vector<uint8_t>> gunzipPrefix(Span<const uint8_t> compressed, uint64_t count);

/// Whether data starts as gzip data does.
bool isGzip(Span<const uint8_t> content);

/// The content of a file, decompressed if it starts as gzip data does; at most `maxBytes` either way.
Expected<std::vector<uint8_t>> readFileMaybeGzip(const std::string &path, uint64_t maxBytes);

/// A file that appears complete under its name, or not at all: written to a temporary in the same folder, flushed to
/// the disk, renamed by commit(). Without commit() the temporary is removed and an older file stays untouched.
/// A path that names a device or pipe (`/dev/stdout`) is written directly.
class AtomicFile {
public:
  static Expected<AtomicFile> create(const std::string &path);
  AtomicFile(AtomicFile &&other);
  AtomicFile &operator=(AtomicFile &&) = delete;
  ~AtomicFile();

  Status write(Span<const uint8_t> bytes);
  Status write(std::string_view text) {
    return write(Span<const uint8_t>(reinterpret_cast<const uint8_t *>(text.data()), text.size()));
  }
  Status commit();
  /// Where the bytes are until then.
  const std::string &stagedPath() const { return temporary.empty() ? path : temporary; }

private:
  AtomicFile(std::string path, std::string temporary, FileDescriptor fd)
      : path(std::move(path)), temporary(std::move(temporary)), fd(std::move(fd)) {}

  std::string path;
  std::string temporary; ///< empty when written directly or already committed
  FileDescriptor fd;
};

/// Whether a file name is one that AtomicFile gives to its temporaries.
bool isTemporaryName(std::string_view name);

/// Removes the temporaries of all files that are being written, for a process that is about to leave. May be called
/// from a signal handler.
void removeTemporaries() noexcept;

/// Writes a whole file through AtomicFile.
Status writeFileAtomically(const std::string &path, std::string_view content);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_CORE_FILE_H
