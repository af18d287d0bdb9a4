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

TrainingRun::TrainingRun(const LoadedNet &net, const TrainingOptions &options, const std::string &cpu,
                         const std::string &candidate)
    : classes(net.classes) {
  PhaseOptions phases;
  phases.toStep = [&](mlir::OpPassManager &manager) { buildTrainingStepPipeline(manager, options); };
  phases.kernels.preferredCandidate = candidate;
  auto executable = tools::compileExecutable(*net.module, phases, cpu);
  if (!executable) {
    ADD_FAILURE() << net.name << " does not compile";
    return;
  }
  rt::Expected<rt::Program> created = rt::Program::create(executable, "step", /*threads=*/1);
  if (!created)
    ADD_FAILURE() << created.status().message();
  else
    program = std::move(*created);
}

rt::HostTensor TrainingRun::makeTensor(rt::PlaceId id) const {
  const rt::Place &place = program->table().places[id];
  rt::Expected<rt::HostTensor> tensor = rt::HostTensor::create(place.dtype, place.logical);
  EXPECT_TRUE(tensor.ok());
  return std::move(*tensor);
}

void TrainingRun::write(rt::PlaceId id, const std::vector<double> &values) {
  rt::HostTensor tensor = makeTensor(id);
  visitFloats(tensor, [&](auto elements) {
    ASSERT_EQ(elements.size(), values.size());
    std::copy(values.begin(), values.end(), elements.begin());
  });
  EXPECT_TRUE(program->write(id, tensor).ok());
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
      write(id, values(place.name, place.logical));
    else if (place.role == rt::Role::State || place.role == rt::Role::Slot)
      EXPECT_TRUE(program->write(id, makeTensor(id)).ok()); // running statistics do not enter training
  }
}

void TrainingRun::setHyper(const char *name, double value) {
  if (std::optional<rt::PlaceId> id = program->findInput(name))
    write(*id, {value});
}

double TrainingRun::step(const golden::Golden &golden, size_t index) {
  std::string suffix = std::to_string(index);
  const std::vector<rt::Place> &places = program->table().places;
  for (rt::PlaceId id = 0; id < places.size(); ++id) {
    const rt::Place &place = places[id];
    if (place.kind != rt::Place::Kind::Argument || place.role != rt::Role::Input)
      continue;
    if (place.dtype != rt::DType::I64) {
      write(id, golden::uniform("images" + suffix, static_cast<size_t>(*rt::checkedNumElements(place.logical))));
      continue;
    }
    rt::HostTensor labels = makeTensor(id);
    std::vector<int64_t> drawn = golden::labels("labels" + suffix, static_cast<size_t>(golden.batch), classes);
    std::copy(drawn.begin(), drawn.end(), labels.elements<int64_t>().begin());
    EXPECT_TRUE(program->write(id, labels).ok());
  }
  setHyper("learning_rate", golden.learningRate);
  setHyper("step", static_cast<double>(index + 1));
  rt::Status status = program->run();
  EXPECT_TRUE(status.ok()) << status.message();
  std::vector<double> loss = read(program->findOutput("loss"));
  return loss.empty() ? 0.0 : loss[0];
}
