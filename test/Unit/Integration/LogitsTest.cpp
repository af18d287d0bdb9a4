//===- LogitsTest.cpp - forward passes of the zoo against float64 ---------===//

#include "../../../tools/common/Compile.h"
#include "Nets.h"

#include "espalier/Analysis/ReferenceEvaluator.h"
#include "espalier/Runtime/Program/Session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

using namespace espalier;
using namespace mlir;

namespace {

/// Weights and running statistics, exact in float32.
std::vector<double> stored(const std::string &path, const std::vector<int64_t> &shape) {
  std::vector<double> values = golden::initial(path, shape);
  if (StringRef(path).ends_with("running_var"))
    for (double &value : values)
      value += 1.0;
  for (double &value : values)
    value = static_cast<float>(value);
  return values;
}

/// For one image of this size, or that of the file.
InferenceOptions inferenceOptions(const integration::LoadedNet &net, std::optional<int64_t> size, Precision precision) {
  InferenceOptions options;
  options.network = net.name;
  options.precision = precision;
  options.sizes = {"N=1"};
  if (size)
    for (const char *name : {"H=", "W="})
      options.sizes.push_back(name + std::to_string(*size));
  return options;
}

rt::HostTensor toTensor(rt::DType dtype, const std::vector<int64_t> &shape, const std::vector<double> &values) {
  rt::HostTensor tensor = *rt::HostTensor::create(dtype, shape);
  if (dtype == rt::DType::F64)
    std::copy(values.begin(), values.end(), tensor.elements<double>().begin());
  else
    std::copy(values.begin(), values.end(), tensor.elements<float>().begin());
  return tensor;
}

/// Logits of the compiled network, its weights prepared as `espalier run` does it; none, and a failed test, on an
/// error.
std::vector<double> runCompiled(const integration::LoadedNet &net, const InferenceOptions &options,
                                const std::string &cpu = "host", const std::string &candidate = "") {
  PhaseOptions phases;
  phases.toStep = [&](OpPassManager &manager) { buildInferenceStepPipeline(manager, options); };
  phases.kernels.prepareWeights = true;
  phases.kernels.preferredCandidate = candidate;
  auto executable = tools::compileExecutable(*net.module, phases, cpu);
  if (!executable) {
    ADD_FAILURE() << net.name << " does not compile";
    return {};
  }
  auto session = rt::InferenceSession::create(
      executable,
      [](const std::string &name, rt::DType dtype, const std::vector<int64_t> &shape) -> rt::Expected<rt::HostTensor> {
        return toTensor(dtype, shape, stored(name, shape));
      },
      /*threads=*/1);
  if (!session) {
    ADD_FAILURE() << session.status().message();
    return {};
  }
  rt::Program &forward = session->forward();
  const rt::Place &image = forward.table().places[session->inputs()[0]];
  std::vector<double> pixels = golden::uniform("images0", static_cast<size_t>(*rt::checkedNumElements(image.logical)));
  EXPECT_TRUE(forward.write(session->inputs()[0], toTensor(image.dtype, image.logical, pixels)).ok());
  rt::Status status = forward.run();
  EXPECT_TRUE(status.ok()) << status.message();
  rt::HostTensor logits = *forward.read(session->outputs()[0]);
  if (logits.dtype() == rt::DType::F64)
    return {logits.elements<double>().begin(), logits.elements<double>().end()};
  return {logits.elements<float>().begin(), logits.elements<float>().end()};
}

/// Logits by the reference evaluator.
std::vector<double> runReference(integration::LoadedNet &net, const InferenceOptions &options) {
  OwningOpRef<ModuleOp> copy = net.module->clone();
  PassManager manager(&net.context);
  buildInferenceStepPipeline(manager, options);
  EXPECT_TRUE(succeeded(manager.run(*copy)));
  cg::GraphOp graph = *copy->getOps<cg::GraphOp>().begin();
  std::vector<cg::ReferenceTensor> arguments;
  for (unsigned i = 0; i < graph.getNumArguments(); ++i) {
    cg::ReferenceTensor tensor(cast<RankedTensorType>(graph.getArgumentTypes()[i]));
    auto path = graph.getArgAttrOfType<StringAttr>(i, cg::pathAttrName);
    tensor.data = path ? stored(path.str(), tensor.shape().vec()) : golden::uniform("images0", tensor.data.size());
    arguments.push_back(std::move(tensor));
  }
  auto noStorage = [](Operation *op) -> FailureOr<cg::ReferenceTensor> {
    return op->emitError("is not expected here");
  };
  FailureOr<cg::ReferenceRun> run = cg::evaluateReference(graph, arguments, noStorage);
  if (failed(run)) {
    ADD_FAILURE() << "the reference evaluator fails";
    return {};
  }
  return run->results[0].data;
}

/// Every network of examples/zoo.
std::vector<std::string> listZoo() {
  std::vector<std::string> nets;
  for (const auto &entry : std::filesystem::directory_iterator(ESPALIER_SOURCE_DIR "/examples/zoo"))
    if (entry.path().extension() == ".esp")
      nets.push_back(entry.path().stem());
  std::sort(nets.begin(), nets.end());
  return nets;
}

/// Those that the reference evaluator can afford: the first linear layer of a VGG has a hundred million weights.
std::vector<std::string> listSmall() {
  std::vector<std::string> nets = listZoo();
  nets.erase(std::remove_if(nets.begin(), nets.end(), [](StringRef net) { return net.starts_with("vgg"); }),
             nets.end());
  return nets;
}

class Logits : public testing::TestWithParam<std::string> {};

/// At the size of the file: compiled float32 equals compiled float64, which the next test ties to the reference,
/// whether the library multiplies or our tiles do.
TEST_P(Logits, OfFloat32EqualFloat64) {
  integration::LoadedNet net({GetParam().c_str(), "examples/zoo", 0});
  ASSERT_TRUE(net.module);
  std::vector<double> exact = runCompiled(net, inferenceOptions(net, std::nullopt, Precision::F64));
  ASSERT_FALSE(exact.empty());
  for (StringRef candidate : {"onednn", "tile"}) {
    std::vector<double> rounded =
        runCompiled(net, inferenceOptions(net, std::nullopt, Precision::F32), "host", candidate.str());
    ASSERT_EQ(rounded.size(), exact.size());
    EXPECT_LE(integration::relativeError(rounded, exact), 1e-5) << candidate.str();
  }
}

class SmallLogits : public testing::TestWithParam<std::string> {};

/// At a small size: compiled float64 equals the reference evaluator.
TEST_P(SmallLogits, OfFloat64EqualReference) {
  integration::LoadedNet net({GetParam().c_str(), "examples/zoo", 0});
  ASSERT_TRUE(net.module);
  InferenceOptions options = inferenceOptions(net, 40, Precision::F64);
  std::vector<double> exact = runReference(net, options);
  std::vector<double> compiled = runCompiled(net, options);
  ASSERT_FALSE(exact.empty());
  ASSERT_EQ(compiled.size(), exact.size());
  EXPECT_LE(integration::relativeError(compiled, exact), 1e-11);
}

/// Mixed precision: at most twice as far from float64 as PyTorch's autocast.
TEST(MixedPrecision, LogitsRoundAsLittleAsPyTorch) {
  golden::Golden golden = golden::read("cifar_resnet20");
  ASSERT_GT(golden.bfloat16LogitsError, 0.0);
  integration::LoadedNet net({"cifar_resnet20", "examples/zoo", 10});
  ASSERT_TRUE(net.module);
  std::map<Precision, std::vector<double>> logits;
  for (Precision precision : {Precision::F64, Precision::F32, Precision::BF16}) {
    InferenceOptions options = inferenceOptions(net, std::nullopt, precision);
    options.sizes = {"N=16"};
    logits[precision] = runCompiled(net, options);
    ASSERT_EQ(logits[precision].size(), 160U);
  }
  EXPECT_LE(integration::relativeError(logits[Precision::BF16], logits[Precision::F64]),
            2 * golden.bfloat16LogitsError);
  // And it is mixed precision that was measured.
  EXPECT_GE(integration::relativeError(logits[Precision::BF16], logits[Precision::F64]),
            100 * integration::relativeError(logits[Precision::F32], logits[Precision::F64]));
}

/// Code for another processor than the one at hand computes the same.
TEST(OtherProcessor, LogitsEqualThoseOfTheHost) {
  integration::LoadedNet net({"mobilenet_v2", "examples/zoo", 1000});
  ASSERT_TRUE(net.module);
  InferenceOptions options = inferenceOptions(net, 40, Precision::F32);
  std::vector<double> host = runCompiled(net, options), v3 = runCompiled(net, options, "x86-64-v3");
  ASSERT_FALSE(host.empty());
  ASSERT_EQ(v3.size(), host.size());
  EXPECT_LE(integration::relativeError(v3, host), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Zoo, Logits, testing::ValuesIn(listZoo()), [](const auto &info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(Zoo, SmallLogits, testing::ValuesIn(listSmall()), [](const auto &info) { return info.param; });

} // namespace
