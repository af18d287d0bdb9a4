//===- ReferenceEvaluator.cpp - a graph's value in float64 ----------------===//

#include "espalier/Analysis/ReferenceEvaluator.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace espalier::cg;

/// Result types of `op` for operands of these static types.
static FailureOr<SmallVector<RankedTensorType>> inferConcreteTypes(Operation *op,
                                                                   ArrayRef<const ReferenceTensor *> operands) {
  auto shaped = dyn_cast<ShapeOpInterface>(op);
  if (!shaped || !isa<ReferenceOpInterface>(op))
    return op->emitOpError("has no reference evaluation");
  ShapeContext shapes(op->getName().getStringRef(), op->getLoc());
  for (auto [value, tensor] : llvm::zip_equal(op->getOperands(), operands)) {
    TensorShape shape{tensor->type.getElementType(), {}};
    shape.dims.append(tensor->shape().begin(), tensor->shape().end());
    shapes.set(value, std::move(shape));
  }
  SmallVector<TensorShape> results;
  SmallVector<Type> types;
  if (failed(shaped.inferResultShapes(shapes, results)) || failed(shapes.appendTypes(results, types)))
    return failure();
  SmallVector<RankedTensorType> concrete;
  for (Type type : types)
    concrete.push_back(cast<RankedTensorType>(type));
  return concrete;
}

/// The number of elements of a static type; nothing beyond `limit`.
static std::optional<int64_t> countElements(RankedTensorType type, int64_t limit) {
  if (llvm::is_contained(type.getShape(), 0))
    return 0;
  int64_t count = 1;
  for (int64_t extent : type.getShape())
    if (llvm::MulOverflow(count, extent, count) || count > limit)
      return std::nullopt;
  return count;
}

FailureOr<std::vector<ReferenceTensor>>
espalier::cg::evaluateReference(Operation *op, ArrayRef<const ReferenceTensor *> operands, ReferenceLimits limits) {
  auto types = inferConcreteTypes(op, operands);
  if (failed(types))
    return failure();
  std::vector<ReferenceTensor> results;
  int64_t left = limits.liveElements;
  for (RankedTensorType type : *types) {
    std::optional<int64_t> count = countElements(type, left);
    if (!count)
      return op->emitOpError("expects at most ")
             << limits.liveElements << " elements alive, but its result is " << type;
    left -= *count;
    results.emplace_back(type);
  }
  if (failed(cast<ReferenceOpInterface>(op).evaluate(operands, results)))
    return failure();
  return results;
}

namespace {

/// Runs the ops of a block in order; a value is dropped after its last use.
class Evaluator {
public:
  Evaluator(ReferenceStorage storage, ReferenceLimits limits) : storage(storage), limits(limits) {}

  LogicalResult bindArguments(FunctionOpInterface function, ArrayRef<ReferenceTensor> arguments);
  LogicalResult run(Block &block, ReferenceRun &result);

private:
  LogicalResult define(Value value, ReferenceTensor tensor);
  void release(Operation &op);
  LogicalResult evaluate(Operation &op, ReferenceRun &result);

  ReferenceStorage storage;
  ReferenceLimits limits;
  int64_t alive = 0; // elements
  llvm::DenseMap<Value, ReferenceTensor> tensors;
  llvm::DenseMap<Value, unsigned> usesLeft;
};

} // namespace

/// Does `tensor` have this type, where it is static?
static bool fits(const ReferenceTensor &tensor, Type type) {
  auto expected = dyn_cast<RankedTensorType>(type);
  return expected && tensor.type && tensor.type.getElementType() == expected.getElementType() &&
         succeeded(verifyCompatibleShape(tensor.type, expected)) && tensor.type.hasStaticShape() &&
         countElements(tensor.type, INT64_MAX) == tensor.size();
}

LogicalResult Evaluator::define(Value value, ReferenceTensor tensor) {
  auto uses = static_cast<unsigned>(std::distance(value.use_begin(), value.use_end()));
  if (uses == 0)
    return success();
  alive += tensor.size();
  if (alive > limits.liveElements)
    return emitError(value.getLoc()) << "expects at most " << limits.liveElements << " elements alive, but got "
                                     << alive;
  usesLeft[value] = uses;
  tensors[value] = std::move(tensor);
  return success();
}

void Evaluator::release(Operation &op) {
  for (Value operand : op.getOperands()) {
    auto it = usesLeft.find(operand);
    if (--it->second != 0)
      continue;
    usesLeft.erase(it);
    auto tensor = tensors.find(operand);
    alive -= tensor->second.size();
    tensors.erase(tensor);
  }
}

LogicalResult Evaluator::bindArguments(FunctionOpInterface function, ArrayRef<ReferenceTensor> arguments) {
  if (arguments.size() != function.getNumArguments())
    return function.emitOpError("expects ") << function.getNumArguments() << " arguments, but got " << arguments.size();
  llvm::StringMap<int64_t> symbols;
  for (auto [index, argument, tensor] : llvm::enumerate(function.getArguments(), arguments)) {
    if (!fits(tensor, argument.getType()))
      return function.emitOpError("expects argument ")
             << index << " to be of type " << argument.getType() << ", but got " << tensor.type;
    if (auto dims = function.getArgAttrOfType<ArrayAttr>(index, GraphOp::getDimsAttrName())) {
      for (auto [name, extent] : llvm::zip_equal(dims.getAsRange<StringAttr>(), tensor.shape())) {
        auto [it, inserted] = symbols.try_emplace(name.getValue(), extent);
        if (!inserted && it->second != extent)
          return function.emitOpError("expects '") << name.getValue() << "' to be one number, but got " << it->second
                                                   << " and " << extent << " in argument " << index;
      }
    }
    if (failed(define(argument, tensor)))
      return failure();
  }
  return success();
}

LogicalResult Evaluator::evaluate(Operation &op, ReferenceRun &result) {
  if (isa<ParameterOp, StateOp, HyperOp>(op)) {
    FailureOr<ReferenceTensor> tensor = storage(&op);
    if (failed(tensor))
      return failure();
    if (!fits(*tensor, op.getResult(0).getType()))
      return op.emitOpError("expects a tensor of type ")
             << op.getResult(0).getType() << ", but its storage holds " << tensor->type;
    return define(op.getResult(0), std::move(*tensor));
  }
  SmallVector<const ReferenceTensor *> operands;
  for (Value operand : op.getOperands())
    operands.push_back(&tensors.find(operand)->second);
  if (isa<UpdateOp, ParameterGradientOp, ParameterUpdateOp>(op)) {
    result.writes.push_back({&op, *operands[0]});
    return op.getNumResults() == 0 ? success() : define(op.getResult(0), *operands[0]);
  }
  if (op.hasTrait<OpTrait::IsTerminator>()) {
    for (const ReferenceTensor *operand : operands)
      result.results.push_back(*operand);
    return success();
  }
  auto values = evaluateReference(&op, operands, {limits.liveElements - alive});
  if (failed(values))
    return failure();
  for (auto [value, tensor] : llvm::zip_equal(op.getResults(), *values))
    if (failed(define(value, std::move(tensor))))
      return failure();
  return success();
}

LogicalResult Evaluator::run(Block &block, ReferenceRun &result) {
  for (Operation &op : block) {
    if (failed(evaluate(op, result)))
      return failure();
    release(op);
  }
  return success();
}

FailureOr<ReferenceRun> espalier::cg::evaluateReference(FunctionOpInterface function,
                                                        ArrayRef<ReferenceTensor> arguments, ReferenceStorage storage,
                                                        ReferenceLimits limits) {
  if (!function.getFunctionBody().hasOneBlock())
    return function.emitOpError("expects a body of one block, but got ")
           << function.getFunctionBody().getBlocks().size();
  Evaluator evaluator(storage, limits);
  ReferenceRun result;
  if (failed(evaluator.bindArguments(function, arguments)) ||
      failed(evaluator.run(function.getFunctionBody().front(), result)))
    return failure();
  return result;
}
