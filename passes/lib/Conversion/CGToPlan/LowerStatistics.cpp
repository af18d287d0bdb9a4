//===- LowerStatistics.cpp - histograms of images -------------------------===//

#include "LoweringModels.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace espalier::cg;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// The kernel of one `cg.mutual_information`. An iteration is one channel and offset: it goes twice over all pairs, for
/// their range and for their histogram, which lies on the stack.
class MutualInformationKernel {
public:
  MutualInformationKernel(MutualInformationOp op, KernelBuilder &b)
      : op(op), b(b), element(getScalarType(getElementTypeOrSelf(op.getImages()[0]))), removes(op.getRemoveDiagonal()) {
    uint64_t most = 1; // pairs of an offset
    for (Value image : op.getImages()) {
      ArrayRef<int64_t> shape = getShape(image);
      uint64_t pixels =
          llvm::SaturatingMultiply<uint64_t>(shape[0], llvm::SaturatingMultiply<uint64_t>(shape[2], shape[3]));
      most = llvm::SaturatingAdd(most, pixels);
    }
    stride = 1 + static_cast<int64_t>(llvm::Log2_64_Ceil(most));
    counts = b.create<memref::AllocaOp>(MemRefType::get({stride * stride}, b.getI64Type()), b.getI64IntegerAttr(64));
  }

  void emit() {
    int64_t numOffsets = op.getNumOffsets(), width = op.getWindow()[1];
    b.forLoop(b.begin, b.end, [&](Value iteration) {
      channel = b.div(iteration, std::max<int64_t>(numOffsets, 1));
      Value offset = b.rem(iteration, std::max<int64_t>(numOffsets, 1));
      auto store = [&](Value value, Value tap) {
        b.storeResult(value, {channel, b.div(tap, width), b.rem(tap, width)});
      };
      ifThen(b.compare(arith::CmpIPredicate::eq, offset, b.index(0)), [&] { store(number(1.0), b.index(numOffsets)); });
      if (numOffsets == 0)
        return;
      Value tap = b.add(offset, numOffsets + 1);
      down = b.add(b.div(tap, width), -(op.getWindow()[0] / 2));
      right = b.add(b.rem(tap, width), -(width / 2));
      Value value = emitDependence();
      store(value, tap);
      store(value, b.sub(b.index(2 * numOffsets), tap));
    });
  }

private:
  Value number(double value) { return b.number(b.getF64Type(), value); }
  Value integer(int64_t value) { return b.create<arith::ConstantOp>(b.getI64IntegerAttr(value)); }
  Value toReal(Value value) { return b.create<arith::SIToFPOp>(b.getF64Type(), value); }
  Value compareReal(arith::CmpFPredicate predicate, Value lhs, Value rhs) {
    return b.create<arith::CmpFOp>(predicate, lhs, rhs);
  }
  void ifThen(Value condition, function_ref<void()> body) {
    auto branch = b.create<scf::IfOp>(condition, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    body();
  }

  /// Folds `body` over the pairs of pixels, in the type that memory is computed in.
  SmallVector<Value> foldPairs(ValueRange initial,
                               function_ref<SmallVector<Value>(Value first, Value second, ValueRange carried)> body) {
    SmallVector<Value> carried(initial);
    Value zero = b.index(0);
    for (auto [index, image] : llvm::enumerate(op.getImages())) {
      ArrayRef<int64_t> shape = getShape(image);
      std::array<int64_t, 2> dilation = op.getDilation(index);
      Value rowsDown = b.mul(down, dilation[0]), columnsRight = b.mul(right, dilation[1]);
      Value rows = b.sub(b.index(shape[2]), rowsDown);
      Value left = b.max(zero, b.sub(zero, columnsRight));
      Value end = b.sub(b.index(shape[3]), b.max(zero, columnsRight));
      carried = b.forLoop(zero, b.index(shape[0]), carried, [&](Value n, ValueRange carried) {
        return b.forLoop(zero, rows, carried, [&](Value row, ValueRange carried) {
          return b.forLoop(left, end, carried, [&](Value column, ValueRange carried) {
            Value first = b.loadOperand(index, {n, channel, row, column});
            Value second = b.loadOperand(index, {n, channel, b.add(row, rowsDown), b.add(column, columnsRight)});
            return body(first, second, carried);
          });
        });
      });
    }
    return carried;
  }

  /// Does the pair count?
  Value isKept(Value first, Value second) {
    Value zero = b.number(element, 0.0);
    return b.both(compareReal(arith::CmpFPredicate::UNE, first, zero),
                  compareReal(arith::CmpFPredicate::UNE, second, zero));
  }

  /// I(a; b) / H(a, b) of the channel at the offset.
  Value emitDependence() {
    Value low = b.number(element, infinity), high = b.number(element, -infinity);
    SmallVector<Value> range =
        foldPairs({low, high, low, high, integer(0)}, [&](Value first, Value second, ValueRange carried) {
          SmallVector<Value> next;
          for (auto [i, value] : llvm::enumerate(std::array{first, second})) {
            Value below = compareReal(arith::CmpFPredicate::OLT, value, carried[2 * i]);
            next.push_back(b.select(below, value, carried[2 * i]));
            next.push_back(b.select(b.isLarger(value, carried[2 * i + 1]), value, carried[2 * i + 1]));
          }
          next.push_back(b.create<arith::AddIOp>(carried[4], integer(1)));
          if (Value kept = removes ? isKept(first, second) : Value())
            for (auto [now, before] : llvm::zip_equal(next, carried))
              now = b.select(kept, now, before);
          return next;
        });
    Value pairs = range[4];
    std::array<Axis, 2> axes = {makeAxis(range[0], range[1]), makeAxis(range[2], range[3])};
    Value isFinite = b.both(isBounded(axes[0].width), isBounded(axes[1].width));
    auto branch = b.create<scf::IfOp>(TypeRange{b.getF64Type()}, isFinite, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    b.create<scf::YieldOp>(emitHistogram(axes, pairs));
    b.setInsertionPointToStart(branch.elseBlock());
    Value nan = number(std::numeric_limits<double>::quiet_NaN()), result = nan;
    if (removes)
      result = b.select(b.compare(arith::CmpIPredicate::eq, pairs, integer(0)), number(0.0), nan);
    b.create<scf::YieldOp>(result);
    return branch.getResult(0);
  }

  /// The range of one of the two variables.
  struct Axis {
    Value low, width;
  };
  Value widen(Value value) {
    return value.getType().isF64() ? value : b.create<arith::ExtFOp>(b.getF64Type(), value).getResult();
  }
  Axis makeAxis(Value low, Value high) {
    Value bottom = widen(low);
    return {bottom, b.create<arith::SubFOp>(widen(high), bottom)};
  }
  Value isBounded(Value value) {
    return compareReal(arith::CmpFPredicate::OLT, b.create<math::AbsFOp>(value), number(infinity));
  }

  /// 1 + ceil(log2(pairs)), of at least one pair.
  Value emitSturges(Value pairs) {
    Value zeros = b.create<math::CountLeadingZerosOp>(b.create<arith::SubIOp>(pairs, integer(1)));
    return b.create<arith::SubIOp>(integer(65), zeros);
  }

  Value emitBin(const Axis &axis, Value value, Value bins, Value last) {
    Value isPoint = compareReal(arith::CmpFPredicate::OEQ, axis.width, number(0.0));
    Value width = b.select(isPoint, number(1.0), axis.width);
    Value distance = b.create<arith::SubFOp>(widen(value), axis.low);
    Value place = b.create<arith::DivFOp>(b.create<arith::MulFOp>(bins, distance), width);
    place = b.select(compareReal(arith::CmpFPredicate::OLT, place, last), place, last);
    return b.create<arith::IndexCastOp>(b.getIndexType(), b.create<arith::FPToSIOp>(b.getI64Type(), place));
  }

  Value loadCount(Value row, Value column) {
    return b.create<memref::LoadOp>(counts, b.add(b.mul(row, stride), column));
  }

  Value emitHistogram(const std::array<Axis, 2> &axes, Value pairs) {
    b.forLoop(stride * stride, [&](Value cell) { b.create<memref::StoreOp>(integer(0), counts, cell); });
    Value numBins = emitSturges(pairs), bins = toReal(numBins);
    Value last = b.create<arith::SubFOp>(bins, number(1.0));
    foldPairs({}, [&](Value first, Value second, ValueRange) -> SmallVector<Value> {
      auto count = [&] {
        Value row = emitBin(axes[0], first, bins, last), column = emitBin(axes[1], second, bins, last);
        Value cell = b.add(b.mul(row, stride), column);
        Value sum = b.create<arith::AddIOp>(b.create<memref::LoadOp>(counts, cell), integer(1));
        b.create<memref::StoreOp>(sum, counts, cell);
      };
      if (removes)
        ifThen(isKept(first, second), count);
      else
        count();
      return {};
    });
    Value extent = b.create<arith::IndexCastOp>(b.getIndexType(), numBins), zero = b.index(0);
    if (removes)
      b.forLoop(zero, extent,
                [&](Value bin) { b.create<memref::StoreOp>(integer(0), counts, b.add(b.mul(bin, stride), bin)); });

    auto sum = [&](Value initial, function_ref<Value(Value)> term) {
      return b.forLoop(zero, extent, initial, [&](Value index, ValueRange carried) -> SmallVector<Value> {
        Value value = term(index);
        if (isa<FloatType>(value.getType()))
          return {b.create<arith::AddFOp>(carried[0], value)};
        return {b.create<arith::AddIOp>(carried[0], value)};
      })[0];
    };
    auto sumRow = [&](Value row) { return sum(integer(0), [&](Value column) { return loadCount(row, column); }); };
    auto sumColumn = [&](Value column) { return sum(integer(0), [&](Value row) { return loadCount(row, column); }); };
    Value total = toReal(sum(integer(0), sumRow));
    auto information = [&](Value count) -> Value { // -q log q, of an empty bin 0
      Value share = b.create<arith::DivFOp>(toReal(count), total);
      Value isEmpty = b.compare(arith::CmpIPredicate::eq, count, integer(0));
      Value logarithm = b.create<math::LogOp>(b.select(isEmpty, number(1.0), share));
      return b.select(isEmpty, number(0.0), b.create<arith::NegFOp>(b.create<arith::MulFOp>(share, logarithm)));
    };
    Value joint = sum(number(0.0), [&](Value row) {
      return sum(number(0.0), [&](Value column) { return information(loadCount(row, column)); });
    });
    Value first = sum(number(0.0), [&](Value row) { return information(sumRow(row)); });
    Value second = sum(number(0.0), [&](Value column) { return information(sumColumn(column)); });
    Value mutual = b.create<arith::SubFOp>(b.create<arith::AddFOp>(first, second), joint);
    Value result = b.create<arith::DivFOp>(mutual, joint);
    if (removes)
      result = b.select(compareReal(arith::CmpFPredicate::UNO, result, result), number(0.0), result);
    return result;
  }

  MutualInformationOp op;
  KernelBuilder &b;
  Type element;
  bool removes;
  int64_t stride; // bins of an axis, at most: the distance of rows of `counts`
  Value counts;
  Value channel, down, right; // of the iteration
};

struct LowerMutualInformation final
    : KernelLoweringOpInterface::ExternalModel<LowerMutualInformation, MutualInformationOp> {
  int64_t getParallelExtent(Operation *op, ArrayRef<int64_t>) const {
    auto information = cast<MutualInformationOp>(op);
    int64_t channels = information.getType().getDimSize(0);
    return std::max<int64_t>(1, channels * std::max<int64_t>(1, information.getNumOffsets()));
  }
  void emitKernel(Operation *op, KernelBuilder &b) const {
    MutualInformationKernel(cast<MutualInformationOp>(op), b).emit();
  }
};

} // namespace

void espalier::cg::attachStatisticsModels(MLIRContext *context) {
  MutualInformationOp::attachInterface<LowerMutualInformation>(*context);
}
