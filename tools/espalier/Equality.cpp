//===- Equality.cpp - do two networks compute the same? -------------------===//

#include "Equality.h"

#include "../common/Compile.h"
#include "Inference.h"

#include "espalier/Runtime/Core/Text.h"

#include <cmath>

using namespace espalier;
using namespace espalier::tools;

/// The outputs, by name, in order.
static rt::Expected<std::vector<std::pair<std::string, rt::HostTensor>>>
computeOutputs(WeightedNetwork network, const SizeBindings &sizes, uint64_t seed) {
  InferenceOptions options;
  options.network = network.graph.getSymName().str();
  options.sizes = sizes;
  options.precision = Precision::F64;
  PhaseOptions phases;
  phases.toStep = [&](mlir::OpPassManager &manager) { buildInferenceStepPipeline(manager, options); };
  phases.kernels.prepareWeights = true;
  std::shared_ptr<const rt::Executable> executable =
      compileExecutable(network.graph->getParentOfType<mlir::ModuleOp>(), phases, "host");
  if (!executable)
    return reported();
  auto read = [&](const std::string &name, rt::DType dtype,
                  const std::vector<int64_t> &shape) -> rt::Expected<rt::HostTensor> {
    auto found = network.weights.find(name);
    if (found == network.weights.end())
      return rt::invalidInput("the weights have no tensor {}, which '{}' needs", rt::quote(name), options.network);
    if (found->second.shape() != shape)
      return rt::invalidInput("tensor {} is {}, but '{}' needs {}", rt::quote(name),
                              rt::formatType(found->second.dtype(), found->second.shape()), options.network,
                              rt::formatType(dtype, shape));
    return found->second.dtype() == rt::DType::F32 ? rt::toFloat64(found->second) : found->second.clone();
  };
  rt::Expected<rt::InferenceSession> session = rt::InferenceSession::create(executable, read);
  if (!session)
    return session.takeStatus();
  if (rt::Status s = writeRandomInputs(*session, seed); !s.ok())
    return s;
  if (rt::Status s = session->forward().run(); !s.ok())
    return s;
  std::vector<std::pair<std::string, rt::HostTensor>> outputs;
  for (rt::PlaceId id : session->outputs()) {
    rt::Expected<rt::HostTensor> value = session->forward().read(id);
    if (!value)
      return value.takeStatus();
    outputs.emplace_back(session->forward().table().places[id].name, std::move(*value));
  }
  return outputs;
}

rt::Expected<std::vector<OutputError>> espalier::tools::compareNetworks(WeightedNetwork first, WeightedNetwork second,
                                                                        const SizeBindings &sizes, uint64_t seed) {
  auto expected = computeOutputs(first, sizes, seed);
  if (!expected)
    return expected.takeStatus();
  auto actual = computeOutputs(second, sizes, seed);
  if (!actual)
    return actual.takeStatus();
  if (expected->size() != actual->size())
    return rt::invalidInput("the networks have {} and {} outputs", expected->size(), actual->size());
  std::vector<OutputError> errors;
  for (size_t i = 0; i < expected->size(); ++i) {
    const rt::HostTensor &a = (*expected)[i].second, &b = (*actual)[i].second;
    if (a.dtype() != b.dtype() || a.shape() != b.shape())
      return rt::invalidInput("output '{}' is {} of one network and {} of the other", (*expected)[i].first,
                              rt::formatType(a.dtype(), a.shape()), rt::formatType(b.dtype(), b.shape()));
    OutputError error{(*expected)[i].first};
    if (a.dtype() != rt::DType::F64) { // classes, masks
      bool isSame = std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin());
      error.maxAbsolute = error.relative = isSame ? 0.0 : INFINITY;
    } else {
      // Shares of the largest number: their squares neither overflow nor vanish.
      double largest = 0.0, difference = 0.0, norm = 0.0;
      for (double x : a.elements<double>())
        largest = std::isfinite(x) ? std::max(largest, std::abs(x)) : INFINITY;
      error.largest = largest;
      double unit = largest > 0.0 ? largest : 1.0;
      for (int64_t j = 0; j < a.numElements(); ++j) {
        double x = a.elements<double>()[j], distance = std::abs(x - b.elements<double>()[j]);
        // NaN compares with nothing.
        error.maxAbsolute = std::isfinite(distance) ? std::max(error.maxAbsolute, distance) : INFINITY;
        difference += distance / unit * (distance / unit);
        norm += x / unit * (x / unit);
      }
      bool isMeasured = std::isfinite(largest) && std::isfinite(difference) && norm > 0.0;
      error.relative = error.maxAbsolute == 0.0 ? 0.0 : isMeasured ? std::sqrt(difference / norm) : INFINITY;
    }
    errors.push_back(std::move(error));
  }
  return errors;
}

std::string espalier::tools::describeErrors(const std::vector<OutputError> &errors) {
  std::string text;
  for (const OutputError &error : errors)
    text += fmt::format("{}: largest error {:.3g}, relative {:.3g}\n", error.name, error.maxAbsolute, error.relative);
  return text;
}

rt::Status espalier::tools::checkErrors(const std::vector<OutputError> &errors, double tolerance) {
  for (const OutputError &error : errors)
    if (!(error.relative <= tolerance))
      return rt::invalidInput("output '{}' of the folded network is off by {:.3g} of its norm, which is more than "
                              "{:.3g}",
                              error.name, error.relative, tolerance);
  return {};
}

rt::Status espalier::tools::checkRecorded(const std::vector<OutputError> &errors,
                                          const std::vector<OutputError> &recorded) {
  if (errors.size() != recorded.size())
    return rt::invalidInput("has errors of {} outputs, but the networks have {}", recorded.size(), errors.size());
  constexpr double rounding = 1e-12;
  auto agree = [](double measured, double stored, double unit) {
    return std::abs(measured - stored) <= std::max(0.01 * std::max(measured, stored), rounding * unit);
  };
  for (auto [error, stored] : llvm::zip_equal(errors, recorded)) {
    if (error.name != stored.name)
      return rt::invalidInput("has the errors of an output {}, but the networks have '{}' in its place",
                              rt::quote(stored.name), error.name);
    if (!agree(error.relative, stored.relative, 1.0))
      return rt::invalidInput("says that output '{}' is off by {:.3g} of its norm, but it is by {:.3g}", error.name,
                              stored.relative, error.relative);
    if (!agree(error.maxAbsolute, stored.maxAbsolute, error.largest))
      return rt::invalidInput("says that the largest error of output '{}' is {:.3g}, but it is {:.3g}", error.name,
                              stored.maxAbsolute, error.maxAbsolute);
  }
  return {};
}
