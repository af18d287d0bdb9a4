//===- WeightEvaluator.cpp - weights computed from weights ----------------===//

#include "espalier/Analysis/WeightEvaluator.h"

#include "ElementwiseStream.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace espalier;
using namespace espalier::cg;

/// Does a transposition leave all elements where they are?
static bool isReshape(TransposeOp op) {
  ArrayRef<int64_t> shape = cast<RankedTensorType>(op.getInput().getType()).getShape();
  int64_t last = -1;
  for (int64_t axis : op.getPermutation())
    if (shape[axis] != 1)
      if (std::exchange(last, axis) > axis)
        return false;
  return true;
}

namespace {

class WeightEvaluator {
public:
  WeightEvaluator(WeightReader read, WeightWriter write, ReferenceLimits limits)
      : read(read), write(write), limits(limits) {}

  LogicalResult run(Block &block);

private:
  struct Slot {
    RankedTensorType type; // static
    StreamPtr stream;      // null for what is needed for its shape alone
    unsigned usesLeft = 0;
  };

  LogicalResult evaluate(Operation &op);
  LogicalResult evaluateByReference(Operation &op);
  LogicalResult define(Value value, RankedTensorType type, StreamPtr stream);
  LogicalResult checkLimit(Value value, RankedTensorType type);
  FailureOr<StreamPtr> store(Value value);
  void compute(Value value, const WeightStream &stream, MutableArrayRef<double> storage);
  const StreamPtr &get(Value value) const { return slots.find(value)->second.stream; }
  template <typename Combine> LogicalResult combineOperands(Operation &op, Combine combine);
  template <typename Map> LogicalResult mapOperand(Operation &op, Map map) {
    return combineOperands(op, [map](double x, double) { return map(x); });
  }

  WeightReader read;
  WeightWriter write;
  ReferenceLimits limits;
  int64_t alive = 0; // elements in memory
  llvm::DenseMap<Value, Slot> slots;
  llvm::DenseMap<Value, SmallVector<unsigned, 1>> results;
};

} // namespace

/// Is a value needed for its shape alone?
static bool isShapeOnly(OpOperand &use) {
  return isa<Conv2dInputGradientOp>(use.getOwner()) && use.getOperandNumber() == 2;
}

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

LogicalResult WeightEvaluator::checkLimit(Value value, RankedTensorType type) {
  int64_t count = 1;
  for (int64_t extent : type.getShape())
    if (llvm::MulOverflow(count, extent, count) || count > limits.liveElements - alive)
      return emitError(value.getLoc()) << "expects at most " << limits.liveElements
                                       << " elements alive, but got a result of " << type << " beside " << alive;
  return success();
}

/// Computes all of a stream and writes it where it is a result; keeps it in `storage`, unless that is empty.
void WeightEvaluator::compute(Value value, const WeightStream &stream, MutableArrayRef<double> storage) {
  auto found = results.find(value);
  ArrayRef<unsigned> indices = found == results.end() ? ArrayRef<unsigned>() : ArrayRef<unsigned>(found->second);
  forParts(stream, [&](int64_t begin, int64_t count) {
    auto size = static_cast<size_t>(count);
    std::optional<StreamPart> part;
    ArrayRef<double> elements;
    if (storage.empty()) {
      elements = {part.emplace(stream, begin, count).data(), size};
    } else {
      MutableArrayRef<double> kept = storage.slice(static_cast<size_t>(begin), size);
      stream.fill(begin, kept);
      elements = kept;
    }
    for (unsigned index : indices)
      write(index, begin, elements);
  });
}

static void fillAll(const WeightStream &stream, MutableArrayRef<double> elements) {
  forParts(stream, [&](int64_t begin, int64_t count) {
    stream.fill(begin, elements.slice(static_cast<size_t>(begin), static_cast<size_t>(count)));
  });
}

/// The value, in memory.
FailureOr<StreamPtr> WeightEvaluator::store(Value value) {
  Slot &slot = slots.find(value)->second;
  if (slot.stream->stored())
    return slot.stream;
  if (failed(checkLimit(value, slot.type)))
    return failure();
  Numbers numbers(static_cast<size_t>(slot.stream->size()));
  fillAll(*slot.stream, numbers);
  slot.stream = std::make_shared<StoredStream>(std::move(numbers), alive);
  return slot.stream;
}

LogicalResult WeightEvaluator::define(Value value, RankedTensorType type, StreamPtr stream) {
  // Streams call each other: chains of any length must not end the stack, nor trees be computed twice.
  constexpr int64_t deepest = 32;
  auto uses = static_cast<unsigned>(llvm::count_if(
      value.getUses(), [](OpOperand &use) { return !use.getOwner()->hasTrait<OpTrait::IsTerminator>(); }));
  bool isResult = results.count(value) != 0;
  if (stream && uses != 0 && stream->depth() != 0 && (uses > 1 || isResult || stream->depth() >= deepest)) {
    if (failed(checkLimit(value, type)))
      return failure();
    Numbers numbers(static_cast<size_t>(stream->size()));
    compute(value, *stream, numbers);
    stream = std::make_shared<StoredStream>(std::move(numbers), alive);
  } else if (stream && (uses == 0 || isResult)) {
    compute(value, *stream, {});
  }
  if (uses != 0)
    slots[value] = {type, std::move(stream), uses};
  return success();
}

template <typename Combine> LogicalResult WeightEvaluator::combineOperands(Operation &op, Combine combine) {
  Value lhs = op.getOperand(0), rhs = op.getOperand(op.getNumOperands() - 1);
  RankedTensorType type = typeOf(op.getResult(0));
  for (Value operand : {lhs, rhs})
    if (get(operand)->size() != type.getNumElements() && failed(store(operand)))
      return failure();
  SmallVector<ElementwiseAxis> axes = findAxes(type.getShape(), typeOf(lhs).getShape(), typeOf(rhs).getShape());
  return define(op.getResult(0), type,
                std::make_shared<ElementwiseStream<Combine>>(type.getNumElements(), get(lhs), get(rhs), std::move(axes),
                                                             combine));
}

LogicalResult WeightEvaluator::evaluateByReference(Operation &op) {
  SmallVector<ReferenceTensor> operands;
  SmallVector<const ReferenceTensor *> pointers;
  for (Value operand : op.getOperands()) {
    const Slot &slot = slots.find(operand)->second;
    ReferenceTensor &copy = operands.emplace_back();
    copy.type = slot.type;
    copy.data.resize(static_cast<size_t>(slot.stream->size()));
    fillAll(*slot.stream, copy.data);
  }
  for (const ReferenceTensor &operand : operands)
    pointers.push_back(&operand);
  auto values = evaluateReference(&op, pointers, {limits.liveElements - alive});
  if (failed(values))
    return failure();
  for (auto [value, result] : llvm::zip_equal(op.getResults(), *values)) {
    Numbers numbers(result.data.size());
    llvm::copy(result.data, numbers.begin());
    if (failed(define(value, result.type, std::make_shared<StoredStream>(std::move(numbers), alive))))
      return failure();
  }
  return success();
}

LogicalResult WeightEvaluator::evaluate(Operation &op) {
  auto byReference = [&](Operation *) { return evaluateByReference(op); };
  if (op.getNumResults() != 1)
    return byReference(&op);
  Value result = op.getResult(0);
  auto isStatic = [](Type each) {
    auto tensor = dyn_cast<RankedTensorType>(each);
    return tensor && tensor.hasStaticShape();
  };
  if (!isStatic(result.getType()) || !llvm::all_of(op.getOperandTypes(), isStatic))
    return byReference(&op);
  RankedTensorType type = typeOf(result);
  auto isFloat = [](Type each) { return isa<FloatType>(cast<RankedTensorType>(each).getElementType()); };
  auto isKept = isFloat(type) && isa<CastOp>(op); // it rounds nothing
  if (!isa<CompareOp>(op) && !isKept && (!isFloat(type) || !llvm::all_of(op.getOperandTypes(), isFloat)))
    return byReference(&op);
  bool isShape = isa<ConstantOp>(op) && llvm::all_of(result.getUses(), isShapeOnly);
  if (isa<ConstantOp>(op) && !isShape)
    return byReference(&op);
  if (isShape)
    return define(result, type, nullptr);
  if (failed(checkLimit(result, type)))
    return failure();
  // Elements follow each other as those of the operand do.
  auto keep = [&](Operation *) { return define(result, type, get(op.getOperand(0))); };
  return TypeSwitch<Operation *, LogicalResult>(&op)
      .Case<ParameterOp, StateOp>([&](auto) -> LogicalResult {
        FailureOr<WeightSource> source = read(&op);
        if (failed(source))
          return failure();
        return define(result, type, std::make_shared<SourceStream>(type.getNumElements(), *std::move(source)));
      })
      .Case([&](AddOp) { return combineOperands(op, std::plus<double>()); })
      .Case([&](SubOp) { return combineOperands(op, std::minus<double>()); })
      .Case([&](MulOp) { return combineOperands(op, std::multiplies<double>()); })
      .Case([&](DivOp) { return combineOperands(op, std::divides<double>()); })
      .Case([&](NegOp) { return mapOperand(op, std::negate<double>()); })
      .Case([&](RsqrtOp) { return mapOperand(op, [](double x) { return 1.0 / std::sqrt(x); }); })
      // Unit matrices, of which convolutions that start as the identity are made, are comparisons.
      .Case([&](CompareOp compare) {
        return combineOperands(
            op, [compare](double lhs, double rhs) { return CompareOp(compare).evaluateScalar({lhs, rhs}); });
      })
      .Case<CastOp, ReshapeOp>(keep)
      .Case([&](TransposeOp transpose) { return isReshape(transpose) ? keep(&op) : byReference(&op); })
      .Case([&](PadOp pad) -> LogicalResult {
        auto isNegative = [](int64_t entry) { return entry < 0; };
        if (type.getRank() == 0 || llvm::any_of(pad.getLow(), isNegative) || llvm::any_of(pad.getHigh(), isNegative))
          return byReference(&op);
        Value input = pad.getInput();
        return define(result, type,
                      createPadStream(get(input), typeOf(input).getShape(), pad.getLow(), type.getShape(),
                                      pad.getValue().convertToDouble()));
      })
      .Case([&](ReduceSumOp sum) -> LogicalResult {
        int64_t rank = typeOf(sum.getInput()).getRank();
        ArrayRef<int64_t> axes = sum.getAxes();
        for (auto [i, axis] : llvm::enumerate(llvm::reverse(axes)))
          if (axis != rank - 1 - static_cast<int64_t>(i))
            return byReference(&op);
        return define(result, type, createSumStream(get(sum.getInput()), type.getNumElements()));
      })
      .Case([&](Conv2dInputGradientOp gradient) -> LogicalResult {
        FailureOr<StreamPtr> inner = store(op.getOperand(1));
        if (failed(inner))
          return failure();
        return define(result, type, createCompositionStream(gradient, get(op.getOperand(0)), *inner));
      })
      .Default(byReference);
}

LogicalResult WeightEvaluator::run(Block &block) {
  for (OpOperand &operand : block.getTerminator()->getOpOperands())
    results[operand.get()].push_back(operand.getOperandNumber());
  for (Operation &op : block.without_terminator()) {
    if (failed(evaluate(op)))
      return failure();
    for (Value operand : op.getOperands()) {
      auto it = slots.find(operand);
      if (--it->second.usesLeft == 0)
        slots.erase(it);
    }
  }
  return success();
}

LogicalResult espalier::cg::evaluateWeights(GraphOp graph, WeightReader read, WeightWriter write,
                                            ReferenceLimits limits) {
  if (graph.getNumArguments() != 0)
    return graph.emitOpError("expects no arguments, but got ") << graph.getNumArguments();
  return WeightEvaluator(read, write, limits).run(graph.getBody().front());
}
