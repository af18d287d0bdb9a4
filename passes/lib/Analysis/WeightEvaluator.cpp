//===- WeightEvaluator.cpp - weights computed from weights ----------------===//

#include "espalier/Analysis/WeightEvaluator.h"

#include "MatrixProduct.h"

#include "espalier/Dialect/CG/IR/Window.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/Parallel.h"

#include <cmath>
#include <map>
#include <numeric>

using namespace mlir;
using namespace espalier;
using namespace espalier::cg;

namespace {

/// Leaves new elements as they are.
template <typename T> struct RawAllocator : std::allocator<T> {
  template <typename U> struct rebind {
    using other = RawAllocator<U>;
  };
  template <typename U> void construct(U *) {}
  template <typename U, typename Argument> void construct(U *place, Argument &&argument) {
    ::new (static_cast<void *>(place)) U(std::forward<Argument>(argument));
  }
};

/// Fresh memory is written for the first time by the threads that fill it: mapping its pages takes longer than that.
using Numbers = std::vector<double, RawAllocator<double>>;

/// As `ReferenceTensor`.
struct WeightTensor {
  RankedTensorType type;
  Numbers data;

  ArrayRef<int64_t> shape() const { return type.getShape(); }
  int64_t rank() const { return type.getRank(); }
  int64_t size() const { return static_cast<int64_t>(data.size()); }
};

} // namespace

/// Calls `work` with parts of [0, count), on all processors where that is much: `cost` is the work of one.
template <typename Work> static void forParts(int64_t count, int64_t cost, Work work) {
  constexpr int64_t costOfPart = 1 << 16;
  int64_t step = std::max<int64_t>(1, costOfPart / std::max<int64_t>(1, cost));
  if (count <= step)
    return work(int64_t(0), count);
  llvm::parallelFor(0, static_cast<size_t>((count + step - 1) / step), [&](size_t part) {
    int64_t begin = static_cast<int64_t>(part) * step;
    work(begin, std::min(count, begin + step));
  });
}

//===----------------------------------------------------------------------===//
// Elementwise arithmetic
//===----------------------------------------------------------------------===//

namespace {

/// One loop of a nest over a result, row-major, and how far two operands go on in it.
struct Axis {
  int64_t extent, lhs, rhs;
};

} // namespace

/// The loops over `result` with operands that broadcast to it: as few as there can be, and at least one.
static SmallVector<Axis> findAxes(ArrayRef<int64_t> result, ArrayRef<int64_t> lhs, ArrayRef<int64_t> rhs) {
  SmallVector<Axis> axes; // innermost first
  int64_t lhsStride = 1, rhsStride = 1;
  auto next = [](ArrayRef<int64_t> &shape, int64_t &stride) {
    int64_t extent = shape.empty() ? 1 : shape.back(), step = extent == 1 ? 0 : stride;
    shape = shape.drop_back(shape.empty() ? 0 : 1);
    stride *= extent;
    return step;
  };
  for (int64_t extent : llvm::reverse(result)) {
    Axis axis{extent, next(lhs, lhsStride), next(rhs, rhsStride)};
    if (extent == 1)
      continue;
    if (!axes.empty() && axis.lhs == axes.back().lhs * axes.back().extent &&
        axis.rhs == axes.back().rhs * axes.back().extent)
      axes.back().extent *= extent;
    else
      axes.push_back(axis);
  }
  if (axes.empty())
    axes.push_back({1, 0, 0});
  std::reverse(axes.begin(), axes.end());
  return axes;
}

/// `result` may be one of the operands. Along the last axis operands go on by 1 or 0.
template <typename Combine>
static void combine(ArrayRef<Axis> axes, double *result, const double *lhs, const double *rhs, Combine combine) {
  auto row = [&](double *out, const double *a, const double *b, int64_t count) {
    const Axis &axis = axes.back();
    if (axis.lhs && axis.rhs)
      for (int64_t i = 0; i < count; ++i)
        out[i] = combine(a[i], b[i]);
    else if (axis.lhs)
      for (int64_t i = 0; i < count; ++i)
        out[i] = combine(a[i], *b);
    else if (axis.rhs)
      for (int64_t i = 0; i < count; ++i)
        out[i] = combine(*a, b[i]);
    else
      std::fill_n(out, count, combine(*a, *b));
  };
  int64_t extent = axes.back().extent, rows = 1;
  for (const Axis &axis : axes.drop_back())
    rows *= axis.extent;
  if (rows == 1)
    return forParts(extent, 1, [&](int64_t begin, int64_t end) {
      row(result + begin, lhs + begin * axes[0].lhs, rhs + begin * axes[0].rhs, end - begin);
    });
  forParts(rows, extent, [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      int64_t left = index, lhsOffset = 0, rhsOffset = 0;
      for (const Axis &axis : llvm::reverse(axes.drop_back())) {
        lhsOffset += left % axis.extent * axis.lhs;
        rhsOffset += left % axis.extent * axis.rhs;
        left /= axis.extent;
      }
      row(result + index * extent, lhs + lhsOffset, rhs + rhsOffset, extent);
    }
  });
}

//===----------------------------------------------------------------------===//
// Filters composed
//===----------------------------------------------------------------------===//

/// Adds to `result`, zeros, as `Conv2dInputGradientOp` says.
static void composeFilters(WindowAttrs window, const WeightTensor &outer, const WeightTensor &inner,
                           WeightTensor &result) {
  int64_t batch = result.shape()[0], height = result.shape()[2], width = result.shape()[3];
  int64_t middle = outer.shape()[1], outerHeight = outer.shape()[2], outerWidth = outer.shape()[3];
  int64_t channels = inner.shape()[1], kernelHeight = inner.shape()[2], kernelWidth = inner.shape()[3];
  int64_t groupMiddle = middle / window.groups;
  auto multiples = [](int64_t count, int64_t step) {
    SmallVector<int64_t, 0> entries(static_cast<size_t>(count));
    for (auto [i, entry] : llvm::enumerate(entries))
      entry = static_cast<int64_t>(i) * step;
    return entries;
  };
  SmallVector<int64_t, 0> resultColumns = multiples(channels, height * width);
  SmallVector<int64_t, 0> outerColumns = multiples(groupMiddle, outerHeight * outerWidth);
  SmallVector<int64_t, 0> innerRows = multiples(groupMiddle, channels * kernelHeight * kernelWidth);
  SmallVector<int64_t, 0> innerColumns = multiples(channels, kernelHeight * kernelWidth);
  for (int64_t tap = 0; tap < kernelHeight * kernelWidth; ++tap) {
    // Where the positions of this tap are: in an image of the outer filter, and of the result.
    SmallVector<std::pair<int64_t, int64_t>, 0> positions;
    for (int64_t row = 0; row < outerHeight; ++row)
      for (int64_t column = 0; column < outerWidth; ++column) {
        int64_t y = row * window.strides[0] - window.pads[0] + tap / kernelWidth * window.dilations[0];
        int64_t x = column * window.strides[1] - window.pads[1] + tap % kernelWidth * window.dilations[1];
        if (y >= 0 && y < height && x >= 0 && x < width)
          positions.push_back({row * outerWidth + column, y * width + x});
      }
    auto rowsOf = [&](int64_t first, int64_t count) {
      std::pair<SmallVector<int64_t, 0>, SmallVector<int64_t, 0>> rows; // of the outer filter, of the result
      for (int64_t image = first; image < first + count; ++image)
        for (auto [from, to] : positions) {
          rows.first.push_back(image * middle * outerHeight * outerWidth + from);
          rows.second.push_back(image * channels * window.groups * height * width + to);
        }
      return rows;
    };
    auto compose = [&](int64_t group, bool isLarge, ArrayRef<int64_t> outerRows, ArrayRef<int64_t> resultRows) {
      const double *lhs = outer.data.data() + group * groupMiddle * outerHeight * outerWidth;
      const double *rhs = inner.data.data() + group * groupMiddle * channels * kernelHeight * kernelWidth + tap;
      double *sums = result.data.data() + group * channels * height * width;
      if (isLarge)
        return multiplyAdd({sums, resultRows, resultColumns}, {lhs, outerRows, outerColumns},
                           {rhs, innerRows, innerColumns});
      for (auto [inRow, outRow] : llvm::zip_equal(outerRows, resultRows))
        for (auto [inColumn, inRowOfRhs] : llvm::zip_equal(outerColumns, innerRows)) {
          double factor = lhs[inRow + inColumn];
          for (int64_t channel = 0; channel < channels; ++channel)
            sums[outRow + channel * height * width] += factor * rhs[inRowOfRhs + channel * kernelHeight * kernelWidth];
        }
    };
    // Packing pays where each element is used often.
    constexpr int64_t usedOften = 16;
    bool isLarge = groupMiddle >= usedOften && channels >= usedOften;
    auto rows = rowsOf(0, batch);
    if (isLarge)
      for (int64_t group = 0; group < window.groups; ++group)
        compose(group, true, rows.first, rows.second);
    else
      forParts(window.groups, batch * static_cast<int64_t>(positions.size()) * groupMiddle * channels,
               [&](int64_t begin, int64_t end) {
                 for (int64_t group = begin; group < end; ++group)
                   compose(group, false, rows.first, rows.second);
               });
  }
}

//===----------------------------------------------------------------------===//
// Data movement and sums
//===----------------------------------------------------------------------===//

/// Plane by plane: the dimensions that lie behind the leading ones without padding.
static void padWith(const WeightTensor &input, ArrayRef<int64_t> low, double value, WeightTensor &result) {
  size_t first = 0; // dimension of a plane
  int64_t planes = 1;
  for (; first + 1 < low.size() && input.shape()[first] == result.shape()[first]; ++first)
    planes *= input.shape()[first];
  ArrayRef<int64_t> from = input.shape().drop_front(first), to = result.shape().drop_front(first);
  low = low.drop_front(first);
  int64_t extent = from.back(), rows = extent == 0 || planes == 0 ? 0 : input.size() / planes / extent;
  int64_t size = planes == 0 ? 0 : result.size() / planes;
  forParts(planes, size, [&](int64_t begin, int64_t end) {
    std::fill(result.data.begin() + begin * size, result.data.begin() + end * size, value);
    for (int64_t row = 0; row < rows; ++row) {
      int64_t left = row, stride = to.back(), offset = low.back();
      for (size_t axis = from.size() - 1; axis-- > 0;) {
        offset += (left % from[axis] + low[axis]) * stride;
        left /= from[axis];
        stride *= to[axis];
      }
      for (int64_t plane = begin; plane < end; ++plane)
        std::copy_n(input.data.data() + (plane * rows + row) * extent, extent,
                    result.data.data() + plane * size + offset);
    }
  });
}

/// Sums over the last `result.size()`th parts.
static void sumParts(const WeightTensor &input, WeightTensor &result) {
  int64_t count = result.size() == 0 ? 0 : input.size() / result.size();
  forParts(result.size(), count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      result.data[i] = std::accumulate(input.data.data() + i * count, input.data.data() + (i + 1) * count, 0.0);
  });
}

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

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

namespace {

class WeightEvaluator {
public:
  WeightEvaluator(WeightReader read, WeightWriter write, ReferenceLimits limits)
      : read(read), write(write), limits(limits) {}

  LogicalResult run(Block &block);

private:
  struct Slot {
    WeightTensor tensor;
    unsigned usesLeft = 0;
  };

  LogicalResult evaluate(Operation &op);
  LogicalResult define(Value value, WeightTensor tensor);
  FailureOr<WeightTensor> create(Value value);
  void recycle(WeightTensor tensor);
  const WeightTensor &get(Value value) const { return slots.find(value)->second.tensor; }
  bool isLastUse(Operation &op, Value value) const {
    return slots.find(value)->second.usesLeft == static_cast<unsigned>(llvm::count(op.getOperands(), value));
  }
  FailureOr<WeightTensor> moveOrCopy(Operation &op);
  template <typename Combine> LogicalResult combineOperands(Operation &op, Combine combine);
  template <typename Map> LogicalResult mapOperand(Operation &op, Map map) {
    return combineOperands(op, [map](double x, double) { return map(x); });
  }

  WeightReader read;
  WeightWriter write;
  ReferenceLimits limits;
  int64_t alive = 0; // elements
  llvm::DenseMap<Value, Slot> slots;
  llvm::DenseMap<Value, SmallVector<unsigned, 1>> results;
  /// Memory to use again, by its capacity: fresh pages cost as much as what is done with them.
  std::multimap<size_t, Numbers> spare;
};

} // namespace

/// Is a value needed for its shape alone?
static bool isShapeOnly(OpOperand &use) {
  return isa<Conv2dInputGradientOp>(use.getOwner()) && use.getOperandNumber() == 2;
}

/// A tensor for `value`, of any content.
FailureOr<WeightTensor> WeightEvaluator::create(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  int64_t count = 1;
  for (int64_t extent : type.getShape())
    if (llvm::MulOverflow(count, extent, count) || count > limits.liveElements - alive)
      return emitError(value.getLoc()) << "expects at most " << limits.liveElements
                                       << " elements alive, but got a result of " << type << " beside " << alive;
  WeightTensor tensor;
  tensor.type = type;
  auto size = static_cast<size_t>(count);
  if (auto it = spare.lower_bound(size); it != spare.end() && it->first <= 2 * size) {
    tensor.data = std::move(it->second);
    spare.erase(it);
  }
  tensor.data.resize(size);
  return tensor;
}

void WeightEvaluator::recycle(WeightTensor tensor) {
  constexpr size_t smallest = 1 << 12; // the allocator keeps smaller ones
  size_t capacity = tensor.data.capacity();
  if (capacity >= smallest)
    spare.emplace(capacity, std::move(tensor.data));
}

LogicalResult WeightEvaluator::define(Value value, WeightTensor tensor) {
  if (auto it = results.find(value); it != results.end())
    for (unsigned index : it->second)
      if (failed(write(index, tensor.data)))
        return failure();
  auto uses = static_cast<unsigned>(llvm::count_if(
      value.getUses(), [](OpOperand &use) { return !use.getOwner()->hasTrait<OpTrait::IsTerminator>(); }));
  if (uses == 0) {
    recycle(std::move(tensor));
    return success();
  }
  alive += tensor.size();
  slots[value] = {std::move(tensor), uses};
  return success();
}

/// Operand 0 as the result of `op`.
FailureOr<WeightTensor> WeightEvaluator::moveOrCopy(Operation &op) {
  Value input = op.getOperand(0), result = op.getResult(0);
  if (isLastUse(op, input)) {
    WeightTensor &tensor = slots.find(input)->second.tensor;
    alive -= tensor.size();
    WeightTensor moved = std::move(tensor);
    tensor.data.clear();
    moved.type = cast<RankedTensorType>(result.getType());
    return moved;
  }
  FailureOr<WeightTensor> copy = create(result);
  if (succeeded(copy))
    llvm::copy(get(input).data, copy->data.begin());
  return copy;
}

template <typename Combine> LogicalResult WeightEvaluator::combineOperands(Operation &op, Combine function) {
  Value lhs = op.getOperand(0), rhs = op.getOperand(op.getNumOperands() - 1);
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  SmallVector<Axis> axes = findAxes(type.getShape(), get(lhs).shape(), get(rhs).shape());
  const double *lhsData = get(lhs).data.data(), *rhsData = get(rhs).data.data();
  for (Value operand : op.getOperands()) {
    if (get(operand).shape() != type.getShape() || !isLastUse(op, operand))
      continue;
    WeightTensor &tensor = slots.find(operand)->second.tensor;
    combine(axes, tensor.data.data(), lhsData, rhsData, function);
    alive -= tensor.size();
    WeightTensor result = std::move(tensor);
    tensor.data.clear();
    result.type = type;
    return define(op.getResult(0), std::move(result));
  }
  FailureOr<WeightTensor> result = create(op.getResult(0));
  if (failed(result))
    return failure();
  if (result->size() != 0)
    combine(axes, result->data.data(), lhsData, rhsData, function);
  return define(op.getResult(0), std::move(*result));
}

LogicalResult WeightEvaluator::evaluate(Operation &op) {
  auto byReference = [&](Operation *) -> LogicalResult {
    SmallVector<ReferenceTensor> operands;
    SmallVector<const ReferenceTensor *> pointers;
    for (Value operand : op.getOperands()) {
      ReferenceTensor &copy = operands.emplace_back();
      copy.type = get(operand).type;
      copy.data.assign(get(operand).data.begin(), get(operand).data.end());
    }
    for (const ReferenceTensor &operand : operands)
      pointers.push_back(&operand);
    auto values = evaluateReference(&op, pointers, {limits.liveElements - alive});
    if (failed(values))
      return failure();
    for (auto [value, result] : llvm::zip_equal(op.getResults(), *values)) {
      WeightTensor tensor;
      tensor.type = result.type;
      tensor.data.assign(result.data.begin(), result.data.end());
      if (failed(define(value, std::move(tensor))))
        return failure();
    }
    return success();
  };
  if (op.getNumResults() != 1)
    return byReference(&op);
  Value result = op.getResult(0);
  auto isStatic = [](Type each) {
    auto tensor = dyn_cast<RankedTensorType>(each);
    return tensor && tensor.hasStaticShape();
  };
  if (!isStatic(result.getType()) || !llvm::all_of(op.getOperandTypes(), isStatic))
    return byReference(&op);
  // Unit matrices, of which convolutions that start as the identity are made, are comparisons.
  if (auto compare = dyn_cast<CompareOp>(op))
    return combineOperands(op, [&](double lhs, double rhs) { return compare.evaluateScalar({lhs, rhs}); });
  auto isFloat = [](Type each) { return isa<FloatType>(cast<RankedTensorType>(each).getElementType()); };
  if (isa<CastOp>(op) && isFloat(result.getType())) { // which rounds nothing
    FailureOr<WeightTensor> tensor = moveOrCopy(op);
    return failed(tensor) ? failure() : define(result, std::move(*tensor));
  }
  if (!isFloat(result.getType()) || !llvm::all_of(op.getOperandTypes(), isFloat))
    return byReference(&op);
  auto type = cast<RankedTensorType>(result.getType());
  auto defineBy = [&](auto fill) -> LogicalResult {
    FailureOr<WeightTensor> tensor = create(result);
    if (failed(tensor) || failed(fill(*tensor)))
      return failure();
    return define(result, std::move(*tensor));
  };
  return TypeSwitch<Operation *, LogicalResult>(&op)
      .Case<ParameterOp, StateOp>(
          [&](auto) { return defineBy([&](WeightTensor &tensor) { return read(&op, tensor.data); }); })
      .Case([&](AddOp) { return combineOperands(op, std::plus<double>()); })
      .Case([&](SubOp) { return combineOperands(op, std::minus<double>()); })
      .Case([&](MulOp) { return combineOperands(op, std::multiplies<double>()); })
      .Case([&](DivOp) { return combineOperands(op, std::divides<double>()); })
      .Case([&](NegOp) { return mapOperand(op, std::negate<double>()); })
      .Case([&](RsqrtOp) { return mapOperand(op, [](double x) { return 1.0 / std::sqrt(x); }); })
      .Case([&](ConstantOp constant) -> LogicalResult {
        if (!llvm::all_of(result.getUses(), isShapeOnly))
          return byReference(&op);
        WeightTensor shape;
        shape.type = type;
        return define(result, std::move(shape));
      })
      .Case([&](ReshapeOp) -> LogicalResult {
        FailureOr<WeightTensor> tensor = moveOrCopy(op);
        return failed(tensor) ? failure() : define(result, std::move(*tensor));
      })
      .Case([&](TransposeOp transpose) -> LogicalResult {
        if (!isReshape(transpose))
          return byReference(&op);
        FailureOr<WeightTensor> tensor = moveOrCopy(op);
        return failed(tensor) ? failure() : define(result, std::move(*tensor));
      })
      .Case([&](PadOp pad) -> LogicalResult {
        auto isNegative = [](int64_t entry) { return entry < 0; };
        if (type.getRank() == 0 || llvm::any_of(pad.getLow(), isNegative) || llvm::any_of(pad.getHigh(), isNegative))
          return byReference(&op);
        return defineBy([&](WeightTensor &tensor) {
          padWith(get(pad.getInput()), pad.getLow(), pad.getValue().convertToDouble(), tensor);
          return success();
        });
      })
      .Case([&](ReduceSumOp sum) -> LogicalResult {
        int64_t rank = cast<RankedTensorType>(sum.getInput().getType()).getRank();
        ArrayRef<int64_t> axes = sum.getAxes();
        for (auto [i, axis] : llvm::enumerate(llvm::reverse(axes)))
          if (axis != rank - 1 - static_cast<int64_t>(i))
            return byReference(&op);
        return defineBy([&](WeightTensor &tensor) {
          sumParts(get(sum.getInput()), tensor);
          return success();
        });
      })
      .Case([&](Conv2dInputGradientOp gradient) {
        return defineBy([&](WeightTensor &tensor) {
          forParts(tensor.size(), 1, [&](int64_t begin, int64_t end) {
            std::fill(tensor.data.begin() + begin, tensor.data.begin() + end, 0.0);
          });
          composeFilters(gradient.getWindow(), get(op.getOperand(0)), get(op.getOperand(1)), tensor);
          return success();
        });
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
      if (--it->second.usesLeft != 0)
        continue;
      alive -= it->second.tensor.size();
      recycle(std::move(it->second.tensor));
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
