//===- CheckpointWriter.cpp - Writes while training goes on ---------------===//

#include "espalier/Runtime/Train/CheckpointWriter.h"

#include <csignal>
#include <pthread.h>

using namespace espalier::rt;

CheckpointWriter::CheckpointWriter(RunFolder &folder, int64_t keep) : folder(folder), keep(keep) {
  // Signals belong to the thread that trains: this one inherits a mask in which all are blocked.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  thread = std::thread([this] { work(); });
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
}

CheckpointWriter::~CheckpointWriter() {
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
  Status previous = wait();
  {
    std::lock_guard<std::mutex> lock(mutex);
    job = std::move(checkpoint);
    jobIsBest = isBest;
  }
  changed.notify_all();
  return previous;
}

void CheckpointWriter::work() {
  std::unique_lock<std::mutex> lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return job || ends; });
    if (!job)
      return;
    lock.unlock();
    Status status = writeCheckpoint(folder.checkpointPath(job->position.step), *job);
    if (status.ok() && jobIsBest)
      status = writeCheckpoint(folder.bestPath(), *job);
    // Only a checkpoint that is safely on the disk makes older ones superfluous.
    if (status.ok())
      status = folder.prune(keep);
    lock.lock();
    outcome = std::move(status);
    job.reset();
    changed.notify_all();
  }
}
