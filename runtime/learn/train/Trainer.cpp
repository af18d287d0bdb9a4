//===- Trainer.cpp - The training loop ------------------------------------===//

#include "espalier/Runtime/Train/Trainer.h"

#include "espalier/Runtime/Core/Finite.h"

#include <algorithm>
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

/// Makes `reader` use the parameters and states of `owner`.
static Status shareStored(Program &owner, Program &reader) {
  Status failure;
  forEachInput(reader, [&](PlaceId id, const Place &place) {
    if (!isStored(place.role) || !failure.ok())
      return;
    std::optional<PlaceId> source = owner.findInput(place.name);
    if (!source)
      failure = invalidInput("the training step has no '{}', which the evaluation reads", place.name);
    else
      failure = reader.bind(id, owner.memory(*source));
  });
  return failure;
}

Expected<Trainer> Trainer::create(TrainingPrograms programs, const Dataset &train, const Dataset &test,
                                  const Normalisation &normalisation, const Recipe &recipe) {
  Expected<BatchLoader> loader =
      BatchLoader::forTraining(train, normalisation, recipe.batch, static_cast<uint64_t>(recipe.seed));
  if (!loader)
    return loader.takeStatus().in("training set");
  Expected<BatchLoader> testLoader = BatchLoader::forEvaluation(test, normalisation, recipe.batch);
  if (!testLoader)
    return testLoader.takeStatus().in("test set");

  Trainer trainer(std::move(programs), std::move(*loader), std::move(*testLoader), recipe);
  for (auto [program, inputs, shape] :
       {std::tuple(&trainer.programs.step, &trainer.stepInputs, train.shape()),
        std::tuple(&trainer.programs.evaluate, &trainer.evaluateInputs, test.shape())}) {
    Expected<BatchInputs> found = findInputs(*program, shape);
    if (!found)
      return found.takeStatus();
    *inputs = std::move(*found);
  }
  if (trainer.programs.evaluateRest) {
    Expected<BatchInputs> found = findInputs(*trainer.programs.evaluateRest, test.shape());
    if (!found)
      return found.takeStatus();
    trainer.restInputs = std::move(*found);
  }
  trainer.mask.resize(static_cast<size_t>(recipe.batch));

  // The step owns parameters, states, slots and hyper-parameters; evaluation reads the first two there.
  Status failure;
  forEachInput(trainer.programs.step, [&](PlaceId id, const Place &place) {
    if (place.role == Role::Input || !failure.ok())
      return;
    Expected<HostTensor> zero = HostTensor::create(place.dtype, place.logical);
    if (!zero) {
      failure = zero.takeStatus();
      return;
    }
    failure = trainer.programs.step.write(id, *zero);
    if (!isStored(place.role)) // a hyper-parameter
      return;
    trainer.stored.push_back(id);
    trainer.snapshot.emplace_back(static_cast<size_t>(place.byteSize));
  });
  if (!failure.ok())
    return failure;
  if (Status s = shareStored(trainer.programs.step, trainer.programs.evaluate); !s.ok())
    return s;
  if (trainer.programs.evaluateRest)
    if (Status s = shareStored(trainer.programs.step, *trainer.programs.evaluateRest); !s.ok())
      return s;
  return trainer;
}

Expected<Trainer::BatchInputs> Trainer::findInputs(Program &program, const ImageShape &shape) {
  BatchInputs inputs;
  std::optional<PlaceId> images, labels;
  forEachInput(program, [&](PlaceId id, const Place &place) {
    if (place.role != Role::Input)
      return;
    (place.dtype == DType::I64 ? labels : images) = id;
  });
  if (!images || !labels)
    return unsupported("training wants a network with one input of images and a loss with labels of type i64");
  const Place &image = placeOf(program, *images);
  std::vector<int64_t> expected{image.logical.empty() ? 0 : image.logical[0], shape.channels, shape.height,
                                shape.width};
  if (image.dtype != DType::F32 || image.logical != expected)
    return invalidInput("the network takes {}, but the data set has images of {}",
                        formatType(image.dtype, image.logical), formatType(DType::F32, expected));
  inputs.images = *images;
  inputs.labels = *labels;
  for (auto [id, tensor] : {std::pair(*images, &inputs.imageTensor), std::pair(*labels, &inputs.labelTensor)}) {
    const Place &place = placeOf(program, id);
    Expected<HostTensor> created = HostTensor::create(place.dtype, place.logical);
    if (!created)
      return created.takeStatus();
    *tensor = std::move(*created);
  }
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
  for (const auto &[name, tensor] : tensors) {
    std::optional<PlaceId> id = programs.step.findInput(name);
    if (!id || !isStored(placeOf(programs.step, *id).role))
      fit.unexpected.push_back(name);
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
  return {};
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

std::vector<std::string> Trainer::describeKernels() const {
  std::vector<std::string> kernels;
  for (size_t row = 0; row < programs.step.table().rows.size(); ++row)
    kernels.push_back(programs.step.describeRow(row));
  return kernels;
}

void Trainer::setHyper(std::string_view name, HyperValue value) {
  std::optional<PlaceId> id = programs.step.findInput(name);
  if (!id)
    return;
  DType dtype = placeOf(programs.step, *id).dtype;
  auto store = [memory = programs.step.memory(*id)](auto scalar) {
    std::memcpy(memory.data(), &scalar, sizeof scalar);
  };
  if (dtype == DType::I64)
    store(value.integer);
  else if (dtype == DType::F64)
    store(value.number);
  else
    store(static_cast<float>(value.number));
}

void Trainer::read(const BatchLoader &source, int64_t index, BatchInputs &inputs) {
  source.read(index, inputs.imageTensor->elements<float>(), inputs.labelTensor->elements<int64_t>(), mask);
}

Status Trainer::runBatch(Program &program, const BatchInputs &inputs) {
  if (Status s = program.write(inputs.images, *inputs.imageTensor); !s.ok())
    return s;
  if (Status s = program.write(inputs.labels, *inputs.labelTensor); !s.ok())
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

bool Trainer::storedIsFinite() {
  for (PlaceId id : stored)
    if (!allFinite(placeOf(programs.step, id).dtype, programs.step.memory(id)))
      return false;
  return true;
}

Status Trainer::explainNonFinite(int64_t step) {
  std::string parameter;
  for (PlaceId id : stored)
    if (parameter.empty() && !allFinite(placeOf(programs.step, id).dtype, programs.step.memory(id)))
      parameter = placeOf(programs.step, id).name;
  // Equal inputs give equal bits: the step goes wrong again, this time under observation.
  for (size_t i = 0; i < stored.size(); ++i) {
    Span<uint8_t> memory = programs.step.memory(stored[i]);
    std::memcpy(memory.data(), snapshot[i].data(), memory.size());
  }
  Expected<std::optional<size_t>> row = programs.step.runToNonFinite();
  if (!row)
    return row.takeStatus();
  std::string where = "an unknown op";
  if (*row) {
    const Row &fault = programs.step.table().rows[**row];
    where = fmt::format("{}{}{}", programs.step.describeRow(**row),
                        fault.scope.empty() ? "" : fmt::format(" of '{}'", fault.scope),
                        fault.location.empty() ? "" : fmt::format(" at {}", fault.location));
  }
  return invalidInput(
      "step {}: a value is not finite; it arises in {}{}; a smaller learning_rate or clip_norm may help", step + 1,
      where, parameter.empty() ? "" : fmt::format(" and reaches the parameter '{}'", parameter));
}

Status Trainer::trainStep(int64_t step) {
  int64_t epoch = step / loader.numBatches(), index = step % loader.numBatches();
  if (epoch != epochOfOrder) {
    loader.startEpoch(epoch);
    epochOfOrder = epoch;
  }
  // Wraps for huge seeds; it need only be the same each time.
  uint64_t seed = static_cast<uint64_t>(recipe.seed) * 1'000'003 + static_cast<uint64_t>(step);
  for (auto [name, value] :
       {std::pair("learning_rate", HyperValue{recipe.learningRateAt(step, loader.numBatches()), 0}),
        std::pair("step", HyperValue{static_cast<double>(step + 1), step + 1}),
        std::pair("seed", HyperValue{static_cast<double>(seed), static_cast<int64_t>(seed)})})
    setHyper(name, value);
  takeSnapshot();
  read(loader, index, stepInputs);
  if (Status s = runBatch(programs.step, stepInputs); !s.ok())
    return s;
  readMetrics(programs.step);
  bool finite = storedIsFinite();
  for (const auto &[name, value] : metrics)
    finite &= std::isfinite(value);
  if (!finite)
    return explainNonFinite(step);
  return {};
}

/// The first samples of a batch.
static void copyPrefix(const HostTensor &batch, HostTensor &prefix) {
  std::memcpy(prefix.bytes().data(), batch.bytes().data(), prefix.byteSize());
}

Expected<std::optional<Metrics>> Trainer::evaluate(const std::function<bool()> &shouldStop) {
  programs.evaluate.constantsChanged();
  Metrics sums;
  int64_t left = testLoader.numSamples();
  for (int64_t index = 0; left > 0; ++index) {
    if (shouldStop && shouldStop())
      return std::optional<Metrics>();
    int64_t samples = std::min(left, recipe.batch);
    bool whole = samples == recipe.batch;
    Program &program = whole ? programs.evaluate : *programs.evaluateRest;
    read(testLoader, index, evaluateInputs);
    if (!whole) {
      program.constantsChanged();
      copyPrefix(*evaluateInputs.imageTensor, *restInputs.imageTensor);
      copyPrefix(*evaluateInputs.labelTensor, *restInputs.labelTensor);
    }
    if (Status s = runBatch(program, whole ? evaluateInputs : restInputs); !s.ok())
      return s;
    readMetrics(program);
    for (const auto &[name, value] : metrics)
      sums[name] += value * static_cast<double>(samples);
    left -= samples;
  }
  for (auto &[name, sum] : sums)
    sum /= static_cast<double>(testLoader.numSamples());
  return std::optional<Metrics>(std::move(sums));
}
