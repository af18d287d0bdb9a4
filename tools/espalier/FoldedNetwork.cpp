//===- FoldedNetwork.cpp - branches folded, with their weights ------------===//

#include "FoldedNetwork.h"

#include "../common/Compile.h"

#include "espalier/Analysis/ReferenceEvaluator.h"
#include "espalier/Runtime/Core/Text.h"
#include "espalier/Runtime/Train/Initializer.h"
#include "espalier/Transforms/BranchPasses.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/SetVector.h"

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

/// A weight of the file as float64.
static rt::Expected<cg::ReferenceTensor> toReference(const rt::TensorMap &weights, const std::string &path,
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
  cg::ReferenceTensor result(type);
  if (tensor.dtype() == rt::DType::F32)
    llvm::copy(tensor.elements<float>(), result.data.begin());
  else
    llvm::copy(tensor.elements<double>(), result.data.begin());
  for (auto [offset, value] : llvm::enumerate(result.data))
    if (!std::isfinite(value))
      return rt::invalidInput("tensor {} is {} at {}: weights that are not finite cannot be folded", rt::quote(path),
                              value, describeElement(tensor.shape(), static_cast<int64_t>(offset)));
  return result;
}

/// A folded weight in the type that the network has it in.
static rt::Expected<rt::HostTensor> toTensor(const cg::ReferenceTensor &value, rt::DType dtype,
                                             const std::string &path) {
  rt::Expected<rt::HostTensor> tensor = rt::HostTensor::create(dtype, value.shape().vec());
  if (!tensor)
    return tensor;
  for (auto [offset, number] : llvm::enumerate(value.data)) {
    double stored = number;
    if (dtype == rt::DType::F32)
      stored = tensor->elements<float>()[offset] = static_cast<float>(number);
    else
      tensor->elements<double>()[offset] = number;
    if (!std::isfinite(stored))
      return rt::invalidInput("the folded weight {} would be {} at {}; a batch norm without variance and epsilon, or "
                              "weights that are too large for {}?",
                              rt::quote(path), number, describeElement(tensor->shape(), static_cast<int64_t>(offset)),
                              rt::name(dtype));
  }
  return tensor;
}

/// Paths of the parameters and states below each result of the graph of weights.
static std::map<std::string, std::vector<std::string>> findSources(cg::GraphOp weights) {
  std::map<std::string, std::vector<std::string>> sources;
  for (auto [index, result] : llvm::enumerate(weights.getBody().front().getTerminator()->getOperands())) {
    auto path = weights.getResultAttrOfType<mlir::StringAttr>(index, cg::GraphOp::getNameAttrName());
    llvm::SetVector<mlir::Operation *> below;
    below.insert(result.getDefiningOp());
    std::vector<std::string> &paths = sources[path.str()];
    for (size_t i = 0; i < below.size(); ++i) {
      if (std::string source = storagePath(below[i]); !source.empty())
        paths.push_back(source);
      for (mlir::Value operand : below[i]->getOperands())
        below.insert(operand.getDefiningOp());
    }
    llvm::sort(paths);
    paths.erase(llvm::unique(paths), paths.end());
  }
  return sources;
}

rt::Expected<FoldedNetwork> espalier::tools::foldNetwork(cg::GraphOp graph, const rt::TensorMap &weights) {
  FoldedNetwork result;
  result.module = fold(graph);
  if (!result.module)
    return reported();

  std::string weightsName = (graph.getSymName() + weightsSuffix).str();
  std::map<std::string, cg::ReferenceTensor> computed;
  if (auto function = result.module->lookupSymbol<cg::GraphOp>(weightsName)) {
    rt::Status status;
    auto storage = [&](mlir::Operation *op) -> mlir::FailureOr<cg::ReferenceTensor> {
      auto type = llvm::cast<mlir::RankedTensorType>(op->getResult(0).getType());
      rt::Expected<cg::ReferenceTensor> tensor = toReference(weights, storagePath(op), type);
      if (tensor)
        return std::move(*tensor);
      status = tensor.takeStatus();
      return mlir::failure();
    };
    mlir::FailureOr<cg::ReferenceRun> run = cg::evaluateReference(function, {}, storage);
    if (failed(run))
      return status.ok() ? reported() : std::move(status);
    result.sources = findSources(function);
    for (auto [index, value] : llvm::enumerate(run->results))
      computed[function.getResultAttrOfType<mlir::StringAttr>(index, cg::GraphOp::getNameAttrName()).str()] =
          std::move(value);
    function.erase();
  }

  for (mlir::Operation &op : result.module->lookupSymbol<cg::GraphOp>(graph.getSymName()).getBody().front()) {
    std::string path = storagePath(&op);
    if (path.empty())
      continue;
    auto type = llvm::cast<mlir::RankedTensorType>(op.getResult(0).getType());
    rt::Expected<rt::DType> dtype = dtypeOf(type, path);
    if (!dtype)
      return dtype.takeStatus();
    auto found = computed.find(path);
    rt::Expected<cg::ReferenceTensor> value =
        found != computed.end() ? found->second : toReference(weights, path, type);
    if (!value)
      return value.takeStatus();
    rt::Expected<rt::HostTensor> tensor = toTensor(*value, *dtype, path);
    if (!tensor)
      return tensor.takeStatus();
    result.weights.insert_or_assign(path, std::move(*tensor));
  }
  return result;
}
