//===- LowerPools.cpp - pools and their gradients -------------------------===//

#include "LoweringModels.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;
using namespace espalier::cg;

namespace {

/// Windows of at most this many taps are unrolled, so that the loop over channels around them vectorizes.
constexpr int64_t maxUnrolledTaps = 64;

/// The geometry of a pool, by spatial dimension.
struct PoolGeometry {
  std::array<int64_t, 2> input, output, kernel;
  WindowAttrs window;

  template <typename OpT> PoolGeometry(OpT op, RankedTensorType input, RankedTensorType output) {
    for (unsigned dim : {0u, 1u}) {
      this->input[dim] = input.getDimSize(2 + dim);
      this->output[dim] = output.getDimSize(2 + dim);
      kernel[dim] = op.getKernel()[dim];
    }
    window = op.getWindow();
  }

  /// May tap `tap` of some window lie outside the input?
  bool mayMiss(unsigned dim, int64_t tap) const {
    int64_t first = tap - window.padBefore(dim);
    return first < 0 || first + (output[dim] - 1) * window.strides[dim] >= input[dim];
  }
  /// The input index of tap `tap` of window `index`; outside the input it is negative or too large.
  Value inputIndex(KernelBuilder &b, unsigned dim, Value index, Value tap) const {
    return b.add(b.add(b.mul(index, window.strides[dim]), tap), -window.padBefore(dim));
  }
  Value isInside(KernelBuilder &b, unsigned dim, Value index) const {
    return b.inRange(index, b.index(0), b.index(input[dim]));
  }
  Value clampInside(KernelBuilder &b, unsigned dim, Value index) const {
    return b.min(b.max(index, b.index(0)), b.index(input[dim] - 1));
  }
  /// What an average divides by: taps inside the padded input.
  Value area(KernelBuilder &b, Type type, Value row, Value column) const {
    Value product = b.index(1);
    for (auto [dim, index] : llvm::enumerate(std::array{row, column})) {
      Value start = b.add(b.mul(index, window.strides[dim]), -window.padBefore(dim));
      Value stop = b.min(b.add(start, kernel[dim]), b.index(input[dim] + window.padAfter(dim)));
      product = b.createOrFold<arith::MulIOp>(product, b.sub(stop, start));
    }
    return b.create<arith::SIToFPOp>(type, b.create<arith::IndexCastOp>(b.getI64Type(), product));
  }
};

/// A tap of a window: where it is in the input, and a condition for being inside, null when it always is.
struct Tap {
  Value row, column, inside;
};

/// Folds `combine(carried, tap)` over the taps of the window at (row, column).
Value foldWindow(KernelBuilder &b, const PoolGeometry &geometry, Value row, Value column, Value initial,
                 function_ref<Value(Value carried, const Tap &tap)> combine) {
  auto makeTap = [&](Value tapRow, Value tapColumn, bool mayMissRow, bool mayMissColumn) {
    Tap tap{geometry.inputIndex(b, 0, row, tapRow), geometry.inputIndex(b, 1, column, tapColumn), nullptr};
    if (mayMissRow) {
      tap.inside = geometry.isInside(b, 0, tap.row);
      tap.row = geometry.clampInside(b, 0, tap.row);
    }
    if (mayMissColumn) {
      Value inside = geometry.isInside(b, 1, tap.column);
      tap.inside = tap.inside ? b.both(tap.inside, inside) : inside;
      tap.column = geometry.clampInside(b, 1, tap.column);
    }
    return tap;
  };
  if (geometry.kernel[0] * geometry.kernel[1] <= maxUnrolledTaps) {
    for (int64_t i = 0; i < geometry.kernel[0]; ++i)
      for (int64_t j = 0; j < geometry.kernel[1]; ++j)
        initial = combine(initial, makeTap(b.index(i), b.index(j), geometry.mayMiss(0, i), geometry.mayMiss(1, j)));
    return initial;
  }
  auto mayMissAny = [&](unsigned dim) {
    return geometry.mayMiss(dim, 0) || geometry.mayMiss(dim, geometry.kernel[dim] - 1);
  };
  return b.forLoop(b.index(0), b.index(geometry.kernel[0]), initial, [&](Value i, ValueRange carried) {
    return b.forLoop(b.index(0), b.index(geometry.kernel[1]), carried, [&](Value j, ValueRange carried) {
      return SmallVector<Value>{combine(carried[0], makeTap(i, j, mayMissAny(0), mayMissAny(1)))};
    });
  })[0];
}

/// The taps of a window in row-major order, unrolled when they are few.
SmallVector<Value> foldTaps(KernelBuilder &b, const PoolGeometry &geometry, ArrayRef<Value> initial,
                            function_ref<SmallVector<Value>(Value, Value, ValueRange)> body) {
  SmallVector<Value> carried(initial);
  if (geometry.kernel[0] * geometry.kernel[1] <= maxUnrolledTaps) {
    for (int64_t i = 0; i < geometry.kernel[0]; ++i)
      for (int64_t j = 0; j < geometry.kernel[1]; ++j)
        carried = body(b.index(i), b.index(j), carried);
    return carried;
  }
  return b.forLoop(b.index(0), b.index(geometry.kernel[0]), carried, [&](Value i, ValueRange carried) {
    return b.forLoop(b.index(0), b.index(geometry.kernel[1]), carried,
                     [&](Value j, ValueRange carried) { return body(i, j, carried); });
  });
}

struct LowerMaxPool final : IndexedLoweringOpInterface::ExternalModel<LowerMaxPool, MaxPool2dOp> {
  Value emitElement(Operation *op, KernelBuilder &b, ValueRange position) const {
    auto pool = cast<MaxPool2dOp>(op);
    PoolGeometry geometry(pool, pool.getInput().getType(), pool.getType());
    Value lowest = b.number(pool.getType().getElementType(), -std::numeric_limits<double>::infinity());
    return foldWindow(b, geometry, position[2], position[3], lowest, [&](Value best, const Tap &tap) {
      Value element = b.loadOperand(0, {position[0], position[1], tap.row, tap.column});
      Value larger = b.isLarger(element, best);
      return b.select(tap.inside ? b.both(larger, tap.inside) : larger, element, best);
    });
  }
};

struct LowerAvgPool final : IndexedLoweringOpInterface::ExternalModel<LowerAvgPool, AvgPool2dOp> {
  Value emitElement(Operation *op, KernelBuilder &b, ValueRange position) const {
    auto pool = cast<AvgPool2dOp>(op);
    PoolGeometry geometry(pool, pool.getInput().getType(), pool.getType());
    Type type = getScalarType(pool.getType().getElementType());
    Value zero = b.number(type, 0.0);
    Value sum = foldWindow(b, geometry, position[2], position[3], zero, [&](Value sum, const Tap &tap) -> Value {
      Value element = b.loadOperand(0, {position[0], position[1], tap.row, tap.column});
      return b.create<arith::AddFOp>(sum, tap.inside ? b.select(tap.inside, element, zero) : element);
    });
    return b.create<arith::DivFOp>(sum, geometry.area(b, type, position[2], position[3]));
  }
};

/// Each input element collects from the windows that cover it, at most ceil(kernel / stride) in each dimension.
struct LowerAvgPoolGradient final
    : IndexedLoweringOpInterface::ExternalModel<LowerAvgPoolGradient, AvgPool2dGradientOp> {
  Value emitElement(Operation *op, KernelBuilder &b, ValueRange position) const {
    auto gradient = cast<AvgPool2dGradientOp>(op);
    PoolGeometry geometry(gradient, gradient.getType(), gradient.getCotangent().getType());
    Type type = getScalarType(gradient.getType().getElementType());
    const WindowAttrs &window = geometry.window;
    SmallVector<Value> padded; // position in the padded input
    for (unsigned dim : {0u, 1u})
      padded.push_back(b.add(position[2 + dim], window.padBefore(dim)));
    auto covering = [&](unsigned dim) {
      return (geometry.kernel[dim] + window.strides[dim] - 1) / window.strides[dim];
    };
    Value zero = b.number(type, 0.0);

    auto collect = [&](Value sum, Value rowBack, Value columnBack) -> Value {
      Value inside;
      SmallVector<Value> place{position[0], position[1]};
      for (auto [dim, back] : llvm::enumerate(std::array{rowBack, columnBack})) {
        Value index = b.sub(b.div(padded[dim], window.strides[dim]), back);
        Value reaches = b.compare(arith::CmpIPredicate::slt, b.sub(padded[dim], b.mul(index, window.strides[dim])),
                                  b.index(geometry.kernel[dim]));
        Value exists = b.both(b.inRange(index, b.index(0), b.index(geometry.output[dim])), reaches);
        inside = inside ? b.both(inside, exists) : exists;
        place.push_back(b.min(b.max(index, b.index(0)), b.index(geometry.output[dim] - 1)));
      }
      Value share = b.create<arith::DivFOp>(b.loadOperand(0, place), geometry.area(b, type, place[2], place[3]));
      return b.create<arith::AddFOp>(sum, b.select(inside, share, zero));
    };
    if (covering(0) * covering(1) <= maxUnrolledTaps) {
      Value sum = zero;
      for (int64_t i = 0; i < covering(0); ++i)
        for (int64_t j = 0; j < covering(1); ++j)
          sum = collect(sum, b.index(i), b.index(j));
      return sum;
    }
    return b.forLoop(b.index(0), b.index(covering(0)), zero, [&](Value i, ValueRange sum) {
      return b.forLoop(b.index(0), b.index(covering(1)), sum,
                       [&](Value j, ValueRange sum) { return SmallVector<Value>{collect(sum[0], i, j)}; });
    })[0];
  }
};

/// Window by window: finds the winning tap of all channels of a window, then adds to the input tap by tap, so that the
/// loops over channels vectorize. Windows overlap, so that only images are independent of each other.
struct LowerMaxPoolGradient final
    : KernelLoweringOpInterface::ExternalModel<LowerMaxPoolGradient, MaxPool2dGradientOp> {
  int64_t getParallelExtent(Operation *op, ArrayRef<int64_t>) const {
    return cast<MaxPool2dGradientOp>(op).getType().getDimSize(0);
  }
  void emitKernel(Operation *op, KernelBuilder &b) const {
    auto gradient = cast<MaxPool2dGradientOp>(op);
    RankedTensorType type = gradient.getType();
    PoolGeometry geometry(gradient, type, gradient.getCotangent().getType());
    Type element = type.getElementType();
    // Channels in chunks, so that what is kept of them stays small.
    int64_t channels = type.getDimSize(1), chunk = std::min<int64_t>(channels, 512);
    auto winnersType = MemRefType::get({chunk}, b.getI32Type());
    Value winners = b.create<memref::AllocaOp>(winnersType, b.getI64IntegerAttr(64));

    b.forLoop(b.begin, b.end, [&](Value image) {
      SmallVector<int64_t, 6> order = llvm::to_vector<6>(b.resultOrder);
      llvm::erase(order, 0);
      b.forEach(type.getShape(), order, [&](ValueRange position) {
        SmallVector<Value> place(position);
        place[0] = image;
        b.storeResult(b.number(element, 0.0), place);
      });
      b.forLoop(geometry.output[0], [&](Value row) {
        b.forLoop(geometry.output[1], [&](Value column) {
          b.forLoop((channels + chunk - 1) / chunk, [&](Value part) {
            Value first = b.mul(part, chunk), count = b.min(b.sub(b.index(channels), first), b.index(chunk));
            emitWindow(b, geometry, element, winners, image, row, column, first, count);
          });
        });
      });
    });
  }

  static void emitWindow(KernelBuilder &b, const PoolGeometry &geometry, Type element, Value winners, Value image,
                         Value row, Value column, Value first, Value count) {
    auto number = [&](Value i, Value j) { return b.add(b.mul(i, geometry.kernel[1]), j); };
    Type i32 = b.getI32Type();
    b.forLoop(b.index(0), count, [&](Value channel) {
      Value none = b.number(i32, -1.0), lowest = b.number(element, -std::numeric_limits<double>::infinity());
      SmallVector<Value> found = foldTaps(b, geometry, {lowest, none}, [&](Value i, Value j, ValueRange best) {
        Value inputRow = geometry.inputIndex(b, 0, row, i), inputColumn = geometry.inputIndex(b, 1, column, j);
        Value inside = b.both(geometry.isInside(b, 0, inputRow), geometry.isInside(b, 1, inputColumn));
        Value value = b.loadOperand(1, {image, b.add(first, channel), geometry.clampInside(b, 0, inputRow),
                                        geometry.clampInside(b, 1, inputColumn)});
        // The first tap inside wins even if it is -inf.
        Value isFirst = b.compare(arith::CmpIPredicate::eq, best[1], none);
        Value wins = b.both(inside, b.create<arith::OrIOp>(isFirst, b.isLarger(value, best[0])));
        Value tap = b.create<arith::IndexCastOp>(i32, number(i, j));
        return SmallVector<Value>{b.select(wins, value, best[0]), b.select(wins, tap, best[1])};
      });
      b.create<memref::StoreOp>(found[1], winners, channel);
    });
    foldTaps(b, geometry, {}, [&](Value i, Value j, ValueRange) {
      Value inputRow = geometry.inputIndex(b, 0, row, i), inputColumn = geometry.inputIndex(b, 1, column, j);
      Value inside = b.both(geometry.isInside(b, 0, inputRow), geometry.isInside(b, 1, inputColumn));
      Value tap = b.create<arith::IndexCastOp>(i32, number(i, j));
      auto branch = b.create<scf::IfOp>(inside, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      b.forLoop(b.index(0), count, [&](Value channel) {
        Value absolute = b.add(first, channel);
        Value wins = b.compare(arith::CmpIPredicate::eq, b.create<memref::LoadOp>(winners, channel), tap);
        Value share = b.select(wins, b.loadOperand(0, {image, absolute, row, column}), b.number(element, 0.0));
        SmallVector<Value> place{image, absolute, inputRow, inputColumn};
        b.storeResult(b.create<arith::AddFOp>(b.loadResult(place), share), place);
      });
      return SmallVector<Value>();
    });
  }
};

struct LowerMaxPoolSelect final : IndexedLoweringOpInterface::ExternalModel<LowerMaxPoolSelect, MaxPool2dSelectOp> {
  Value emitElement(Operation *op, KernelBuilder &b, ValueRange position) const {
    auto select = cast<MaxPool2dSelectOp>(op);
    PoolGeometry geometry(select, select.getInput().getType(), select.getType());
    Type type = getScalarType(select.getType().getElementType());
    Value none = b.create<arith::ConstantOp>(b.getBoolAttr(false)),
          some = b.create<arith::ConstantOp>(b.getBoolAttr(true));
    // The maximum so far, whether there is one, and the element at its place.
    SmallVector<Value> initial{b.number(type, -std::numeric_limits<double>::infinity()), none, b.number(type, 0.0)};
    return foldTaps(b, geometry, initial, [&](Value i, Value j, ValueRange best) {
      Value row = geometry.inputIndex(b, 0, position[2], i), column = geometry.inputIndex(b, 1, position[3], j);
      Value inside = b.both(geometry.isInside(b, 0, row), geometry.isInside(b, 1, column));
      SmallVector<Value> place{position[0], position[1], geometry.clampInside(b, 0, row),
                               geometry.clampInside(b, 1, column)};
      Value element = b.loadOperand(1, place);
      // The first tap inside wins even if it is -inf.
      Value isFirst = b.compare(arith::CmpIPredicate::eq, best[1], none);
      Value wins = b.both(inside, b.create<arith::OrIOp>(isFirst, b.isLarger(element, best[0])));
      return SmallVector<Value>{b.select(wins, element, best[0]), b.select(wins, some, best[1]),
                                b.select(wins, b.loadOperand(0, place), best[2])};
    })[2];
  }
};

/// The windows of an adaptive pool along one dimension. Window `index` of `count` over `extent` elements reaches from
/// floor(index * extent / count) to ceil((index + 1) * extent / count); and the windows that cover element `index` of
/// `extent` are those of the same formula with `count` and `extent` exchanged.
struct AdaptiveWindow {
  Value begin, end;

  AdaptiveWindow(KernelBuilder &b, Value index, int64_t count, int64_t extent)
      : begin(b.div(b.mul(index, extent), count)), end(b.div(b.add(b.mul(b.add(index, 1), extent), count - 1), count)) {
  }

  /// Its number of elements, as a float.
  Value size(KernelBuilder &b, Type type) const {
    return b.create<arith::SIToFPOp>(type, b.create<arith::IndexCastOp>(b.getI64Type(), b.sub(end, begin)));
  }

  /// Sums `term(row, column)` over two of them.
  static Value sum(KernelBuilder &b, Type type, const AdaptiveWindow &rows, const AdaptiveWindow &columns,
                   function_ref<Value(Value, Value)> term) {
    return b.forLoop(rows.begin, rows.end, b.number(type, 0.0), [&](Value row, ValueRange sum) {
      return b.forLoop(columns.begin, columns.end, sum, [&](Value column, ValueRange sum) {
        return SmallVector<Value>{b.create<arith::AddFOp>(sum[0], term(row, column))};
      });
    })[0];
  }
};

struct LowerAdaptivePool final : IndexedLoweringOpInterface::ExternalModel<LowerAdaptivePool, AdaptiveAvgPool2dOp> {
  Value emitElement(Operation *op, KernelBuilder &b, ValueRange position) const {
    auto pool = cast<AdaptiveAvgPool2dOp>(op);
    ArrayRef<int64_t> image = getShape(pool.getInput()), pooled = getShape(pool.getResult());
    Type type = getScalarType(pool.getType().getElementType());
    AdaptiveWindow rows(b, position[2], pooled[2], image[2]), columns(b, position[3], pooled[3], image[3]);
    Value sum = AdaptiveWindow::sum(b, type, rows, columns, [&](Value row, Value column) {
      return b.loadOperand(0, {position[0], position[1], row, column});
    });
    return b.create<arith::DivFOp>(sum, b.create<arith::MulFOp>(rows.size(b, type), columns.size(b, type)));
  }
};

struct LowerAdaptivePoolGradient final
    : IndexedLoweringOpInterface::ExternalModel<LowerAdaptivePoolGradient, AdaptiveAvgPool2dGradientOp> {
  Value emitElement(Operation *op, KernelBuilder &b, ValueRange position) const {
    auto gradient = cast<AdaptiveAvgPool2dGradientOp>(op);
    ArrayRef<int64_t> image = getShape(gradient.getResult()), pooled = getShape(gradient.getCotangent());
    Type type = getScalarType(gradient.getType().getElementType());
    AdaptiveWindow rows(b, position[2], image[2], pooled[2]), columns(b, position[3], image[3], pooled[3]);
    return AdaptiveWindow::sum(b, type, rows, columns, [&](Value row, Value column) -> Value {
      Value rowSize = AdaptiveWindow(b, row, pooled[2], image[2]).size(b, type);
      Value columnSize = AdaptiveWindow(b, column, pooled[3], image[3]).size(b, type);
      return b.create<arith::DivFOp>(b.loadOperand(0, {position[0], position[1], row, column}),
                                     b.create<arith::MulFOp>(rowSize, columnSize));
    });
  }
};

} // namespace

void espalier::cg::attachPoolModels(MLIRContext *context) {
  MaxPool2dOp::attachInterface<LowerMaxPool>(*context);
  MaxPool2dGradientOp::attachInterface<LowerMaxPoolGradient>(*context);
  MaxPool2dSelectOp::attachInterface<LowerMaxPoolSelect>(*context);
  AvgPool2dOp::attachInterface<LowerAvgPool>(*context);
  AvgPool2dGradientOp::attachInterface<LowerAvgPoolGradient>(*context);
  AdaptiveAvgPool2dOp::attachInterface<LowerAdaptivePool>(*context);
  AdaptiveAvgPool2dGradientOp::attachInterface<LowerAdaptivePoolGradient>(*context);
}
