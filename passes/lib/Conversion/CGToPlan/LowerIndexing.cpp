//===- LowerIndexing.cpp - gather and scatter -----------------------------===//

#include "LoweringModels.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace espalier::cg;

namespace {

RankedTensorType getType(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Dimensions of updates, input and indices of a gather or scatter along `axis`: where each one's index comes from.
struct GatherDims {
  int64_t axis, indexRank;

  /// The index of `indices` for a position in the gathered tensor.
  SmallVector<Value> indexPosition(ValueRange position) const {
    return llvm::to_vector(position.slice(axis, indexRank));
  }
  /// The position in the tensor that is gathered from.
  SmallVector<Value> inputPosition(ValueRange position, Value index) const {
    SmallVector<Value> result(position.take_front(axis));
    result.push_back(index);
    llvm::append_range(result, position.drop_front(axis + indexRank));
    return result;
  }
};

struct LowerGather final : IndexedLoweringOpInterface::ExternalModel<LowerGather, GatherOp> {
  Value emitElement(Operation *op, KernelBuilder &b, ValueRange position) const {
    auto gather = cast<GatherOp>(op);
    int64_t axis = gather.getAxis(), extent = getType(gather.getInput()).getDimSize(axis);
    GatherDims dims{axis, getType(gather.getIndices()).getRank()};
    Value zero = b.number(gather.getType().getElementType(), 0.0);
    if (extent == 0)
      return zero;
    Value index = b.create<arith::IndexCastOp>(b.getIndexType(), b.loadOperand(1, dims.indexPosition(position)));
    Value inside = b.inRange(index, b.index(0), b.index(extent));
    Value element = b.loadOperand(0, dims.inputPosition(position, b.select(inside, index, b.index(0))));
    return b.select(inside, element, zero);
  }
};

/// Split by places of the result along the axis: each iteration looks at all updates and adds those that belong to it,
/// in order, so that the sums do not depend on threads.
struct LowerScatterAdd final : KernelLoweringOpInterface::ExternalModel<LowerScatterAdd, ScatterAddOp> {
  int64_t getParallelExtent(Operation *op, ArrayRef<int64_t>) const {
    auto scatter = cast<ScatterAddOp>(op);
    return std::max<int64_t>(1, scatter.getType().getDimSize(scatter.getAxis()));
  }
  void emitKernel(Operation *op, KernelBuilder &b) const {
    auto scatter = cast<ScatterAddOp>(op);
    RankedTensorType type = scatter.getType(), indices = getType(scatter.getIndices());
    int64_t axis = scatter.getAxis();
    SmallVector<int64_t, 6> others = llvm::to_vector<6>(b.resultOrder);
    llvm::erase(others, axis);
    b.forLoop(b.begin, b.end, [&](Value place) {
      b.forEach(type.getShape(), others, [&](ValueRange position) {
        SmallVector<Value> to(position);
        to[axis] = place;
        b.storeResult(b.loadOperand(0, to), to);
      });
    });
    b.forEach(indices.getShape(), llvm::to_vector(llvm::seq<int64_t>(0, indices.getRank())), [&](ValueRange where) {
      Value index = b.create<arith::IndexCastOp>(b.getIndexType(), b.loadOperand(1, where));
      auto branch = b.create<scf::IfOp>(b.inRange(index, b.begin, b.end), /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      b.forEach(type.getShape(), others, [&](ValueRange position) {
        SmallVector<Value> to(position);
        to[axis] = index;
        SmallVector<Value> from(ValueRange(to).take_front(axis));
        llvm::append_range(from, where);
        llvm::append_range(from, ValueRange(to).drop_front(axis + 1));
        Value update = b.loadOperand(2, from), sum = b.loadResult(to);
        sum = isa<FloatType>(sum.getType()) ? b.create<arith::AddFOp>(sum, update).getResult()
                                            : b.create<arith::AddIOp>(sum, update).getResult();
        b.storeResult(sum, to);
      });
    });
  }
};

} // namespace

void espalier::cg::attachIndexingModels(MLIRContext *context) {
  GatherOp::attachInterface<LowerGather>(*context);
  ScatterAddOp::attachInterface<LowerScatterAdd>(*context);
}
