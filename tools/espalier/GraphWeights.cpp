//===- GraphWeights.cpp - weights of a graph, drawn and computed ----------===//

#include "GraphWeights.h"

#include "../common/Compile.h"

#include "espalier/Analysis/WeightEvaluator.h"
#include "espalier/Runtime/Core/Finite.h"
#include "espalier/Runtime/Core/Text.h"
#include "espalier/Runtime/Train/Initializer.h"
#include "espalier/Transforms/BranchPasses.h"

#include <fmt/ranges.h>

#include <atomic>
#include <cmath>
#include <mutex>
#include <set>
#include <tuple>

using namespace espalier;
using namespace espalier::tools;

std::string espalier::tools::storagePath(mlir::Operation *op) {
  if (auto parameter = llvm::dyn_cast<cg::ParameterOp>(op))
    return parameter.getPath().str();
  if (auto state = llvm::dyn_cast<cg::StateOp>(op); state && !state.getSlot())
    return state.getPath().str();
  return "";
}

static rt::Expected<rt::DType> dtypeOf(mlir::RankedTensorType type, const std::string &path) {
  if (type.getElementType().isF32())
    return rt::DType::F32;
  if (type.getElementType().isF64())
    return rt::DType::F64;
  return rt::invalidInput("expects weights of f32 or f64, but {} is of another type", rt::quote(path));
}

//===----------------------------------------------------------------------===//
// Drawn
//===----------------------------------------------------------------------===//

static rt::Initializer initializerOf(mlir::Operation &op) {
  auto init = op.getAttrOfType<cg::InitAttrInterface>("init");
  if (!init)
    return {};
  cg::InitDistribution drawn = init.resolve(llvm::cast<mlir::RankedTensorType>(op.getResult(0).getType()).getShape());
  switch (drawn.kind) {
  case cg::InitDistribution::Kind::Uniform:
    return {rt::Initializer::Kind::Uniform, drawn.a, drawn.b};
  case cg::InitDistribution::Kind::Normal:
    return {rt::Initializer::Kind::Normal, drawn.a, drawn.b};
  case cg::InitDistribution::Kind::Values:
    return {rt::Initializer::Kind::Values, 0.0, 0.0, {drawn.values.begin(), drawn.values.end()}};
  case cg::InitDistribution::Kind::Fill:
    return {rt::Initializer::Kind::Fill, drawn.a};
  }
  llvm_unreachable("all distributions are handled");
}

/// Paths of the variances of batch norms, which must not be negative.
static std::set<std::string> findVariances(cg::GraphOp graph) {
  std::set<std::string> paths;
  for (mlir::Operation &op : graph.getBody().front()) {
    mlir::Value variance;
    if (auto norm = llvm::dyn_cast<cg::BatchNormOp>(op))
      variance = norm.getVariance();
    else if (auto inference = llvm::dyn_cast<cg::BatchNormInferenceOp>(op))
      variance = inference.getVariance();
    if (mlir::Operation *source = variance ? variance.getDefiningOp() : nullptr)
      paths.insert(storagePath(source));
  }
  return paths;
}

static rt::Initializer vary(rt::Initializer initializer, bool isVariance) {
  using Kind = rt::Initializer::Kind;
  if (isVariance)
    return {Kind::Uniform, 0.5, 2.0};
  if (initializer.kind != Kind::Fill)
    return initializer;
  double number = initializer.a;
  // What is not zero keeps its sign: one may divide by it.
  return number == 0.0 ? rt::Initializer{Kind::Normal, 0.0, 0.5}
                       : rt::Initializer{Kind::Uniform, 0.5 * number, 2.0 * number};
}

rt::Expected<rt::TensorMap> espalier::tools::drawWeights(cg::GraphOp graph, uint64_t seed, WeightDraw draw) {
  std::set<std::string> variances;
  if (draw == WeightDraw::Varied)
    variances = findVariances(graph);
  rt::TensorMap result;
  for (mlir::Operation &op : graph.getBody().front()) {
    std::string path = storagePath(&op);
    if (path.empty() || result.count(path))
      continue;
    auto type = llvm::cast<mlir::RankedTensorType>(op.getResult(0).getType());
    rt::Expected<rt::DType> dtype = dtypeOf(type, path);
    if (!dtype)
      return dtype.takeStatus();
    rt::Expected<rt::HostTensor> tensor = rt::HostTensor::create(*dtype, type.getShape().vec());
    if (!tensor)
      return tensor.takeStatus();
    rt::Initializer initializer = initializerOf(op);
    if (draw == WeightDraw::Varied)
      initializer = vary(std::move(initializer), variances.count(path));
    if (rt::Status s = rt::initialize(*tensor, initializer, path, seed); !s.ok())
      return s;
    result.emplace(path, std::move(*tensor));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Computed
//===----------------------------------------------------------------------===//

static std::string describeElement(const std::vector<int64_t> &shape, int64_t offset) {
  std::vector<int64_t> position(shape.size());
  for (size_t i = shape.size(); i-- > 0;) {
    position[i] = offset % shape[i];
    offset /= shape[i];
  }
  return fmt::format("[{}]", fmt::join(position, ", "));
}

/// Where the first number is that is not finite.
template <typename T> static std::optional<int64_t> findNotFinite(rt::Span<const T> elements) {
  for (auto [offset, value] : llvm::enumerate(elements))
    if (!std::isfinite(value))
      return static_cast<int64_t>(offset);
  return std::nullopt;
}

/// How many finite ones precede it, from `offset` on.
static std::optional<int64_t> findNotFinite(const rt::HostTensor &tensor, int64_t offset = 0) {
  auto first = static_cast<size_t>(offset), count = static_cast<size_t>(tensor.numElements() - offset);
  return tensor.dtype() == rt::DType::F32 ? findNotFinite(tensor.elements<float>().subspan(first, count))
                                          : findNotFinite(tensor.elements<double>().subspan(first, count));
}

template <typename T> static bool allFinite(rt::Span<const T> elements) {
  constexpr rt::DType dtype = std::is_same_v<T, float> ? rt::DType::F32 : rt::DType::F64;
  return rt::allFinite(dtype, {reinterpret_cast<const uint8_t *>(elements.data()), elements.size() * sizeof(T)});
}

/// Copies elements from `offset` on. Are they finite?
static bool copyNumbers(const rt::HostTensor &from, int64_t offset, llvm::MutableArrayRef<double> to) {
  auto copy = [&](auto all) {
    auto elements = all.subspan(static_cast<size_t>(offset), to.size());
    llvm::copy(elements, to.begin());
    return allFinite(elements);
  };
  return from.dtype() == rt::DType::F32 ? copy(from.elements<float>()) : copy(from.elements<double>());
}
/// Copies numbers to `offset`. Are they finite in their new type?
static bool copyNumbers(llvm::ArrayRef<double> from, rt::HostTensor &to, int64_t offset) {
  auto copy = [&](auto all) {
    auto elements = all.subspan(static_cast<size_t>(offset), from.size());
    using Element = std::decay_t<decltype(elements[0])>;
    llvm::transform(from, elements.begin(), [](double x) { return static_cast<Element>(x); });
    return allFinite(rt::Span<const Element>(elements));
  };
  return to.dtype() == rt::DType::F32 ? copy(to.elements<float>()) : copy(to.elements<double>());
}

/// The weight at `path`, a tensor of f32 or f64.
static rt::Expected<const rt::HostTensor *> findWeight(const rt::TensorMap &weights, const std::string &path,
                                                       mlir::RankedTensorType type) {
  auto found = weights.find(path);
  if (found == weights.end())
    return rt::invalidInput("the weights have no tensor {}, which the network needs", rt::quote(path));
  const rt::HostTensor &tensor = found->second;
  bool isFloat = tensor.dtype() == rt::DType::F32 || tensor.dtype() == rt::DType::F64;
  if (!isFloat || llvm::ArrayRef<int64_t>(tensor.shape()) != type.getShape())
    return rt::invalidInput("tensor {} is {}, but the network needs {}", rt::quote(path),
                            rt::formatType(tensor.dtype(), tensor.shape()),
                            rt::formatType(rt::DType::F32, type.getShape().vec()));
  return &tensor;
}

static rt::Status refuseNotFinite(const rt::HostTensor &tensor, const std::string &path) {
  int64_t offset = *findNotFinite(tensor);
  double value =
      tensor.dtype() == rt::DType::F32 ? tensor.elements<float>()[offset] : tensor.elements<double>()[offset];
  return rt::invalidInput("tensor {} is {} at {}: weights that are not finite cannot be folded", rt::quote(path), value,
                          describeElement(tensor.shape(), offset));
}

static rt::Status refuseResult(const rt::HostTensor &tensor, const std::string &path, int64_t offset, double value) {
  return rt::invalidInput("the computed weight {} would be {} at {}; a batch norm without variance and epsilon, or "
                          "weights that are too large for {}?",
                          rt::quote(path), value, describeElement(tensor.shape(), offset), rt::name(tensor.dtype()));
}

rt::Expected<rt::HostTensor> espalier::tools::convertWeight(const rt::TensorMap &weights, const std::string &path,
                                                            mlir::RankedTensorType type) {
  rt::Expected<rt::DType> dtype = dtypeOf(type, path);
  if (!dtype)
    return dtype.takeStatus();
  rt::Expected<const rt::HostTensor *> tensor = findWeight(weights, path, type);
  if (!tensor)
    return tensor.takeStatus();
  if (!rt::allFinite((*tensor)->dtype(), (*tensor)->bytes()))
    return refuseNotFinite(**tensor, path);
  if ((*tensor)->dtype() == *dtype)
    return (*tensor)->clone();
  rt::Expected<rt::HostTensor> converted = rt::HostTensor::create(*dtype, type.getShape().vec());
  if (!converted)
    return converted;
  std::vector<double> numbers(static_cast<size_t>((*tensor)->numElements()));
  copyNumbers(**tensor, 0, numbers);
  if (!copyNumbers(numbers, *converted, 0)) {
    int64_t offset = *findNotFinite(*converted);
    return refuseResult(*converted, path, offset, numbers[static_cast<size_t>(offset)]);
  }
  return converted;
}

cg::GraphOp espalier::tools::findWeightsGraph(cg::GraphOp graph) {
  for (cg::GraphOp other : graph->getParentOfType<mlir::ModuleOp>().getOps<cg::GraphOp>())
    if (auto name = other->getAttrOfType<mlir::StringAttr>(cg::weightsOfAttrName);
        name && name.getValue() == graph.getSymName())
      return other;
  return {};
}

static llvm::StringRef resultPath(cg::GraphOp function, unsigned index) {
  auto path = function.getResultAttrOfType<mlir::StringAttr>(index, cg::GraphOp::getNameAttrName());
  return path ? path.getValue() : "";
}

/// Tensors for the results of a graph, of any content.
static rt::Expected<std::vector<rt::HostTensor>> createResults(cg::GraphOp function) {
  std::vector<rt::HostTensor> results;
  for (unsigned index = 0; index < function.getNumResults(); ++index) {
    auto type = llvm::cast<mlir::RankedTensorType>(function.getResultTypes()[index]);
    rt::Expected<rt::DType> dtype = dtypeOf(type, resultPath(function, index).str());
    if (!dtype)
      return dtype.takeStatus();
    rt::Expected<rt::HostTensor> tensor = rt::HostTensor::createUninitialized(*dtype, type.getShape().vec());
    if (!tensor)
      return tensor.takeStatus();
    results.push_back(std::move(*tensor));
  }
  return results;
}

rt::Expected<rt::TensorMap> espalier::tools::computeWeights(cg::GraphOp function, const rt::TensorMap &weights) {
  std::string name = function.getSymName().str();
  if (function.getNumArguments() > 0)
    return rt::invalidInput("'{}' expects no arguments, as it computes weights, but got {}", name,
                            function.getNumArguments());
  for (unsigned index = 0; index < function.getNumResults(); ++index) {
    auto type = llvm::dyn_cast<mlir::RankedTensorType>(function.getResultTypes()[index]);
    if (!type || !type.hasStaticShape())
      return rt::invalidInput("'{}' expects result {} to have a shape of numbers, as it is a weight", name, index);
    if (resultPath(function, index).empty())
      return rt::invalidInput("'{}' expects the path of a parameter for result {}, which it computes", name, index);
  }
  rt::Expected<std::vector<rt::HostTensor>> results = createResults(function);
  if (!results)
    return results.takeStatus();
  rt::Status status;
  std::vector<std::pair<std::string, const rt::HostTensor *>> sources;
  std::atomic<bool> areFinite = true;
  auto read = [&](mlir::Operation *op) -> mlir::FailureOr<cg::WeightSource> {
    std::string path = storagePath(op);
    auto type = llvm::cast<mlir::RankedTensorType>(op->getResult(0).getType());
    rt::Expected<const rt::HostTensor *> tensor = findWeight(weights, path, type);
    if (!tensor) {
      status = tensor.takeStatus();
      return mlir::failure();
    }
    sources.emplace_back(std::move(path), *tensor);
    return cg::WeightSource([&areFinite, tensor = *tensor](int64_t offset, llvm::MutableArrayRef<double> elements) {
      if (!copyNumbers(*tensor, offset, elements))
        areFinite = false;
    });
  };
  struct NotFinite {
    unsigned index;
    int64_t offset;
    double value;
  };
  std::optional<NotFinite> first; // of the results
  std::mutex mutex;
  auto write = [&](unsigned index, int64_t offset, llvm::ArrayRef<double> elements) {
    rt::HostTensor &tensor = (*results)[index];
    if (copyNumbers(elements, tensor, offset))
      return;
    int64_t inPart = *findNotFinite(tensor, offset);
    NotFinite found{index, offset + inPart, elements[static_cast<size_t>(inPart)]};
    std::lock_guard<std::mutex> lock(mutex);
    if (!first || std::tie(found.index, found.offset) < std::tie(first->index, first->offset))
      first = found;
  };
  if (failed(cg::evaluateWeights(function, read, write)))
    return status.ok() ? reported() : std::move(status);
  if (!areFinite)
    for (const auto &[path, tensor] : sources)
      if (!rt::allFinite(tensor->dtype(), tensor->bytes()))
        return refuseNotFinite(*tensor, path);
  if (first)
    return refuseResult((*results)[first->index], resultPath(function, first->index).str(), first->offset,
                        first->value);
  rt::TensorMap computed;
  for (auto [index, tensor] : llvm::enumerate(*results))
    computed.insert_or_assign(resultPath(function, static_cast<unsigned>(index)).str(), std::move(tensor));
  return computed;
}

rt::Expected<rt::TensorMap> espalier::tools::computeInitialWeights(cg::GraphOp graph, uint64_t seed) {
  cg::GraphOp function = findWeightsGraph(graph);
  if (!function)
    return rt::TensorMap();
  rt::Expected<rt::TensorMap> drawn = drawWeights(function, seed, WeightDraw::Initial);
  return drawn ? computeWeights(function, *drawn) : std::move(drawn);
}
