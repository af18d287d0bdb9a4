//===- TrajectoryTest.cpp - compiled training runs against PyTorch --------===//

#include "../../../tools/common/Compile.h"
#include "Golden.h"
#include "Nets.h"

#include "espalier/Pipelines/Step.h"
#include "espalier/Runtime/Program/Program.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace espalier;
using namespace mlir;

namespace {

class Trajectories : public testing::TestWithParam<integration::Net> {};

rt::HostTensor makeTensor(const rt::Place &place) {
  rt::Expected<rt::HostTensor> tensor = rt::HostTensor::create(place.dtype, place.logical);
  EXPECT_TRUE(tensor.ok());
  return std::move(*tensor);
}

void writeFloats(rt::Program &program, rt::PlaceId id, const std::vector<double> &values) {
  rt::HostTensor tensor = makeTensor(program.table().places[id]);
  ASSERT_EQ(tensor.elements<double>().size(), values.size());
  std::copy(values.begin(), values.end(), tensor.elements<double>().begin());
  ASSERT_TRUE(program.write(id, tensor).ok());
}

/// Steps of SGD with momentum and weight decay in compiled float64 agree with PyTorch's float64 to 1e-6.
TEST_P(Trajectories, EqualPyTorchInFloat64) {
  golden::Golden expected = golden::read(GetParam().name);
  ASSERT_FALSE(expected.losses.empty());
  integration::LoadedNet net(GetParam().name);
  ASSERT_TRUE(net.module);

  TrainingOptions options = net.trainingOptions(expected);
  options.optimizer.momentum = 0.9;
  options.optimizer.weightDecay = 5e-4;
  PhaseOptions phases;
  phases.toStep = [&](OpPassManager &manager) { buildTrainingStepPipeline(manager, options); };
  auto executable = tools::compileExecutable(*net.module, phases, "host");
  ASSERT_TRUE(executable);
  rt::Expected<rt::Program> program = rt::Program::create(executable, "step", /*threads=*/1);
  ASSERT_TRUE(program.ok()) << program.status().message();

  std::vector<rt::Place> places = program->table().places;
  std::optional<rt::PlaceId> images, labels;
  for (rt::PlaceId id = 0; id < places.size(); ++id) {
    const rt::Place &place = places[id];
    if (place.kind != rt::Place::Kind::Argument || place.role == rt::Role::Output)
      continue;
    if (place.role == rt::Role::Parameter)
      writeFloats(*program, id, golden::initial(place.name, place.logical));
    else if (place.role == rt::Role::Hyper && place.name == "learning_rate")
      writeFloats(*program, id, {expected.learningRate});
    else if (place.role == rt::Role::Input)
      (place.dtype == rt::DType::I64 ? labels : images) = id;
    else
      ASSERT_TRUE(program->write(id, makeTensor(place)).ok()); // running statistics do not enter training
  }
  ASSERT_TRUE(images && labels);
  std::optional<rt::PlaceId> loss = program->findOutput("loss");
  ASSERT_TRUE(loss);

  auto pixels = static_cast<size_t>(*rt::checkedNumElements(places[*images].logical));
  for (size_t step = 0; step < expected.losses.size(); ++step) {
    std::string suffix = std::to_string(step);
    writeFloats(*program, *images, golden::uniform("images" + suffix, pixels));
    rt::HostTensor classes = makeTensor(places[*labels]);
    std::vector<int64_t> drawn = golden::labels("labels" + suffix, expected.batch, GetParam().classes);
    std::copy(drawn.begin(), drawn.end(), classes.elements<int64_t>().begin());
    ASSERT_TRUE(program->write(*labels, classes).ok());
    ASSERT_TRUE(program->run().ok());
    double value = *reinterpret_cast<const double *>(program->memory(*loss).data());
    ASSERT_NEAR(value, expected.losses[step], 1e-6 * std::fabs(expected.losses[step])) << "step " << step;
  }
  for (const auto &[path, norm] : expected.weightsAfter) {
    std::optional<rt::PlaceId> id = program->findInput(path);
    ASSERT_TRUE(id) << path;
    rt::Expected<rt::HostTensor> weight = program->read(*id);
    ASSERT_TRUE(weight.ok());
    double square = 0.0;
    for (double element : std::as_const(*weight).elements<double>())
      square += element * element;
    EXPECT_NEAR(std::sqrt(square), norm, 1e-6 * norm) << path;
  }
}

INSTANTIATE_TEST_SUITE_P(Nets, Trajectories, testing::ValuesIn(integration::nets),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
