//===- LowerViews.cpp - transposes, slices, and writes into boxes ---------===//

#include "LoweringModels.h"

using namespace mlir;
using namespace espalier::cg;

namespace {

StridedAccess sliceAccess(const StridedAccess &source, int64_t axis, int64_t start, int64_t stride) {
  StridedAccess result = source;
  result.offset += start * source.strides[axis];
  result.strides[axis] *= stride;
  return result;
}

struct LowerTranspose final : ViewLoweringOpInterface::ExternalModel<LowerTranspose, TransposeOp> {
  StridedAccess viewAccess(Operation *op, const StridedAccess &source) const {
    StridedAccess result{source.memory, source.offset, {}};
    for (int64_t dim : cast<TransposeOp>(op).getPermutation())
      result.strides.push_back(source.strides[dim]);
    return result;
  }
};

struct LowerSlice final : ViewLoweringOpInterface::ExternalModel<LowerSlice, SliceOp> {
  StridedAccess viewAccess(Operation *op, const StridedAccess &source) const {
    auto slice = cast<SliceOp>(op);
    return sliceAccess(source, slice.getAxis(), slice.getFirst(), slice.getStride());
  }
};

//===----------------------------------------------------------------------===//
// Kernels that write boxes
//===----------------------------------------------------------------------===//

/// A box of the result: positions `start + stride * i` for i in [0, extent), in each dimension.
struct Box {
  SmallVector<int64_t> start, extent, stride;
};

/// The parallel dimension of box kernels: the outermost that is not 1.
int64_t getOuterDim(ArrayRef<int64_t> shape, ArrayRef<int64_t> order) {
  for (int64_t dim : order)
    if (shape[dim] != 1)
      return dim;
  return order.empty() ? 0 : order[0];
}

int64_t getOuterExtent(Operation *op, ArrayRef<int64_t> order) {
  ArrayRef<int64_t> shape = getShape(op->getResult(0));
  return shape.empty() ? 1 : std::max<int64_t>(1, shape[getOuterDim(shape, order)]);
}

/// Writes the part of `box` whose place in the parallel dimension lies in [begin, end). `emitValue` maps a position in
/// the box to an element.
void writeBox(KernelBuilder &b, ArrayRef<int64_t> shape, const Box &box, function_ref<Value(ValueRange)> emitValue) {
  OpBuilder::InsertionGuard guard(b);
  StridedAccess access = b.result;
  for (size_t i = 0; i < shape.size(); ++i) {
    access.offset += box.start[i] * access.strides[i];
    access.strides[i] *= box.stride[i];
  }
  int64_t outer = getOuterDim(shape, b.resultOrder);
  SmallVector<Value> position(shape.size());
  for (int64_t dim : b.resultOrder) {
    Value low = b.index(0), high = b.index(box.extent[dim]);
    if (dim == outer) { // low = ceil((begin - start) / stride), and alike for high
      auto firstAtOrAfter = [&](Value bound) {
        Value distance = b.max(b.sub(bound, b.index(box.start[dim])), b.index(0));
        return b.min(b.div(b.add(distance, box.stride[dim] - 1), box.stride[dim]), b.index(box.extent[dim]));
      };
      low = firstAtOrAfter(b.begin);
      high = firstAtOrAfter(b.end);
    }
    b.forLoop(low, high, [&](Value index) { position[dim] = index; });
    b.setInsertionPointToStart(position[dim].getParentBlock());
  }
  b.store(emitValue(position), access, position);
}

Box wholeBox(ArrayRef<int64_t> shape) {
  return {SmallVector<int64_t>(shape.size(), 0), llvm::to_vector(shape), SmallVector<int64_t>(shape.size(), 1)};
}

struct LowerPad final : KernelLoweringOpInterface::ExternalModel<LowerPad, PadOp> {
  int64_t getParallelExtent(Operation *op, ArrayRef<int64_t> order) const { return getOuterExtent(op, order); }
  void emitKernel(Operation *op, KernelBuilder &b) const {
    auto pad = cast<PadOp>(op);
    ArrayRef<int64_t> shape = pad.getType().getShape();
    Value filler = b.number(pad.getType().getElementType(), pad.getValue().convertToDouble());
    writeBox(b, shape, wholeBox(shape), [&](ValueRange) { return filler; });
    Box box = wholeBox(getShape(pad.getInput()));
    box.start = llvm::to_vector(pad.getLow());
    writeBox(b, shape, box, [&](ValueRange position) { return b.loadOperand(0, position); });
  }
};

struct LowerSliceGradient final : KernelLoweringOpInterface::ExternalModel<LowerSliceGradient, SliceGradientOp> {
  int64_t getParallelExtent(Operation *op, ArrayRef<int64_t> order) const { return getOuterExtent(op, order); }
  void emitKernel(Operation *op, KernelBuilder &b) const {
    auto gradient = cast<SliceGradientOp>(op);
    ArrayRef<int64_t> shape = gradient.getType().getShape();
    Value zero = b.number(gradient.getType().getElementType(), 0.0);
    writeBox(b, shape, wholeBox(shape), [&](ValueRange) { return zero; });
    Box box = wholeBox(getShape(gradient.getCotangent()));
    box.start[gradient.getAxis()] = gradient.getFirst();
    box.stride[gradient.getAxis()] = gradient.getStride();
    writeBox(b, shape, box, [&](ValueRange position) { return b.loadOperand(0, position); });
  }
};

struct LowerConcat final : KernelLoweringOpInterface::ExternalModel<LowerConcat, ConcatOp> {
  int64_t getParallelExtent(Operation *op, ArrayRef<int64_t> order) const { return getOuterExtent(op, order); }
  void emitKernel(Operation *op, KernelBuilder &b) const {
    auto concat = cast<ConcatOp>(op);
    ArrayRef<int64_t> shape = concat.getType().getShape();
    int64_t start = 0;
    for (auto [index, input] : llvm::enumerate(concat.getInputs())) {
      Box box = wholeBox(getShape(input));
      box.start[concat.getAxis()] = start;
      start += getShape(input)[concat.getAxis()];
      writeBox(b, shape, box, [&, index = index](ValueRange position) { return b.loadOperand(index, position); });
    }
  }
};

} // namespace

void espalier::cg::attachViewModels(MLIRContext *context) {
  TransposeOp::attachInterface<LowerTranspose>(*context);
  SliceOp::attachInterface<LowerSlice>(*context);
  PadOp::attachInterface<LowerPad>(*context);
  SliceGradientOp::attachInterface<LowerSliceGradient>(*context);
  ConcatOp::attachInterface<LowerConcat>(*context);
}
