//===- TestSupport.h - Shared by the runtime's unit tests -------*- C++ -*-===//

#ifndef ESPALIER_TEST_UNIT_RUNTIME_TESTSUPPORT_H
#define ESPALIER_TEST_UNIT_RUNTIME_TESTSUPPORT_H

#include "espalier/Runtime/Core/File.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

namespace espalier::rt::test {

/// A folder of its own, removed at the end of the test.
class TempFolder {
public:
  TempFolder() {
    std::string pattern = testing::TempDir() + "/espalier-XXXXXX";
    path = ::mkdtemp(pattern.data());
  }
  ~TempFolder() { std::filesystem::remove_all(path); }

  std::string file(const std::string &name) const { return path + "/" + name; }
  /// Writes a file and returns its path.
  std::string write(const std::string &name, const std::string &content) const {
    std::filesystem::create_directories(std::filesystem::path(file(name)).parent_path());
    std::ofstream(file(name), std::ios::binary) << content;
    return file(name);
  }
  size_t numFiles() const {
    return std::distance(std::filesystem::directory_iterator(path), std::filesystem::directory_iterator());
  }

  std::string path;
};

inline std::string contentOf(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Feeds `parse` every truncation of `content`, and `content` with each byte flipped in three ways. What it returns is
/// its own affair; it must return.
inline void forEachDamage(const std::string &content, const std::function<void(const std::string &)> &parse) {
  for (size_t size = 0; size < content.size(); ++size)
    parse(content.substr(0, size));
  for (size_t i = 0; i < content.size(); ++i) {
    for (unsigned char mask : {0x01, 0x80, 0xff}) {
      std::string damaged = content;
      damaged[i] = static_cast<char>(damaged[i] ^ mask);
      parse(damaged);
    }
  }
}

/// Fails unless `result` failed with `code` and a message that contains `text`.
template <typename Result> void expectFailure(const Result &result, StatusCode code, const std::string &text) {
  const Status *status;
  if constexpr (std::is_same_v<Result, Status>)
    status = &result;
  else
    status = &result.status();
  EXPECT_EQ(status->code(), code) << status->message();
  EXPECT_NE(status->message().find(text), std::string::npos)
      << "message: " << status->message() << "\nexpected: " << text;
}

} // namespace espalier::rt::test

#endif // ESPALIER_TEST_UNIT_RUNTIME_TESTSUPPORT_H
