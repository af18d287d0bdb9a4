//===- CheckpointWriter.cpp - Writes while training goes on ---------------===//

#include "espalier/Runtime/Train/CheckpointWriter.h"

#include <csignal>
#include <pthread.h>
#include <system_error>

using namespace espalier::rt;

CheckpointWriter::CheckpointWriter(RunFolder &folder, int64_t keep) : folder(folder), keep(keep) {
  // Signals belong to the thread that trains: this one inherits a mask in which all are blocked.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  try {
    thread = std::thread([this] { work(); });
  } catch (const std::system_error &) {
    // No thread to be had: checkpoints are written between two steps.
  }
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
}

CheckpointWriter::~CheckpointWriter() {
  if (!thread.joinable())
    return;
  {
    std::lock_guard<std::mutex> lock(mutex);
    ends = true;
  }
  changed.notify_all();
  thread.join();
}

Status CheckpointWriter::wait() {
  std::unique_lock<std::mutex> lock(mutex);
  changed.wait(lock, [this] { return !job; });
  return std::exchange(outcome, Status());
}

Status CheckpointWriter::write(Checkpoint checkpoint, bool isBest) {
  if (!thread.joinable())
    return store(checkpoint, isBest);
  Status previous = wait();
  {
    std::lock_guard<std::mutex> lock(mutex);
    job = std::move(checkpoint);
    jobIsBest = isBest;
  }
  changed.notify_all();
  return previous;
}

Status CheckpointWriter::store(const Checkpoint &checkpoint, bool isBest) {
  if (Status s = writeCheckpoint(folder.checkpointPath(checkpoint.position.step), checkpoint); !s.ok())
    return s;
  if (isBest)
    if (Status s = writeCheckpoint(folder.bestPath(), checkpoint); !s.ok())
      return s;
  // Only a checkpoint that is safely on the disk makes older ones superfluous.
  return folder.prune(keep);
}

void CheckpointWriter::work() {
  std::unique_lock<std::mutex> lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return job || ends; });
    if (!job)
      return;
    lock.unlock();
    Status status = store(*job, jobIsBest);
    lock.lock();
    outcome = std::move(status);
    job.reset();
    changed.notify_all();
  }
}
