//===- FoldedNetwork.cpp - branches folded, with their weights ------------===//

#include "FoldedNetwork.h"

#include "../common/Compile.h"

#include "espalier/Analysis/WeightEvaluator.h"
#include "espalier/Runtime/Core/Finite.h"
#include "espalier/Runtime/Core/Text.h"
#include "espalier/Runtime/Train/Initializer.h"
#include "espalier/Transforms/BranchPasses.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

#include <fmt/ranges.h>

#include <cmath>

using namespace espalier;
using namespace espalier::tools;

static constexpr llvm::StringLiteral weightsSuffix = ".weights";

/// The path of a parameter or state; empty for another op.
static std::string storagePath(mlir::Operation *op) {
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

rt::Expected<rt::TensorMap> espalier::tools::drawWeights(cg::GraphOp graph, uint64_t seed) {
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
    if (auto init = op.getAttrOfType<cg::InitAttrInterface>("init")) {
      cg::InitDistribution drawn = init.resolve(type.getShape());
      rt::Initializer initializer{rt::Initializer::Kind::Fill, drawn.a, drawn.b};
      if (drawn.kind == cg::InitDistribution::Kind::Uniform)
        initializer.kind = rt::Initializer::Kind::Uniform;
      else if (drawn.kind == cg::InitDistribution::Kind::Normal)
        initializer.kind = rt::Initializer::Kind::Normal;
      else if (drawn.kind == cg::InitDistribution::Kind::Values)
        initializer = {rt::Initializer::Kind::Values, 0.0, 0.0, {drawn.values.begin(), drawn.values.end()}};
      if (rt::Status s = rt::initialize(*tensor, initializer, path, seed); !s.ok())
        return s;
    }
    result.emplace(path, std::move(*tensor));
  }
  return result;
}

/// The module of `graph` without other graphs that have weights, folded, with parameters for the expressions.
static mlir::OwningOpRef<mlir::ModuleOp> fold(cg::GraphOp graph) {
  mlir::OwningOpRef<mlir::ModuleOp> module = graph->getParentOfType<mlir::ModuleOp>().clone();
  for (cg::GraphOp other : llvm::make_early_inc_range(module->getOps<cg::GraphOp>()))
    if (other.getSymName() != graph.getSymName() &&
        llvm::any_of(other.getBody().front(), [](mlir::Operation &op) { return !storagePath(&op).empty(); }))
      other.erase();
  mlir::PassManager manager(graph.getContext());
  manager.addPass(cg::createFoldBranches());
  cg::MaterializeWeightsOptions options;
  options.suffix = weightsSuffix.str();
  manager.addPass(cg::createMaterializeWeights(options));
  manager.addPass(mlir::createCSEPass());
  return failed(manager.run(*module)) ? nullptr : std::move(module);
}

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

/// The weight at `path`, whose numbers are finite.
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
  if (rt::allFinite(tensor.dtype(), tensor.bytes()))
    return &tensor;
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
  if (dtype == rt::DType::F32)
    llvm::transform(numbers, tensor->elements<float>().begin(), [](double x) { return static_cast<float>(x); });
  else
    llvm::copy(numbers, tensor->elements<double>().begin());
  if (rt::allFinite(dtype, tensor->bytes()))
    return tensor;
  const rt::HostTensor &stored = *tensor;
  int64_t offset =
      *(dtype == rt::DType::F32 ? findNotFinite(stored.elements<float>()) : findNotFinite(stored.elements<double>()));
  return rt::invalidInput("the folded weight {} would be {} at {}; a batch norm without variance and epsilon, or "
                          "weights that are too large for {}?",
                          rt::quote(path), numbers[static_cast<size_t>(offset)],
                          describeElement(tensor->shape(), offset), rt::name(dtype));
}

/// Paths of the parameters and states below each result of the graph of weights.
static std::map<std::string, std::vector<std::string>> findSources(cg::GraphOp weights) {
  // Sorted; values that were made of the same ones share them.
  using Paths = std::shared_ptr<const std::vector<std::string>>;
  llvm::DenseMap<mlir::Value, Paths> below;
  auto unite = [](const Paths &lhs, const Paths &rhs) -> Paths {
    std::vector<std::string> both;
    std::set_union(lhs->begin(), lhs->end(), rhs->begin(), rhs->end(), std::back_inserter(both));
    if (both.size() == lhs->size())
      return lhs;
    return both.size() == rhs->size() ? rhs : std::make_shared<const std::vector<std::string>>(std::move(both));
  };
  for (mlir::Operation &op : weights.getBody().front().without_terminator()) {
    std::vector<std::string> own;
    if (std::string path = storagePath(&op); !path.empty())
      own.push_back(path);
    auto paths = std::make_shared<const std::vector<std::string>>(std::move(own));
    for (mlir::Value operand : op.getOperands())
      paths = unite(below[operand], paths);
    for (mlir::Value result : op.getResults())
      below[result] = paths;
  }
  std::map<std::string, std::vector<std::string>> sources;
  for (auto [index, result] : llvm::enumerate(weights.getBody().front().getTerminator()->getOperands()))
    sources[weights.getResultAttrOfType<mlir::StringAttr>(index, cg::GraphOp::getNameAttrName()).str()] =
        *below[result];
  return sources;
}

/// Adds the results of the graph of weights to `computed`.
static rt::Status computeWeights(cg::GraphOp function, const rt::TensorMap &weights, rt::TensorMap &computed) {
  rt::Status status;
  auto read = [&](mlir::Operation *op, llvm::MutableArrayRef<double> elements) -> mlir::LogicalResult {
    auto type = llvm::cast<mlir::RankedTensorType>(op->getResult(0).getType());
    rt::Expected<const rt::HostTensor *> tensor = findWeight(weights, storagePath(op), type);
    if (!tensor) {
      status = tensor.takeStatus();
      return mlir::failure();
    }
    if ((*tensor)->dtype() == rt::DType::F32)
      llvm::copy((*tensor)->elements<float>(), elements.begin());
    else
      llvm::copy((*tensor)->elements<double>(), elements.begin());
    return mlir::success();
  };
  auto write = [&](unsigned index, llvm::ArrayRef<double> elements) -> mlir::LogicalResult {
    std::string path = function.getResultAttrOfType<mlir::StringAttr>(index, cg::GraphOp::getNameAttrName()).str();
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
  return {};
}

/// A weight that stays, in the type that the network has it in.
static rt::Expected<rt::HostTensor> convert(const rt::HostTensor &tensor, rt::DType dtype, const std::string &path) {
  if (tensor.dtype() == dtype)
    return tensor.clone();
  std::vector<double> numbers(static_cast<size_t>(tensor.numElements()));
  if (tensor.dtype() == rt::DType::F32)
    llvm::copy(tensor.elements<float>(), numbers.begin());
  else
    llvm::copy(tensor.elements<double>(), numbers.begin());
  return toTensor(numbers, tensor.shape(), dtype, path);
}

rt::Expected<FoldedNetwork> espalier::tools::foldNetwork(cg::GraphOp graph, const rt::TensorMap &weights) {
  FoldedNetwork result;
  result.module = fold(graph);
  if (!result.module)
    return reported();

  std::string weightsName = (graph.getSymName() + weightsSuffix).str();
  auto function = result.module->lookupSymbol<cg::GraphOp>(weightsName);
  if (function && function->hasAttr(cg::weightsOfAttrName)) {
    if (rt::Status s = computeWeights(function, weights, result.weights); !s.ok())
      return s;
    result.sources = findSources(function);
    function.erase();
  }

  for (mlir::Operation &op : result.module->lookupSymbol<cg::GraphOp>(graph.getSymName()).getBody().front()) {
    std::string path = storagePath(&op);
    if (path.empty() || result.weights.count(path))
      continue;
    auto type = llvm::cast<mlir::RankedTensorType>(op.getResult(0).getType());
    rt::Expected<rt::DType> dtype = dtypeOf(type, path);
    if (!dtype)
      return dtype.takeStatus();
    rt::Expected<const rt::HostTensor *> kept = findWeight(weights, path, type);
    if (!kept)
      return kept.takeStatus();
    rt::Expected<rt::HostTensor> tensor = convert(**kept, *dtype, path);
    if (!tensor)
      return tensor.takeStatus();
    result.weights.emplace(path, std::move(*tensor));
  }
  return result;
}
