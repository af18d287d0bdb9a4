//===- RunFolder.cpp - The folder of a training run -----------------------===//

#include "espalier/Runtime/Train/RunFolder.h"

#include "espalier/Runtime/Core/Text.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <unistd.h>

using namespace espalier::rt;
namespace fs = std::filesystem;

/// Its presence makes a folder a run; its lock belongs to the process that trains. Somebody may take it for a leftover
/// and delete it, so a folder with `identityName` is one as well.
static constexpr std::string_view lockName = "run.lock", identityName = "run.json";
static constexpr std::string_view prefix = "checkpoint-", suffix = ".safetensors";

static Status environmentFailure(std::string_view action, const std::string &path, int error) {
  return environmentError("cannot {} {}: {}", action, quote(path), std::strerror(error));
}

std::string RunFolder::file(std::string_view name) const { return fmt::format("{}/{}", folder, name); }

std::string RunFolder::checkpointPath(int64_t step) const { return file(fmt::format("{}{}{}", prefix, step, suffix)); }

bool RunFolder::isRun(const std::string &path) {
  std::error_code error;
  return fs::exists(fmt::format("{}/{}", path, lockName), error) ||
         fs::exists(fmt::format("{}/{}", path, identityName), error);
}

std::string RunFolder::firstFree(const std::string &base) {
  std::string path = base;
  std::error_code error;
  for (int number = 2; fs::exists(fs::symlink_status(path, error)); ++number)
    path = fmt::format("{}-{}", base, number);
  return path;
}

/// The names in a folder.
static Expected<std::vector<std::string>> listFolder(const std::string &path) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error))
    names.push_back(it->path().filename().string());
  if (error)
    return environmentFailure("read", path, error.value());
  return names;
}

/// Takes the lock, or says who has it.
static Expected<FileDescriptor> lockFolder(const std::string &folder) {
  std::string path = fmt::format("{}/{}", folder, lockName);
  FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!fd.valid())
    return environmentFailure("write", path, errno);
  char owner[32] = {};
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK)
      return environmentFailure("lock", path, errno);
    ssize_t size = ::pread(fd.get(), owner, sizeof(owner) - 1, 0);
    bool isNumber = size > 0 && std::strspn(owner, "0123456789") == static_cast<size_t>(size);
    return environmentError("{} is in use: another process{} trains in it", quote(folder),
                            isNumber ? fmt::format(" ({})", owner) : "");
  }
  // The number is for that message alone: the lock does not depend on it, nor on room on the disk for it.
  std::string number = fmt::format("{}", ::getpid());
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), number.data(), number.size(), 0) < 0)
    errno = 0;
  return fd;
}

Expected<RunFolder> RunFolder::open(const std::string &path, Mode mode) {
  std::error_code error;
  if (mode == Mode::Resume && !isRun(path))
    return usageError("{} holds no run that could be resumed", quote(path));
  if (mode == Mode::New) {
    if (isRun(path))
      return usageError("{} holds a run; resume it with --resume, or choose another folder with --run", quote(path));
    fs::create_directories(path, error);
    if (error)
      return environmentFailure("make the folder", path, error.value());
    Expected<std::vector<std::string>> names = listFolder(path);
    if (!names)
      return names.takeStatus();
    names->erase(std::remove(names->begin(), names->end(), "lost+found"), names->end());
    if (!names->empty())
      return usageError("{} is not empty, and what it holds is not a run; choose another folder with --run",
                        quote(path));
  }
  Expected<FileDescriptor> lock = lockFolder(path);
  if (!lock)
    return lock.takeStatus();
  RunFolder folder(path, *std::move(lock));
  Expected<std::vector<std::string>> names = listFolder(path);
  if (!names)
    return names.takeStatus();
  for (const std::string &name : *names)
    if (isTemporaryName(name))
      fs::remove(folder.file(name), error);
  return folder;
}

std::vector<int64_t> RunFolder::checkpointSteps() const {
  std::vector<int64_t> steps;
  Expected<std::vector<std::string>> names = listFolder(folder);
  if (!names)
    return steps;
  for (std::string_view name : *names) {
    if (name.size() <= prefix.size() + suffix.size() || name.substr(0, prefix.size()) != prefix ||
        name.substr(name.size() - suffix.size()) != suffix)
      continue;
    name = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
    int64_t step = 0;
    auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), step);
    // Only the spelling that checkpointPath() has.
    if (failure == std::errc() && end == name.data() + name.size() && fmt::format("{}", step) == name)
      steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

Expected<std::optional<FoundCheckpoint>> RunFolder::findNewest(const std::function<void(const Status &)> &onDamage) {
  std::vector<std::pair<std::string, std::optional<int64_t>>> files; // and the step in the name
  std::error_code error;
  if (fs::exists(bestPath(), error))
    files.emplace_back(bestPath(), std::nullopt);
  for (int64_t step : checkpointSteps())
    files.emplace_back(checkpointPath(step), step);
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    const auto &[path, step] = *file;
    Expected<Checkpoint> checkpoint = readCheckpoint(path);
    // Under the name of a later step it would stay the newest while the run goes on, and new ones would be deleted.
    if (checkpoint && step && checkpoint->position.step != *step)
      checkpoint = invalidInput("{}: it is of step {}, which is not that of its name", path, checkpoint->position.step);
    if (checkpoint)
      return std::optional<FoundCheckpoint>({path, *std::move(checkpoint)});
    // A file that cannot be read for want of memory or permission is not damaged.
    if (checkpoint.status().code() == StatusCode::Environment)
      return checkpoint.takeStatus();
    onDamage(checkpoint.status());
    fs::rename(path, path + ".damaged", error);
    if (error)
      return environmentFailure("rename", path, error.value());
  }
  if (!files.empty())
    return invalidInput("every checkpoint in {} is damaged", quote(folder));
  return std::optional<FoundCheckpoint>();
}

Status RunFolder::prune(int64_t keep) {
  std::vector<int64_t> steps = checkpointSteps();
  size_t excess = steps.size() - std::min(steps.size(), static_cast<size_t>(std::max<int64_t>(keep, 1)));
  for (size_t i = 0; i < excess; ++i) {
    std::error_code error;
    fs::remove(checkpointPath(steps[i]), error);
    if (error)
      return environmentFailure("remove", checkpointPath(steps[i]), error.value());
  }
  return {};
}
