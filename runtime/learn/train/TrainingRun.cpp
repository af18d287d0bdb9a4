//===- TrainingRun.cpp - From the first step to the last ------------------===//

#include "espalier/Runtime/Train/TrainingRun.h"

#include "espalier/Runtime/Train/CheckpointWriter.h"

#include <chrono>

using namespace espalier::rt;

static double steadySeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static std::optional<double> find(const Metrics &metrics, const char *name) {
  auto found = metrics.find(name);
  return found == metrics.end() ? std::nullopt : std::optional<double>(found->second);
}

const EpochRecord *espalier::rt::findBest(const std::vector<EpochRecord> &history) {
  const EpochRecord *best = nullptr;
  for (const EpochRecord &record : history) {
    std::optional<double> accuracy = find(record.test, "accuracy");
    if (!best || (accuracy ? *accuracy > find(best->test, "accuracy").value_or(-1)
                           : find(record.test, "loss") < find(best->test, "loss")))
      best = &record;
  }
  return best;
}

namespace {

class Run {
public:
  Run(Trainer &trainer, const Recipe &recipe, RunFolder &folder, RunRecorder &recorder, RunPosition &position,
      const TrainingRunOptions &options)
      : trainer(trainer), recipe(recipe), folder(folder), recorder(recorder), position(position), options(options),
        identity(options.identity), writer(folder, recipe.keep), perEpoch(trainer.stepsPerEpoch()),
        progress(options.progress, (recipe.epochs * perEpoch - position.step) * trainer.batch()) {}

  Expected<TrainingRunResult> run();

private:
  bool atEpochEnd() const { return position.step == (static_cast<int64_t>(position.history.size()) + 1) * perEpoch; }
  Status startEpoch();
  Status step();
  /// Nothing if it was interrupted.
  Expected<bool> evaluate();
  Status save(bool isBest);
  /// What a failure to write means by the options.
  Status judge(Status failure);
  void say(std::string_view text) {
    recorder.log(text);
    if (options.note)
      options.note(text);
  }

  Trainer &trainer;
  const Recipe &recipe;
  RunFolder &folder;
  RunRecorder &recorder;
  RunPosition &position;
  const TrainingRunOptions &options;
  RunIdentity identity;
  CheckpointWriter writer;
  int64_t perEpoch;
  Progress progress;
  int64_t savedStep = -1;
  size_t savedEpochs = 0;
  Status writeFailure;
};

} // namespace

Status Run::startEpoch() {
  int64_t epoch = position.step / perEpoch, done = position.step % perEpoch;
  if (options.provider && done == 0 && position.editedStep < position.step && recipe.growsBranches(epoch)) {
    if (Status s = options.provider->edit(trainer, position, identity); !s.ok())
      return s;
    position.editedStep = position.step;
    if (Status s = judge(options.provider->save(position.step)); !s.ok())
      return s;
    // The checkpoint of before the edit stands: from there a run comes to the same edit.
    savedStep = position.step;
    savedEpochs = position.history.size();
  }
  progress.start(fmt::format("epoch {}/{}", epoch + 1, recipe.epochs), perEpoch * trainer.batch(),
                 done * trainer.batch());
  return {};
}

Status Run::step() {
  double start = steadySeconds();
  if (Status s = trainer.trainStep(position.step); !s.ok())
    return s;
  for (const std::string &filter : trainer.takeUnestimated())
    say(fmt::format(
        "warning: epoch {}: the scale of the gradient of '{}' stays as it is, as each channel of the images "
        "that the filter reads has one value only",
        position.step / perEpoch + 1, filter));
  for (const auto &[name, value] : trainer.stepMetrics())
    position.sums[name] += value;
  ++position.step;
  position.seconds += steadySeconds() - start;
  int64_t done = (position.step - 1) % perEpoch + 1;
  double steps = static_cast<double>(done);
  std::optional<double> accuracy = find(position.sums, "accuracy");
  progress.update(done * trainer.batch(), find(position.sums, "loss").value_or(0) / steps,
                  accuracy ? std::optional<double>(*accuracy / steps) : std::nullopt);
  return {};
}

Expected<bool> Run::evaluate() {
  Expected<std::optional<Metrics>> tested = trainer.evaluate(options.shouldStop);
  if (!tested)
    return tested.takeStatus();
  if (!*tested)
    return false;
  EpochRecord record;
  record.epoch = position.step / perEpoch;
  record.step = position.step;
  record.train = std::exchange(position.sums, {});
  for (auto &[name, value] : record.train)
    value /= static_cast<double>(perEpoch);
  record.test = std::move(**tested);
  record.learningRate = recipe.learningRateAt(position.step - 1, perEpoch);
  record.seconds = std::exchange(position.seconds, 0);
  record.imagesPerSecond = static_cast<double>(perEpoch * trainer.batch()) / record.seconds;
  record.peakBytes = peakMemoryBytes();
  record.endTime = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  if (recipe.estimatesGradientScales(record.epoch - 1)) {
    auto scales = trainer.gradientScales();
    if (!scales)
      return scales.takeStatus();
    record.gradientScales = std::move(*scales);
  }
  position.history.push_back(std::move(record));

  const EpochRecord &newest = position.history.back();
  std::optional<double> accuracy = find(newest.test, "accuracy");
  std::string remark = fmt::format("test loss {:.4f}{}", find(newest.test, "loss").value_or(0),
                                   accuracy ? fmt::format(", accuracy {:.2f} %", 100 * *accuracy) : "");
  progress.finish(remark);
  recorder.log(fmt::format("epoch {}/{}: loss {:.4f}  {:.0f} images/s  {}  {}", newest.epoch, recipe.epochs,
                           find(newest.train, "loss").value_or(0), newest.imagesPerSecond,
                           formatDuration(newest.seconds), remark));
  if (options.onEpoch)
    options.onEpoch(newest);
  if (Status s = judge(recorder.record(position.history)); !s.ok())
    return s;
  if (Status s = save(findBest(position.history) == &newest); !s.ok())
    return s;
  return true;
}

Status Run::judge(Status failure) {
  if (failure.ok())
    return failure;
  if (options.onWriteError == OnWriteError::Stop) {
    std::vector<int64_t> steps = folder.checkpointSteps();
    std::string rest =
        steps.empty() ? "there is no checkpoint yet"
                      : fmt::format("{} is kept; --resume goes on from there", folder.checkpointPath(steps.back()));
    return Status(failure.code(), fmt::format("{}; {}", failure.message(), rest));
  }
  say(fmt::format("warning: {}; training goes on", failure.message()));
  writeFailure = std::move(failure);
  return {};
}

Status Run::save(bool isBest) {
  if (savedStep == position.step && savedEpochs == position.history.size())
    return {};
  Expected<TensorMap> tensors = trainer.everything();
  if (!tensors)
    return tensors.takeStatus();
  Checkpoint checkpoint{*std::move(tensors), position, identity, options.metadata};
  checkpoint.identity.kernels = trainer.describeKernels();
  savedStep = position.step;
  savedEpochs = position.history.size();
  Status previous = writer.write(std::move(checkpoint), isBest);
  return judge(std::move(previous));
}

Expected<TrainingRunResult> Run::run() {
  const int64_t total = recipe.epochs * perEpoch;
  bool interrupted = false;
  if (position.step < total)
    if (Status s = startEpoch(); !s.ok())
      return s;
  while (!interrupted) {
    if (atEpochEnd()) {
      Expected<bool> evaluated = evaluate();
      if (!evaluated)
        return evaluated.takeStatus();
      interrupted = !*evaluated;
      if (!interrupted && position.step < total)
        if (Status s = startEpoch(); !s.ok())
          return s;
    } else if (position.step >= total) {
      break;
    } else if (options.shouldStop && options.shouldStop()) {
      interrupted = true;
    } else {
      if (Status s = step(); !s.ok())
        return s;
      if (recipe.checkpointEvery > 0 && position.step % recipe.checkpointEvery == 0 && !atEpochEnd())
        if (Status s = save(/*isBest=*/false); !s.ok())
          return s;
    }
  }
  if (interrupted)
    if (Status s = save(/*isBest=*/false); !s.ok())
      return s;
  // A write that succeeds now makes up for those that failed before it.
  writeFailure = {};
  if (Status s = judge(writer.wait()); !s.ok())
    return s;
  if (Status s = judge(recorder.finish(position.history)); !s.ok())
    return s;
  if (interrupted)
    say(fmt::format("stopped after step {}; --resume goes on from there", position.step));
  return TrainingRunResult{interrupted, std::move(writeFailure)};
}

Expected<TrainingRunResult> espalier::rt::runTraining(Trainer &trainer, const Recipe &recipe, RunFolder &folder,
                                                      RunRecorder &recorder, RunPosition &position,
                                                      const TrainingRunOptions &options) {
  Run run(trainer, recipe, folder, recorder, position, options);
  Expected<TrainingRunResult> result = run.run();
  if (!result)
    recorder.log(fmt::format("error: {}", result.status().message()));
  return result;
}
