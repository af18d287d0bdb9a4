//===- TrainingRun.cpp - compiled training steps of a network -------------===//

#include "TrainingRun.h"

#include "../../../tools/common/Compile.h"

#include <gtest/gtest.h>

using namespace espalier;
using namespace espalier::integration;

/// Calls `visit` with the floating-point elements of a tensor.
template <typename Visit> static void visitFloats(rt::HostTensor &tensor, Visit visit) {
  if (tensor.dtype() == rt::DType::F64)
    visit(tensor.elements<double>());
  else
    visit(tensor.elements<float>());
}

/// Nothing, and a failed test, where the step does not compile.
static std::optional<rt::Program> compile(const LoadedNet &net, const TrainingOptions &options, const std::string &cpu,
                                          const std::string &candidate,
                                          void (*build)(mlir::OpPassManager &, const TrainingOptions &)) {
  PhaseOptions phases;
  phases.toStep = [&](mlir::OpPassManager &manager) { build(manager, options); };
  phases.kernels.preferredCandidate = candidate;
  auto executable = tools::compileExecutable(*net.module, phases, cpu);
  if (!executable) {
    ADD_FAILURE() << net.name << " does not compile";
    return std::nullopt;
  }
  rt::Expected<rt::Program> created = rt::Program::create(executable, "step", /*threads=*/1);
  if (!created) {
    ADD_FAILURE() << created.status().message();
    return std::nullopt;
  }
  return std::move(*created);
}

TrainingRun::TrainingRun(const LoadedNet &net, const TrainingOptions &options, const std::string &cpu,
                         const std::string &candidate)
    : program(compile(net, options, cpu, candidate, buildTrainingStepPipeline)),
      parts(static_cast<size_t>(options.accumulate)), classes(net.classes) {
  if (parts > 1)
    early = compile(net, options, cpu, candidate, buildAccumulationStepPipeline);
}

rt::HostTensor TrainingRun::makeTensor(const rt::Program &program, rt::PlaceId id) {
  const rt::Place &place = program.table().places[id];
  rt::Expected<rt::HostTensor> tensor = rt::HostTensor::create(place.dtype, place.logical);
  EXPECT_TRUE(tensor.ok());
  return std::move(*tensor);
}

void TrainingRun::write(rt::Program &program, rt::PlaceId id, const std::vector<double> &values) {
  rt::HostTensor tensor = makeTensor(program, id);
  visitFloats(tensor, [&](auto elements) {
    ASSERT_EQ(elements.size(), values.size());
    std::copy(values.begin(), values.end(), elements.begin());
  });
  EXPECT_TRUE(program.write(id, tensor).ok());
}

std::vector<double> TrainingRun::read(std::optional<rt::PlaceId> id) {
  if (!id) {
    ADD_FAILURE() << "no such value";
    return {};
  }
  rt::Expected<rt::HostTensor> tensor = program->read(*id);
  EXPECT_TRUE(tensor.ok());
  std::vector<double> values;
  visitFloats(*tensor, [&](auto elements) { values.assign(elements.begin(), elements.end()); });
  return values;
}

std::vector<double> TrainingRun::gradient(const std::string &path) {
  return read(program->findOutput(path + ".gradient"));
}
std::vector<double> TrainingRun::weight(const std::string &path) { return read(program->findInput(path)); }
std::vector<double> TrainingRun::slot(const std::string &path, const std::string &name) {
  return read(program->findInput(path + "#" + name));
}

std::vector<std::string> TrainingRun::parameters() const {
  std::vector<std::string> paths;
  for (const rt::Place &place : program->table().places)
    if (place.kind == rt::Place::Kind::Argument && place.role == rt::Role::Parameter)
      paths.push_back(place.name);
  return paths;
}

void TrainingRun::start(const Start &values) {
  const std::vector<rt::Place> &places = program->table().places;
  for (rt::PlaceId id = 0; id < places.size(); ++id) {
    const rt::Place &place = places[id];
    if (place.kind != rt::Place::Kind::Argument)
      continue;
    if (place.role == rt::Role::Parameter)
      write(*program, id, values(place.name, place.logical));
    else if (place.role == rt::Role::State || place.role == rt::Role::Slot)
      EXPECT_TRUE(program->write(id, makeTensor(*program, id)).ok()); // running statistics do not enter training
  }
  if (!early)
    return;
  for (rt::PlaceId id = 0; id < early->table().places.size(); ++id) {
    const rt::Place &place = early->table().places[id];
    bool isStored = place.role == rt::Role::Parameter || place.role == rt::Role::State || place.role == rt::Role::Slot;
    if (place.kind == rt::Place::Kind::Argument && isStored && !place.source)
      EXPECT_TRUE(early->bind(id, program->memory(*program->findInput(place.name))).ok());
  }
}

void TrainingRun::setSlot(const std::string &path, const std::string &name, const std::vector<double> &values) {
  std::optional<rt::PlaceId> id = program->findInput(path + "#" + name);
  ASSERT_TRUE(id) << path << " has no " << name;
  write(*program, *id, values);
}

void TrainingRun::setHyper(rt::Program &program, const char *name, double value) {
  if (std::optional<rt::PlaceId> id = program.findInput(name))
    write(program, *id, {value});
}

double TrainingRun::step(const golden::Golden &golden, size_t index) {
  double loss = 0.0;
  for (size_t part = 0; part < parts; ++part)
    loss += runPart(part + 1 < parts ? *early : *program, golden, index, part) / static_cast<double>(parts);
  return loss;
}

double TrainingRun::runPart(rt::Program &program, const golden::Golden &golden, size_t index, size_t part) {
  std::string suffix = std::to_string(index);
  const std::vector<rt::Place> &places = program.table().places;
  for (rt::PlaceId id = 0; id < places.size(); ++id) {
    const rt::Place &place = places[id];
    if (place.kind != rt::Place::Kind::Argument || place.role != rt::Role::Input)
      continue;
    auto share = [&](const auto &values) {
      auto size = static_cast<std::ptrdiff_t>(values.size() / parts);
      auto begin = values.begin() + static_cast<std::ptrdiff_t>(part) * size;
      return std::vector(begin, begin + size);
    };
    if (place.dtype != rt::DType::I64) {
      size_t count = static_cast<size_t>(*rt::checkedNumElements(place.logical)) * parts;
      write(program, id, share(golden::uniform("images" + suffix, count)));
      continue;
    }
    rt::HostTensor labels = makeTensor(program, id);
    std::vector<int64_t> drawn = share(golden::labels("labels" + suffix, static_cast<size_t>(golden.batch), classes));
    std::copy(drawn.begin(), drawn.end(), labels.elements<int64_t>().begin());
    EXPECT_TRUE(program.write(id, labels).ok());
  }
  setHyper(program, "learning_rate", golden.learningRate);
  setHyper(program, "step", static_cast<double>(index + 1));
  rt::Status status = program.run();
  EXPECT_TRUE(status.ok()) << status.message();
  std::optional<rt::PlaceId> output = program.findOutput("loss");
  rt::Expected<rt::HostTensor> loss = output ? program.read(*output) : rt::usageError("no loss");
  if (!loss) {
    ADD_FAILURE() << loss.status().message();
    return 0.0;
  }
  double value = 0.0;
  visitFloats(*loss, [&](auto elements) { value = static_cast<double>(elements[0]); });
  return value;
}
