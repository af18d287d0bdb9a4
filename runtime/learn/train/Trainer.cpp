//===- Trainer.cpp - The training loop ------------------------------------===//

#include "espalier/Runtime/Train/Trainer.h"

#include "espalier/Runtime/Core/Finite.h"
#include "espalier/Runtime/Core/Text.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

using namespace espalier::rt;

static bool isStored(Role role) { return role == Role::Parameter || role == Role::State || role == Role::Slot; }

static const Place &placeOf(const Program &program, PlaceId id) { return program.table().places[id]; }

/// Calls `visit` for each argument that is not an output.
template <typename Visit> static void forEachInput(const Program &program, Visit visit) {
  const std::vector<Place> &places = program.table().places;
  for (PlaceId id = 0; id < places.size(); ++id)
    if (places[id].kind == Place::Kind::Argument && places[id].role != Role::Output)
      visit(id, places[id]);
}

/// A floating-point scalar in a program's memory.
static double readScalar(DType dtype, Span<const uint8_t> bytes) {
  if (dtype == DType::F64) {
    double value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  float value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

/// Makes `reader` use the parameters, states and slots of `owner`, or moving averages in their place where there are
/// any.
static Status shareStored(Program &owner, Program &reader, bool preferAverages) {
  Status failure;
  forEachInput(reader, [&](PlaceId id, const Place &place) {
    if (!isStored(place.role) || !failure.ok())
      return;
    std::optional<PlaceId> source;
    if (preferAverages)
      source = owner.findInput(averageName(place.name));
    if (!source)
      source = owner.findInput(place.name);
    if (!source)
      failure = invalidInput("the training step has no '{}', which another program of the run reads", place.name);
    else
      failure = reader.bind(id, owner.memory(*source));
  });
  return failure;
}

/// The first samples of a batch.
static void copyPrefix(const HostTensor &batch, HostTensor &prefix) {
  std::memcpy(prefix.bytes().data(), batch.bytes().data(), prefix.byteSize());
}

/// Room for the samples of the last batch of an evaluation.
static Expected<Batch> createRest(const BatchLoader &loader) {
  Expected<Batch> batch = loader.createBatch();
  if (!batch)
    return batch;
  int64_t count = loader.numSamples() % loader.batchSize();
  for (HostTensor *tensor : {&batch->values, &batch->labels, &batch->targets}) {
    std::vector<int64_t> shape = tensor->shape();
    shape[0] = count;
    Expected<HostTensor> smaller = HostTensor::create(tensor->dtype(), std::move(shape));
    if (!smaller)
      return smaller.takeStatus();
    *tensor = std::move(*smaller);
  }
  batch->count = count;
  return batch;
}

/// Gives every scalar that changes from step to step its memory.
static Status writeZeroHypers(Program &program) {
  Status failure;
  forEachInput(program, [&](PlaceId id, const Place &place) {
    if (place.role == Role::Input || isStored(place.role) || !failure.ok())
      return;
    Expected<HostTensor> zero = HostTensor::create(place.dtype, place.logical);
    failure = zero ? program.write(id, *zero) : zero.takeStatus();
  });
  return failure;
}

Expected<Trainer> Trainer::create(TrainingPrograms programs, Prefetcher train, Prefetcher test, const Recipe &recipe) {
  Trainer trainer(std::move(programs), std::move(train), std::move(test), recipe);
  if (Status s = trainer.setUp(); !s.ok())
    return s;
  return trainer;
}

Status Trainer::replacePrograms(TrainingPrograms newPrograms) {
  programs = std::move(newPrograms);
  stored.clear();
  snapshot.clear();
  return setUp();
}

Status Trainer::setUp() {
  for (auto [program, inputs, loader] : {std::tuple(&programs.step, &stepInputs, &train.loader()),
                                         std::tuple(&programs.evaluate, &evaluateInputs, &test.loader())}) {
    Expected<BatchInputs> found = findInputs(*program, *loader);
    if (!found)
      return found.takeStatus();
    *inputs = std::move(*found);
  }
  if (programs.accumulate) {
    Expected<BatchInputs> found = findInputs(*programs.accumulate, train.loader());
    if (!found)
      return found.takeStatus();
    accumulateInputs = std::move(*found);
  }
  if (stepsPerEpoch() == 0)
    return invalidInput("the training set has {} samples, fewer than one batch of {}", train.loader().numSamples(),
                        recipe.batch);
  if (train.loader().view().mixes() && !stepInputs.targets)
    return invalidInput("'mixup' and 'cutmix' give a sample several classes: they expect a loss of probabilities, such "
                        "as soft_cross_entropy(logits, targets: f32[N, C]), but the loss takes labels");
  if (programs.evaluateRest) {
    Expected<BatchInputs> found = findInputs(*programs.evaluateRest, test.loader());
    if (!found)
      return found.takeStatus();
    restInputs = std::move(*found);
    Expected<Batch> room = createRest(test.loader());
    if (!room)
      return room.takeStatus();
    rest = std::move(*room);
  }

  // The step owns parameters, states, slots and hyper-parameters; evaluation reads the first two there.
  Status failure;
  forEachInput(programs.step, [&](PlaceId id, const Place &place) {
    if (place.role == Role::Input || !failure.ok())
      return;
    Expected<HostTensor> zero = HostTensor::create(place.dtype, place.logical);
    if (!zero) {
      failure = zero.takeStatus();
      return;
    }
    failure = programs.step.write(id, *zero);
    if (!isStored(place.role)) // a hyper-parameter
      return;
    stored.push_back(id);
    snapshot.emplace_back(static_cast<size_t>(place.byteSize));
  });
  if (!failure.ok())
    return failure;
  if (Status s = shareStored(programs.step, programs.evaluate, /*preferAverages=*/true); !s.ok())
    return s;
  if (programs.evaluateRest)
    if (Status s = shareStored(programs.step, *programs.evaluateRest, /*preferAverages=*/true); !s.ok())
      return s;
  if (programs.accumulate) {
    Program &program = *programs.accumulate;
    if (Status s = writeZeroHypers(program); !s.ok())
      return s;
    if (Status s = shareStored(programs.step, program, /*preferAverages=*/false); !s.ok())
      return s;
  }
  return programs.estimate ? setUpEstimate() : Status();
}

/// The filter whose gradient the slot of this name scales; nothing for another name.
static std::optional<std::string> filterOfScale(std::string_view name) {
  constexpr std::string_view suffix = gradientScaleSuffix;
  if (name.size() < suffix.size() || name.substr(name.size() - suffix.size()) != suffix)
    return std::nullopt;
  return std::string(name.substr(0, name.size() - suffix.size()));
}

Status Trainer::setUpEstimate() {
  Program &program = *programs.estimate;
  std::optional<PlaceId> images;
  forEachInput(program, [&](PlaceId id, const Place &place) {
    if (place.role == Role::Input)
      images = id;
  });
  int64_t numSamples = recipe.scalingBatches * recipe.batch, available = train.loader().numSamples();
  if (numSamples > available)
    return invalidInput("scales of gradients are estimated from {} batches of {}, but an epoch has {} samples",
                        recipe.scalingBatches, recipe.batch, available);
  std::vector<int64_t> shape = placeOf(programs.step, stepInputs.values).logical;
  shape[0] = numSamples;
  if (!images || placeOf(program, *images).dtype != DType::F32 || placeOf(program, *images).logical != shape)
    return invalidInput("the estimate of scales of gradients expects an input {}", formatType(DType::F32, shape));
  estimateInput = *images;
  estimatedSlots.clear();
  for (size_t i = 0; i < stored.size(); ++i)
    if (const std::string &name = placeOf(programs.step, stored[i]).name;
        filterOfScale(name) && program.findInput(name))
      estimatedSlots.push_back(i);
  Expected<HostTensor> tensor = HostTensor::create(DType::F32, shape);
  if (!tensor)
    return tensor.takeStatus();
  estimateImages = std::move(*tensor);
  if (Status s = writeZeroHypers(program); !s.ok())
    return s;
  return shareStored(programs.step, program, /*preferAverages=*/false);
}

Expected<Trainer::BatchInputs> Trainer::findInputs(Program &program, const BatchLoader &loader) {
  BatchInputs inputs;
  std::optional<PlaceId> values;
  const Dataset &dataset = loader.dataset();
  int64_t numClasses = static_cast<int64_t>(dataset.classNames().size());
  forEachInput(program, [&](PlaceId id, const Place &place) {
    if (place.role != Role::Input)
      return;
    // The network's own input comes first, those of the loss follow.
    if (place.dtype == DType::I64 && place.logical.size() == 1)
      inputs.labels = id;
    else if (!values)
      values = id;
    else if (place.logical.size() == 2 && place.logical[1] == numClasses)
      inputs.targets = id;
  });
  if (!values || (!inputs.labels && !inputs.targets))
    return unsupported("training wants a network with one input and a loss with labels of type i64[N], or with "
                       "probabilities f32[N, {}], one for each class",
                       numClasses);
  const Place &place = placeOf(program, *values);
  const ImageShape &shape = loader.view().shape();
  bool isImage = dataset.kind() == SampleKind::Image;
  std::vector<int64_t> expected{place.logical.empty() ? 0 : place.logical[0], shape.channels};
  if (isImage)
    expected.insert(expected.end(), {shape.height, shape.width});
  if (place.dtype != DType::F32 || place.logical != expected)
    return invalidInput("the network takes {}, but the data set{} has {} of {}", formatType(place.dtype, place.logical),
                        shape == dataset.shape() ? "" : ", as the recipe augments it,", isImage ? "images" : "features",
                        formatType(DType::F32, expected));
  inputs.values = *values;
  return inputs;
}

Status Trainer::initialize(const InitializerTable &initializers) {
  for (PlaceId id : stored) {
    const Place &place = placeOf(programs.step, id);
    Expected<HostTensor> tensor = HostTensor::create(place.dtype, place.logical);
    if (!tensor)
      return tensor.takeStatus();
    if (auto found = initializers.find(place.name); found != initializers.end())
      if (Status s = espalier::rt::initialize(*tensor, found->second, place.name, static_cast<uint64_t>(recipe.seed));
          !s.ok())
        return s;
    if (Status s = programs.step.write(id, *tensor); !s.ok())
      return s;
  }
  return startAverages(/*loaded=*/{});
}

Status Trainer::startAverages(const TensorMap &loaded) {
  for (PlaceId id : stored) {
    std::optional<PlaceId> average = programs.step.findInput(averageName(placeOf(programs.step, id).name));
    if (!average || loaded.count(placeOf(programs.step, *average).name))
      continue;
    Expected<HostTensor> value = programs.step.read(id);
    if (!value)
      return value.takeStatus();
    if (Status s = programs.step.write(*average, *value); !s.ok())
      return s;
  }
  return {};
}

WeightsFit Trainer::compare(const TensorMap &tensors) const {
  WeightsFit fit;
  bool withSlots = std::any_of(tensors.begin(), tensors.end(), [](const auto &t) { return isSlotName(t.first); });
  for (PlaceId id : stored) {
    const Place &place = placeOf(programs.step, id);
    auto found = tensors.find(place.name);
    if (found == tensors.end()) {
      if (withSlots || place.role != Role::Slot)
        fit.missing.push_back(place.name);
    } else if (found->second.dtype() != place.dtype || found->second.shape() != place.logical) {
      fit.misshapen.push_back(fmt::format("'{}' is {}, but the network wants {}", place.name,
                                          formatType(found->second.dtype(), found->second.shape()),
                                          formatType(place.dtype, place.logical)));
    } else {
      ++fit.matching;
    }
  }
  std::sort(fit.missing.begin(), fit.missing.end());
  std::sort(fit.misshapen.begin(), fit.misshapen.end());
  for (const auto &[name, tensor] : tensors) {
    std::optional<PlaceId> id = programs.step.findInput(name);
    if (!id || !isStored(placeOf(programs.step, *id).role))
      fit.unexpected.push_back(printable(name));
  }
  return fit;
}

std::vector<std::string> WeightsFit::describe(size_t limit) const {
  std::vector<std::string> lines;
  auto add = [&](std::string_view what, const std::vector<std::string> &names) {
    if (names.empty())
      return;
    std::string line = fmt::format("{} {}: ", names.size(), what);
    for (size_t i = 0; i < names.size() && i < limit; ++i)
      line += (i ? ", " : "") + names[i];
    lines.push_back(names.size() > limit ? fmt::format("{}, and {} more", line, names.size() - limit) : line);
  };
  add("missing", missing);
  add("unexpected", unexpected);
  add("misshapen", misshapen);
  return lines;
}

Status Trainer::load(const TensorMap &tensors) {
  for (PlaceId id : stored) {
    const Place &place = placeOf(programs.step, id);
    auto found = tensors.find(place.name);
    if (found == tensors.end() || found->second.dtype() != place.dtype || found->second.shape() != place.logical)
      continue;
    if (Status s = programs.step.write(id, found->second); !s.ok())
      return s;
  }
  return startAverages(tensors);
}

Expected<TensorMap> Trainer::read(bool slots) const {
  TensorMap tensors;
  for (PlaceId id : stored) {
    const Place &place = placeOf(programs.step, id);
    if (place.role == Role::Slot && !slots)
      continue;
    Expected<HostTensor> tensor = programs.step.read(id);
    if (!tensor)
      return tensor.takeStatus();
    tensors.emplace(place.name, std::move(*tensor));
  }
  return tensors;
}

Expected<TensorMap> Trainer::weights() const {
  Expected<TensorMap> tensors = read(/*slots=*/false);
  if (!tensors)
    return tensors;
  for (auto &[name, tensor] : *tensors)
    if (std::optional<PlaceId> average = programs.step.findInput(averageName(name))) {
      Expected<HostTensor> value = programs.step.read(*average);
      if (!value)
        return value.takeStatus();
      tensor = std::move(*value);
    }
  return tensors;
}

std::vector<std::string> Trainer::describeKernels() const {
  std::vector<std::string> kernels;
  for (size_t row = 0; row < programs.step.table().rows.size(); ++row)
    kernels.push_back(programs.step.describeRow(row));
  return kernels;
}

void Trainer::setHyper(Program &program, std::string_view name, HyperValue value) {
  std::optional<PlaceId> id = program.findInput(name);
  if (!id)
    return;
  DType dtype = placeOf(program, *id).dtype;
  auto store = [memory = program.memory(*id)](auto scalar) { std::memcpy(memory.data(), &scalar, sizeof scalar); };
  if (dtype == DType::I64)
    store(value.integer);
  else if (dtype == DType::F64)
    store(value.number);
  else
    store(static_cast<float>(value.number));
}

Status Trainer::runBatch(Program &program, const BatchInputs &inputs, const Batch &batch) {
  if (Status s = program.write(inputs.values, batch.values); !s.ok())
    return s;
  if (inputs.labels)
    if (Status s = program.write(*inputs.labels, batch.labels); !s.ok())
      return s;
  if (inputs.targets)
    if (Status s = program.write(*inputs.targets, batch.targets); !s.ok())
      return s;
  return program.run();
}

void Trainer::readMetrics(Program &program) {
  const std::vector<Place> &places = program.table().places;
  for (PlaceId id = 0; id < places.size(); ++id)
    if (places[id].kind == Place::Kind::Argument && places[id].role == Role::Output && !places[id].source &&
        places[id].logical.empty())
      metrics[places[id].name] = readScalar(places[id].dtype, program.memory(id));
}

void Trainer::takeSnapshot() {
  for (size_t i = 0; i < stored.size(); ++i) {
    Span<uint8_t> memory = programs.step.memory(stored[i]);
    std::memcpy(snapshot[i].data(), memory.data(), memory.size());
  }
}

void Trainer::restoreSnapshot() {
  for (size_t i = 0; i < stored.size(); ++i) {
    Span<uint8_t> memory = programs.step.memory(stored[i]);
    std::memcpy(memory.data(), snapshot[i].data(), memory.size());
  }
}

bool Trainer::storedIsFinite() {
  for (PlaceId id : stored)
    if (!allFinite(placeOf(programs.step, id).dtype, programs.step.memory(id)))
      return false;
  return true;
}

Status Trainer::explainNonFinite(Program &program, int64_t step) {
  std::string parameter;
  for (PlaceId id : stored)
    if (parameter.empty() && !allFinite(placeOf(programs.step, id).dtype, programs.step.memory(id)))
      parameter = placeOf(programs.step, id).name;
  // Equal inputs give equal bits: the step goes wrong again, this time under observation.
  restoreSnapshot();
  Expected<std::optional<size_t>> row = program.runToNonFinite();
  if (!row)
    return row.takeStatus();
  std::string where = "an unknown op";
  if (*row) {
    const Row &fault = program.table().rows[**row];
    where = fmt::format("{}{}{}", program.describeRow(**row),
                        fault.scope.empty() ? "" : fmt::format(" of '{}'", fault.scope),
                        fault.location.empty() ? "" : fmt::format(" at {}", fault.location));
  }
  return invalidInput(
      "step {}: a value is not finite; it arises in {}{}; a smaller learning_rate or clip_norm may help", step + 1,
      where, parameter.empty() ? "" : fmt::format(" and reaches the parameter '{}'", parameter));
}

void Trainer::setHypers(Program &program, int64_t step, int64_t part, double learningRate) {
  // Wraps for huge seeds; it need only be the same each time.
  uint64_t seed =
      static_cast<uint64_t>(recipe.seed) * 1'000'003 + static_cast<uint64_t>(step * recipe.accumulate + part);
  for (auto [name, value] : {std::pair("learning_rate", HyperValue{learningRate, 0}),
                             std::pair("step", HyperValue{static_cast<double>(step + 1), step + 1}),
                             std::pair("seed", HyperValue{static_cast<double>(seed), static_cast<int64_t>(seed)})})
    setHyper(program, name, value);
}

Status Trainer::trainPart(Program &program, const BatchInputs &inputs, int64_t step, int64_t part) {
  setHypers(program, step, part, recipe.learningRateAt(step, stepsPerEpoch()));
  takeSnapshot();
  Expected<const Batch *> batch = train.next();
  if (!batch)
    return batch.takeStatus().in("training set");
  if (Status s = runBatch(program, inputs, **batch); !s.ok())
    return s;
  readMetrics(program);
  bool finite = storedIsFinite();
  for (const auto &[name, value] : metrics)
    finite &= std::isfinite(value);
  return finite ? Status() : explainNonFinite(program, step);
}

Status Trainer::estimateGradientScales(int64_t epoch) {
  auto begin = std::chrono::steady_clock::now();
  train.start(epoch, 0);
  Span<uint8_t> images = estimateImages->bytes();
  for (size_t offset = 0; offset < images.size();) {
    Expected<const Batch *> batch = train.next();
    if (!batch)
      return batch.takeStatus().in("training set");
    Span<const uint8_t> part = (*batch)->values.bytes();
    std::memcpy(images.data() + offset, part.data(), part.size());
    offset += part.size();
  }
  Program &program = *programs.estimate;
  if (Status s = program.write(estimateInput, *estimateImages); !s.ok())
    return s;
  // Where there is no estimate, the program leaves what it finds: a NaN, which tells those apart.
  constexpr int bytesOfNaN = 0xff;
  takeSnapshot();
  for (size_t i : estimatedSlots) {
    Span<uint8_t> memory = programs.step.memory(stored[i]);
    std::memset(memory.data(), bytesOfNaN, memory.size());
  }
  program.constantsChanged();
  Status ran = program.run();
  for (size_t i : estimatedSlots) {
    const Place &place = placeOf(programs.step, stored[i]);
    Span<uint8_t> memory = programs.step.memory(stored[i]);
    if (allFinite(place.dtype, memory))
      continue;
    std::memcpy(memory.data(), snapshot[i].data(), memory.size());
    unestimated.push_back(*filterOfScale(place.name));
  }
  if (!ran.ok())
    return ran;
  ++numEstimates;
  estimatingSeconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return {};
}

Expected<std::map<std::string, std::vector<std::vector<double>>>> Trainer::gradientScales() const {
  std::map<std::string, std::vector<std::vector<double>>> scales;
  for (PlaceId id : stored) {
    const Place &place = placeOf(programs.step, id);
    std::optional<std::string> filter = filterOfScale(place.name);
    if (place.logical.size() != 2 || !filter)
      continue;
    Expected<HostTensor> tensor = programs.step.read(id);
    if (!tensor)
      return tensor.takeStatus();
    size_t width = byteWidth(place.dtype), offset = 0;
    auto &matrix = scales[*filter];
    for (int64_t row = 0; row < place.logical[0]; ++row) {
      matrix.emplace_back();
      for (int64_t column = 0; column < place.logical[1]; ++column, offset += width)
        matrix.back().push_back(readScalar(place.dtype, {tensor->bytes().data() + offset, width}));
    }
  }
  return scales;
}

Expected<TensorMap> Trainer::observeStates(int64_t step, int64_t count) {
  int64_t numSteps = stepsPerEpoch();
  train.start(step / numSteps, step % numSteps * recipe.accumulate);
  takeSnapshot();
  Status failure;
  for (int64_t i = 0; i < std::min(count, numSteps - step % numSteps) && failure.ok(); ++i) {
    setHypers(programs.step, step + i, /*part=*/0, /*learningRate=*/0);
    Expected<const Batch *> batch = train.next();
    failure = batch ? runBatch(programs.step, stepInputs, **batch) : batch.takeStatus().in("training set");
  }
  TensorMap states;
  for (PlaceId id : stored) {
    const Place &place = placeOf(programs.step, id);
    if (place.role != Role::State || !failure.ok())
      continue;
    Expected<HostTensor> tensor = programs.step.read(id);
    if (tensor)
      states.emplace(place.name, std::move(*tensor));
    else
      failure = tensor.takeStatus();
  }
  restoreSnapshot();
  return failure.ok() ? Expected<TensorMap>(std::move(states)) : std::move(failure);
}

Status Trainer::trainStep(int64_t step) {
  auto begin = std::chrono::steady_clock::now();
  int64_t numSteps = stepsPerEpoch(), parts = recipe.accumulate, epoch = step / numSteps, index = step % numSteps;
  if (programs.estimate && index == 0 && recipe.estimatesGradientScales(epoch))
    if (Status s = estimateGradientScales(epoch); !s.ok())
      return s;
  train.start(epoch, index * parts);
  for (int64_t part = 0; part < parts; ++part) {
    bool isLast = part + 1 == parts;
    if (Status s = trainPart(isLast ? programs.step : *programs.accumulate, isLast ? stepInputs : accumulateInputs,
                             step, part);
        !s.ok())
      return s;
    for (const auto &[name, value] : metrics)
      partSums[name] = (part ? partSums[name] : 0) + value / static_cast<double>(parts);
  }
  for (auto &[name, value] : metrics)
    value = partSums[name];
  // The next epoch's first batches are made during the evaluation.
  if (index + 1 == numSteps && epoch + 1 < recipe.epochs)
    train.start(epoch + 1, 0);
  trainingSeconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return {};
}

Expected<std::optional<Metrics>> Trainer::evaluate(const std::function<bool()> &shouldStop) {
  programs.evaluate.constantsChanged();
  Metrics sums;
  // Each evaluation is an epoch of its own to the prefetcher.
  test.start(numEvaluations++, 0);
  for (int64_t index = 0; index < test.loader().numBatches(); ++index) {
    if (shouldStop && shouldStop())
      return std::optional<Metrics>();
    Expected<const Batch *> batch = test.next();
    if (!batch)
      return batch.takeStatus().in("test set");
    bool whole = (*batch)->count == test.loader().batchSize();
    Program &program = whole ? programs.evaluate : *programs.evaluateRest;
    if (!whole) {
      program.constantsChanged();
      copyPrefix((*batch)->values, rest->values);
      copyPrefix((*batch)->labels, rest->labels);
      copyPrefix((*batch)->targets, rest->targets);
    }
    if (Status s = runBatch(program, whole ? evaluateInputs : restInputs, whole ? **batch : *rest); !s.ok())
      return s;
    readMetrics(program);
    for (const auto &[name, value] : metrics)
      sums[name] += value * static_cast<double>((*batch)->count);
  }
  for (auto &[name, sum] : sums)
    sum /= static_cast<double>(test.loader().numSamples());
  return std::optional<Metrics>(std::move(sums));
}
