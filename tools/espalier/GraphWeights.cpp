//===- GraphWeights.cpp - weights of a graph, drawn and computed ----------===//

#include "GraphWeights.h"

#include "../common/Compile.h"

#include "espalier/Analysis/WeightEvaluator.h"
#include "espalier/Runtime/Core/Finite.h"
#include "espalier/Runtime/Core/Text.h"
#include "espalier/Runtime/Train/Initializer.h"
#include "espalier/Transforms/BranchPasses.h"

#include "llvm/Support/Parallel.h"

#include <fmt/ranges.h>

#include <atomic>
#include <cmath>
#include <set>

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

/// Copies numbers, on all processors. Are they finite in their new type?
template <typename From, typename To> static bool copyNumbers(rt::Span<const From> from, To *to) {
  constexpr size_t sizeOfPart = 1 << 15; // in a cache still when it is looked at again
  constexpr rt::DType dtype = std::is_same_v<To, float> ? rt::DType::F32 : rt::DType::F64;
  std::atomic<bool> areFinite = true;
  llvm::parallelFor(0, (from.size() + sizeOfPart - 1) / sizeOfPart, [&](size_t part) {
    size_t begin = part * sizeOfPart, count = std::min(sizeOfPart, from.size() - begin);
    llvm::transform(from.subspan(begin, count), to + begin, [](From x) { return static_cast<To>(x); });
    if (!rt::allFinite(dtype, {reinterpret_cast<const uint8_t *>(to + begin), count * sizeof(To)}))
      areFinite = false;
  });
  return areFinite;
}
static bool copyNumbers(const rt::HostTensor &from, double *to) {
  return from.dtype() == rt::DType::F32 ? copyNumbers(from.elements<float>(), to)
                                        : copyNumbers(from.elements<double>(), to);
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
  bool isSingle = tensor.dtype() == rt::DType::F32;
  int64_t offset = *(isSingle ? findNotFinite(tensor.elements<float>()) : findNotFinite(tensor.elements<double>()));
  double value = isSingle ? tensor.elements<float>()[offset] : tensor.elements<double>()[offset];
  return rt::invalidInput("tensor {} is {} at {}: weights that are not finite cannot be folded", rt::quote(path), value,
                          describeElement(tensor.shape(), offset));
}

/// A folded weight in the type that the network has it in.
static rt::Expected<rt::HostTensor> toTensor(llvm::ArrayRef<double> numbers, llvm::ArrayRef<int64_t> shape,
                                             rt::DType dtype, const std::string &path) {
  rt::Expected<rt::HostTensor> tensor = rt::HostTensor::create(dtype, shape.vec());
  if (!tensor)
    return tensor;
  rt::Span<const double> from(numbers.data(), numbers.size());
  if (dtype == rt::DType::F32 ? copyNumbers(from, tensor->elements<float>().data())
                              : copyNumbers(from, tensor->elements<double>().data()))
    return tensor;
  const rt::HostTensor &stored = *tensor;
  int64_t offset =
      *(dtype == rt::DType::F32 ? findNotFinite(stored.elements<float>()) : findNotFinite(stored.elements<double>()));
  return rt::invalidInput("the computed weight {} would be {} at {}; a batch norm without variance and epsilon, or "
                          "weights that are too large for {}?",
                          rt::quote(path), numbers[static_cast<size_t>(offset)],
                          describeElement(tensor->shape(), offset), rt::name(dtype));
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
  std::vector<double> numbers(static_cast<size_t>((*tensor)->numElements()));
  copyNumbers(**tensor, numbers.data());
  return toTensor(numbers, type.getShape(), *dtype, path);
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
  rt::TensorMap computed;
  rt::Status status;
  auto read = [&](mlir::Operation *op, llvm::MutableArrayRef<double> elements) -> mlir::LogicalResult {
    auto type = llvm::cast<mlir::RankedTensorType>(op->getResult(0).getType());
    rt::Expected<const rt::HostTensor *> tensor = findWeight(weights, storagePath(op), type);
    if (!tensor) {
      status = tensor.takeStatus();
      return mlir::failure();
    }
    if (copyNumbers(**tensor, elements.data()))
      return mlir::success();
    status = refuseNotFinite(**tensor, storagePath(op));
    return mlir::failure();
  };
  auto write = [&](unsigned index, llvm::ArrayRef<double> elements) -> mlir::LogicalResult {
    std::string path = resultPath(function, index).str();
    auto type = llvm::cast<mlir::RankedTensorType>(function.getResultTypes()[index]);
    rt::Expected<rt::DType> dtype = dtypeOf(type, path);
    rt::Expected<rt::HostTensor> tensor =
        dtype ? toTensor(elements, type.getShape(), *dtype, path) : rt::Expected<rt::HostTensor>(dtype.takeStatus());
    if (!tensor) {
      status = tensor.takeStatus();
      return mlir::failure();
    }
    computed.insert_or_assign(path, std::move(*tensor));
    return mlir::success();
  };
  if (failed(cg::evaluateWeights(function, read, write)))
    return status.ok() ? reported() : std::move(status);
  return computed;
}

rt::Expected<rt::TensorMap> espalier::tools::computeInitialWeights(cg::GraphOp graph, uint64_t seed) {
  cg::GraphOp function = findWeightsGraph(graph);
  if (!function)
    return rt::TensorMap();
  rt::Expected<rt::TensorMap> drawn = drawWeights(function, seed, WeightDraw::Initial);
  return drawn ? computeWeights(function, *drawn) : std::move(drawn);
}
