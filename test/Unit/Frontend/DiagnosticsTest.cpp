//===- DiagnosticsTest.cpp - Every message of the language ----------------===//
//
// Files under test/Frontend/Inputs/errors hold programs, separated by lines `# -----`, with comments that expect
// messages:
//
//   # expected-error@+1 {{unknown name 'con'}}
//   # expected-note {{in 'basic', called here}}
//
// The line is the comment's own unless `@` moves it; the text is a part of the message. Every error must be expected;
// notes need not be.
//
//===----------------------------------------------------------------------===//

#include "Diagnostics.h"
#include "Parse.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Regex.h"
#include <gtest/gtest.h>

using namespace espalier;
using namespace espalier::test;
using llvm::StringRef;

std::string espalier::test::readFile(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  EXPECT_TRUE(bool(buffer)) << path << ": " << buffer.getError().message();
  return buffer ? (*buffer)->getBuffer().str() : "";
}

namespace {
const std::string errorsDir = ESPALIER_SOURCE_DIR "/test/Frontend/Inputs/errors";

std::vector<std::string> errorFiles() {
  std::vector<std::string> files;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator it(errorsDir, error), end; it != end && !error; it.increment(error))
    if (StringRef(it->path()).ends_with(".esp"))
      files.push_back(it->path());
  std::sort(files.begin(), files.end());
  return files;
}

/// The programs of a file, each preceded by as many empty lines as stand before it: lines keep their numbers.
std::vector<std::string> programs(StringRef text) {
  std::vector<std::string> result(1);
  unsigned line = 0;
  for (StringRef row : llvm::split(text, '\n')) {
    ++line;
    if (row == "# -----")
      result.push_back(std::string(line, '\n'));
    else
      result.back() += row.str() + "\n";
  }
  return result;
}

std::vector<Message> expectations(StringRef program) {
  std::vector<Message> expected;
  llvm::Regex pattern("expected-(error|note)(@([-+][0-9]+))? \\{\\{(.*)\\}\\}");
  unsigned line = 0;
  for (StringRef row : llvm::split(program, '\n')) {
    ++line;
    llvm::SmallVector<StringRef> match;
    if (!pattern.match(row, &match))
      continue;
    int delta = match[3].empty() ? 0 : std::stoi(match[3].str());
    expected.push_back({line + delta, match[1] == "note", match[4].str()});
  }
  return expected;
}

/// Checks one program; returns the texts of its messages.
std::vector<Message> check(const std::string &file, const std::string &program) {
  Parsed parsed = parse(program, file);
  std::vector<Message> expected = expectations(program);
  EXPECT_FALSE(expected.empty()) << file << ": a program expects nothing:\n" << program;
  std::vector<Message> rest = expected;
  for (const Message &message : parsed.messages) {
    auto it = llvm::find_if(rest, [&](const Message &want) {
      return want.line == message.line && want.isNote == message.isNote && StringRef(message.text).contains(want.text);
    });
    if (it != rest.end())
      rest.erase(it);
    else if (!message.isNote)
      ADD_FAILURE() << file << ":" << message.line << ": unexpected error: " << message.text;
  }
  for (const Message &want : rest)
    ADD_FAILURE() << file << ":" << want.line << ": missing " << (want.isNote ? "note: " : "error: ") << want.text;
  EXPECT_FALSE(bool(parsed.module)) << file;
  return parsed.messages;
}

/// Whether a message can have come from a formatv format.
bool matches(StringRef format, StringRef message) {
  std::string pattern = "^";
  for (size_t i = 0; i < format.size(); ++i) {
    if (format.substr(i, 2) == "{{") {
      pattern += "\\{";
      ++i;
    } else if (format[i] == '{') {
      pattern += "(.|\n)*";
      i = format.find('}', i);
    } else {
      pattern += llvm::Regex::escape(format.substr(i, 1));
    }
  }
  return llvm::Regex(pattern + "$").match(message);
}
} // namespace

TEST(Diagnostics, AreAllProvoked) {
  std::vector<Message> seen;
  for (const std::string &file : errorFiles())
    for (const std::string &program : programs(readFile(file)))
      llvm::append_range(seen, check(file, program));

  auto expectSeen = [&](StringRef id, StringRef format, bool isNote) {
    bool found = llvm::any_of(
        seen, [&](const Message &message) { return message.isNote == isNote && matches(format, message.text); });
    EXPECT_TRUE(found) << "no file under test/Frontend/Inputs/errors provokes " << id.str() << ": " << format.str();
  };
  // Provoked in LimitsTest, because they need files that are too large to keep.
  const std::vector<std::string> elsewhere = {"FileTooLarge", "TooManyFiles",  "OperationLimit", "UnknownLoss",
                                              "LossNumber",   "TooManyErrors", "NestingTooDeep"};
#define DIAG(ID, FORMAT)                                                                                               \
  if (StringRef(FORMAT) != "{0}" && !llvm::is_contained(elsewhere, #ID))                                               \
    expectSeen(#ID, FORMAT, /*isNote=*/false);
#define NOTE(ID, FORMAT) expectSeen(#ID, FORMAT, /*isNote=*/true);
#include "Diagnostics.def"
}
