//===- File.cpp - Reading files, and writing them atomically --------------===//

#include "espalier/Runtime/Core/File.h"

#include "espalier/Runtime/Core/Text.h"

#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace espalier::rt;

/// The failure of a system call on `path`, from errno.
static Status systemError(std::string_view action, const std::string &path) {
  int error = errno;
  bool inputsFault = error == ENOENT || error == ENOTDIR || error == EISDIR || error == ENAMETOOLONG || error == ELOOP;
  return {inputsFault ? StatusCode::InvalidInput : StatusCode::Environment,
          fmt::format("cannot {} {}: {}", action, quote(path), std::strerror(error))};
}

FileDescriptor::~FileDescriptor() {
  if (fd >= 0)
    ::close(fd);
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

Expected<InputFile> InputFile::open(const std::string &path) {
  // O_NONBLOCK: opening a pipe that nobody writes to would wait forever.
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info;
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0)
    return systemError("read", path);
  if (!S_ISREG(info.st_mode))
    return invalidInput("cannot read {}: expected a regular file, but got a {}", quote(path),
                        S_ISDIR(info.st_mode) ? "directory" : "device or pipe");
  return InputFile(path, std::move(fd), static_cast<uint64_t>(info.st_size));
}

Status InputFile::readAt(uint64_t offset, Span<uint8_t> bytes) const {
  size_t done = 0;
  while (done < bytes.size()) {
    ssize_t count = ::pread(fd.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return systemError("read", filePath);
    if (count == 0)
      return invalidInput("cannot read {}: file ends at byte {}, expected {} more", quote(filePath), offset + done,
                          bytes.size() - done);
    done += static_cast<size_t>(count);
  }
  return {};
}

Expected<std::vector<uint8_t>> espalier::rt::readFile(const std::string &path, uint64_t maxBytes) {
  Expected<InputFile> file = InputFile::open(path);
  if (!file)
    return file.takeStatus();
  if (file->size() > maxBytes)
    return invalidInput("cannot read {}: file has {}, the limit is {}", quote(path), formatBytes(file->size()),
                        formatBytes(maxBytes));
  std::vector<uint8_t> content(file->size());
  if (Status status = file->readAt(0, content); !status.ok())
    return status;
  return content;
}

/// Decompresses everything, which has at most `maxBytes`, or only the first `maxBytes`.
static Expected<std::vector<uint8_t>> inflateGzip(Span<const uint8_t> compressed, uint64_t maxBytes, bool prefixOnly) {
  z_stream stream = {};
  constexpr int gzipOnly = 16;
  if (inflateInit2(&stream, gzipOnly + MAX_WBITS) != Z_OK)
    return environmentError("out of memory for decompression");
  struct End {
    z_stream &stream;
    ~End() { inflateEnd(&stream); }
  } end{stream};

  std::vector<uint8_t> content;
  // One byte more than allowed, so that content that just fits is told from content that goes on.
  const uint64_t capacity = maxBytes + 1;
  size_t produced = 0, consumed = 0;
  while (consumed < compressed.size()) {
    if (produced == content.size()) {
      uint64_t wanted = std::max<uint64_t>(64 * 1024, content.size() * 2);
      content.resize(static_cast<size_t>(std::min(wanted, capacity)));
    }
    size_t inputSize = std::min<size_t>(compressed.size() - consumed, UINT_MAX);
    size_t outputSize = std::min<size_t>(content.size() - produced, UINT_MAX);
    stream.next_in = const_cast<Bytef *>(compressed.data() + consumed);
    stream.avail_in = static_cast<uInt>(inputSize);
    stream.next_out = content.data() + produced;
    stream.avail_out = static_cast<uInt>(outputSize);
    int result = inflate(&stream, Z_NO_FLUSH);
    consumed += inputSize - stream.avail_in;
    produced += outputSize - stream.avail_out;
    if (prefixOnly && produced >= maxBytes) {
      content.resize(static_cast<size_t>(maxBytes));
      return content;
    }
    if (produced > maxBytes)
      return invalidInput("decompressed content exceeds the limit of {}", formatBytes(maxBytes));
    if (result == Z_STREAM_END) {
      if (consumed == compressed.size()) {
        content.resize(produced);
        return content;
      }
      inflateReset(&stream); // the next member
      continue;
    }
    if (result != Z_OK && result != Z_BUF_ERROR)
      return invalidInput("damaged gzip data at byte {}: {}", consumed, stream.msg ? stream.msg : "unexpected content");
  }
  return invalidInput("gzip data ends at byte {} in the middle of its content", compressed.size());
}

Expected<std::vector<uint8_t>> espalier::rt::gunzip(Span<const uint8_t> compressed, uint64_t maxBytes) {
  return inflateGzip(compressed, maxBytes, /*prefixOnly=*/false);
}

Expected<std::vector<uint8_t>> espalier::rt::gunzipPrefix(Span<const uint8_t> compressed, uint64_t count) {
  return inflateGzip(compressed, count, /*prefixOnly=*/true);
}

bool espalier::rt::isGzip(Span<const uint8_t> content) {
  return content.size() >= 2 && content[0] == 0x1f && content[1] == 0x8b;
}

Expected<std::vector<uint8_t>> espalier::rt::readFileMaybeGzip(const std::string &path, uint64_t maxBytes) {
  Expected<std::vector<uint8_t>> content = readFile(path, maxBytes);
  if (!content || !isGzip(*content))
    return content;
  Expected<std::vector<uint8_t>> decompressed = gunzip(*content, maxBytes);
  if (!decompressed)
    return decompressed.takeStatus().in(fmt::format("cannot read {}", quote(path)));
  return decompressed;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

/// Paths of the temporaries that exist, for removeTemporaries(). A process writes few files at once; one that finds no
/// free entry is only not removed by a signal.
static std::atomic<const char *> liveTemporaries[16];

static void remember(const std::string &temporary) {
  const char *copy = ::strdup(temporary.c_str());
  for (std::atomic<const char *> &entry : liveTemporaries) {
    const char *none = nullptr;
    if (entry.compare_exchange_strong(none, copy))
      return;
  }
  std::free(const_cast<char *>(copy));
}

static void forget(const std::string &temporary) {
  for (std::atomic<const char *> &entry : liveTemporaries) {
    const char *path = entry.load();
    if (path && temporary == path && entry.compare_exchange_strong(path, nullptr)) {
      std::free(const_cast<char *>(path));
      return;
    }
  }
}

void espalier::rt::removeTemporaries() noexcept {
  for (std::atomic<const char *> &entry : liveTemporaries)
    if (const char *path = entry.exchange(nullptr))
      ::unlink(path);
}

bool espalier::rt::isTemporaryName(std::string_view name) {
  constexpr std::string_view suffix = ".tmp";
  if (name.size() < suffix.size() || name.substr(name.size() - suffix.size()) != suffix)
    return false;
  name.remove_suffix(suffix.size());
  std::string_view numbers = name.substr(std::min(name.rfind('.'), name.size()));
  return numbers.size() >= 4 && numbers.find('-') != std::string_view::npos &&
         numbers.find_first_not_of(".-0123456789") == std::string_view::npos;
}

Expected<AtomicFile> AtomicFile::create(const std::string &path) {
  struct stat info;
  bool exists = ::stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode))
    return usageError("cannot write {}: it is a directory", quote(path));
  if (exists && !S_ISREG(info.st_mode)) {
    FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid())
      return systemError("write", path);
    return AtomicFile(path, "", std::move(fd));
  }

  // Through a link, replace the file and keep the link.
  std::string target = path;
  if (char *resolved = exists ? ::realpath(path.c_str(), nullptr) : nullptr) {
    target = resolved;
    std::free(resolved);
  }
  static std::atomic<unsigned> serial{0};
  for (;;) {
    std::string temporary = fmt::format("{}.{}-{}.tmp", target, ::getpid(), serial++);
    FileDescriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!fd.valid() && errno == EEXIST) // left by a process of the same number that was killed
      continue;
    if (!fd.valid())
      return systemError("write", path);
    if (exists && ::fchmod(fd.get(), info.st_mode & 07777) != 0) {
      Status failure = systemError("write", path);
      ::unlink(temporary.c_str());
      return failure;
    }
    remember(temporary);
    return AtomicFile(std::move(target), std::move(temporary), std::move(fd));
  }
}

AtomicFile::AtomicFile(AtomicFile &&other)
    : path(std::move(other.path)), temporary(std::exchange(other.temporary, {})), fd(std::move(other.fd)) {}

AtomicFile::~AtomicFile() {
  if (temporary.empty())
    return;
  ::unlink(temporary.c_str());
  forget(temporary);
}

Status AtomicFile::write(Span<const uint8_t> bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    ssize_t count = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return systemError("write", path);
    done += static_cast<size_t>(count);
  }
  return {};
}

Status AtomicFile::commit() {
  if (temporary.empty())
    return {};
  if (::fsync(fd.get()) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0)
    return systemError("write", path);
  forget(temporary);
  temporary.clear();
  // The new name is in the folder, which must reach the disk too. Some file systems cannot flush a folder (EINVAL);
  // the file itself is safe by then.
  size_t slash = path.rfind('/');
  std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  FileDescriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || (::fsync(directory.get()) != 0 && errno != EINVAL))
    return systemError("write", path);
  return {};
}

Status espalier::rt::writeFileAtomically(const std::string &path, std::string_view content) {
  Expected<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.takeStatus();
  if (Status status = file->write(content); !status.ok())
    return status;
  return file->commit();
}
