//===- RunFolder.h - The folder of a training run ---------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_TRAIN_RUNFOLDER_H
#define ESPALIER_RUNTIME_TRAIN_RUNFOLDER_H

#include "espalier/Runtime/Train/Checkpoint.h"

#include <functional>

namespace espalier::rt {

/// A checkpoint that a folder was found to have.
struct FoundCheckpoint {
  std::string path;
  Checkpoint checkpoint;
};

/// The folder that holds one run: `checkpoint-<step>.safetensors`, `best.safetensors`, and what people look at. It is
/// locked as long as the object lives, so that no second process writes to it; the lock ends with the process, however
/// that ends.
class RunFolder {
public:
  enum class Mode {
    New,    ///< the folder must hold no run, nor anything else; it is made if it is missing
    Resume, ///< the folder must hold a run
  };
  /// A usage error if the folder is not what `mode` wants; an environment error that names the process if another one
  /// has the lock. Removes temporaries that a killed process left.
  static Expected<RunFolder> open(const std::string &path, Mode mode);

  /// Whether a folder holds a run.
  static bool isRun(const std::string &path);
  /// `base`, or `base-2`, `base-3`, ...: the first that does not exist.
  static std::string firstFree(const std::string &base);

  const std::string &path() const { return folder; }
  std::string file(std::string_view name) const;
  std::string checkpointPath(int64_t step) const;
  std::string bestPath() const { return file("best.safetensors"); }

  /// Steps of the checkpoints that the folder has, rising.
  std::vector<int64_t> checkpointSteps() const;

  /// The newest checkpoint that is intact, or else the best one; nothing if the folder has none at all. A damaged one
  /// is reported to `onDamage` with the reason, and renamed to `*.damaged`, so that it neither counts nor is lost; so
  /// is one of another step than its name says.
  /// InvalidInput if all are damaged.
  Expected<std::optional<FoundCheckpoint>> findNewest(const std::function<void(const Status &)> &onDamage);

  /// Deletes the oldest checkpoints until `keep` are left. The newest ones stay, `keep` is at least 1.
  Status prune(int64_t keep);

private:
  RunFolder(std::string folder, FileDescriptor lock) : folder(std::move(folder)), lock(std::move(lock)) {}

  std::string folder;
  FileDescriptor lock;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_TRAIN_RUNFOLDER_H
