//===- FileTest.cpp -------------------------------------------------------===//

#include "espalier/Runtime/Core/File.h"

#include "TestSupport.h"

#include <csignal>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

using namespace espalier::rt;
using namespace espalier::rt::test;

namespace {

std::string gzip(const std::string &content) {
  TempFolder folder;
  gzFile file = gzopen(folder.file("x.gz").c_str(), "wb9");
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
  return contentOf(folder.file("x.gz"));
}

Expected<std::vector<uint8_t>> gunzipText(const std::string &text, uint64_t maxBytes) {
  return gunzip({reinterpret_cast<const uint8_t *>(text.data()), text.size()}, maxBytes);
}

TEST(FileTest, ReadsWithinTheLimit) {
  TempFolder folder;
  std::string path = folder.write("a", "hello");
  Expected<std::vector<uint8_t>> content = readFile(path, 5);
  ASSERT_TRUE(content.ok()) << content.status().message();
  EXPECT_EQ(std::string(content->begin(), content->end()), "hello");
  expectFailure(readFile(path, 4), StatusCode::InvalidInput, "a': file has 5 bytes, the limit is 4 bytes");
}

TEST(FileTest, OnlyRegularFilesAreRead) {
  TempFolder folder;
  expectFailure(readFile(folder.file("absent"), 9), StatusCode::InvalidInput, "absent': No such file");
  expectFailure(readFile(folder.path, 9), StatusCode::InvalidInput, "expected a regular file, but got a directory");
  ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  expectFailure(readFile(folder.file("pipe"), 9), StatusCode::InvalidInput, "but got a device or pipe");
}

TEST(FileTest, ReadPastTheEndFails) {
  TempFolder folder;
  Expected<InputFile> file = InputFile::open(folder.write("a", "hello"));
  ASSERT_TRUE(file.ok());
  uint8_t buffer[4];
  EXPECT_TRUE(file->readAt(1, {buffer, 4}).ok());
  expectFailure(file->readAt(2, {buffer, 4}), StatusCode::InvalidInput, "file ends at byte 5, expected 1 more");
}

TEST(FileTest, AtomicFileAppearsOnlyWhenCommitted) {
  TempFolder folder;
  std::string path = folder.write("out", "old");
  {
    Expected<AtomicFile> file = AtomicFile::create(path);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->write("new").ok());
    EXPECT_EQ(contentOf(path), "old");
  }
  EXPECT_EQ(contentOf(path), "old");
  EXPECT_EQ(folder.numFiles(), 1u) << "the temporary stayed";

  ASSERT_TRUE(writeFileAtomically(path, "new").ok());
  EXPECT_EQ(contentOf(path), "new");
  EXPECT_EQ(folder.numFiles(), 1u);
}

TEST(FileTest, TemporariesCanBeRemovedAtOnce) {
  TempFolder folder;
  Expected<AtomicFile> left = AtomicFile::create(folder.file("left")), done = AtomicFile::create(folder.file("done"));
  ASSERT_TRUE(left.ok() && done.ok());
  for (const auto &entry : std::filesystem::directory_iterator(folder.path))
    EXPECT_TRUE(isTemporaryName(entry.path().filename().string())) << entry.path();
  ASSERT_TRUE(done->commit().ok());
  removeTemporaries();
  EXPECT_EQ(folder.numFiles(), 1u);
  EXPECT_TRUE(std::filesystem::exists(folder.file("done")));
  for (std::string_view name : {"a.tmp", "a.1.tmp", "a.1-2", "a.1-x.tmp", ".tmp", "1-2.tmp"})
    EXPECT_FALSE(isTemporaryName(name)) << name;
}

TEST(FileTest, AtomicFileKeepsModeAndLink) {
  TempFolder folder;
  std::string path = folder.write("out", "old");
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  std::filesystem::create_symlink("out", folder.file("link"));
  ASSERT_TRUE(writeFileAtomically(folder.file("link"), "new").ok());
  EXPECT_TRUE(std::filesystem::is_symlink(folder.file("link")));
  EXPECT_EQ(contentOf(path), "new");
  struct stat info;
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
}

TEST(FileTest, AtomicFileNamesWhatItCannotWrite) {
  TempFolder folder;
  expectFailure(writeFileAtomically(folder.file("no/out"), "x"), StatusCode::InvalidInput, "no/out'");
  expectFailure(writeFileAtomically(folder.path, "x"), StatusCode::Usage, "it is a directory");
}

TEST(FileTest, AtomicFileReportsAFullDisk) {
  TempFolder folder;
  // A limit on the size of files stands in for the disk.
  auto *oldHandler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit oldLimit, limit;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &oldLimit), 0);
  limit = oldLimit;
  limit.rlim_cur = 10;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  Status status = writeFileAtomically(folder.file("out"), std::string(100, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &oldLimit), 0);
  std::signal(SIGXFSZ, oldHandler);
  expectFailure(status, StatusCode::Environment, "cannot write '" + folder.file("out") + "': File too large");
  EXPECT_EQ(folder.numFiles(), 0u);
}

TEST(FileTest, PipesAreWrittenDirectly) {
  // A pipe of our own: a fault here would replace the file by name, which must not happen to /dev/null.
  TempFolder folder;
  ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  FileDescriptor reader(::open(folder.file("pipe").c_str(), O_RDONLY | O_NONBLOCK));
  ASSERT_TRUE(writeFileAtomically(folder.file("pipe"), "text").ok());
  char text[8];
  EXPECT_EQ(::read(reader.get(), text, sizeof(text)), 4);
  EXPECT_TRUE(std::filesystem::is_fifo(folder.file("pipe")));
}

TEST(FileTest, GunzipReadsAllMembersUpToTheLimit) {
  std::string text(100'000, 'x');
  std::string compressed = gzip(text) + gzip("tail");
  Expected<std::vector<uint8_t>> content = gunzipText(compressed, 100'004);
  ASSERT_TRUE(content.ok()) << content.status().message();
  EXPECT_EQ(std::string(content->begin(), content->end()), text + "tail");
  expectFailure(gunzipText(compressed, 100'003), StatusCode::InvalidInput, "exceeds the limit of 97.7 KiB");
}

TEST(FileTest, GunzipPrefixStopsEarly) {
  auto prefix = [](const std::string &text, uint64_t count) {
    Expected<std::vector<uint8_t>> content =
        gunzipPrefix({reinterpret_cast<const uint8_t *>(text.data()), text.size()}, count);
    return content ? std::string(content->begin(), content->end()) : "failed";
  };
  EXPECT_EQ(prefix(gzip("hello"), 2), "he");
  EXPECT_EQ(prefix(gzip("hello"), 9), "hello");
  // What comes after the prefix is not looked at.
  EXPECT_EQ(prefix(gzip(std::string(1'000'000, 'x')).substr(0, 500), 3), "xxx");
}

TEST(FileTest, GunzipLocatesDamage) {
  std::string compressed = gzip("some content, not very long");
  expectFailure(gunzipText(compressed.substr(0, 20), 99), StatusCode::InvalidInput, "ends at byte 20");
  expectFailure(gunzipText(compressed + "trailer", 99), StatusCode::InvalidInput, "incorrect header check");
  std::string damaged = compressed;
  damaged[damaged.size() - 6] ^= 1;
  expectFailure(gunzipText(damaged, 99), StatusCode::InvalidInput, "incorrect data check");
  forEachDamage(compressed, [](const std::string &content) { (void)gunzipText(content, 99).ok(); });
}

TEST(FileTest, CompressedFilesAreRecognised) {
  TempFolder folder;
  Expected<std::vector<uint8_t>> content = readFileMaybeGzip(folder.write("a.gz", gzip("hello")), 99);
  ASSERT_TRUE(content.ok());
  EXPECT_EQ(std::string(content->begin(), content->end()), "hello");
  content = readFileMaybeGzip(folder.write("a", "hello"), 99);
  ASSERT_TRUE(content.ok());
  EXPECT_EQ(std::string(content->begin(), content->end()), "hello");
  expectFailure(readFileMaybeGzip(folder.write("b.gz", gzip("hello").substr(0, 12)), 99), StatusCode::InvalidInput,
                "b.gz': gzip data ends");
}

} // namespace
