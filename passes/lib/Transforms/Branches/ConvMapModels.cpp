//===- ConvMapModels.cpp - each op as a convolution -----------------------===//

#include "espalier/Transforms/BranchInterfaces.h"

using namespace mlir;
using namespace espalier::cg;

#include "espalier/Transforms/BranchInterfaces.cpp.inc"

namespace {

using Operands = ArrayRef<const ConvMap *>;

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The extents of an image's rows and columns, where known.
std::array<std::optional<int64_t>, 2> positionsOf(Value value) {
  std::array<std::optional<int64_t>, 2> sizes;
  for (unsigned axis : {0u, 1u})
    if (int64_t extent = typeOf(value).getDimSize(axis + 2); !ShapedType::isDynamic(extent))
      sizes[axis] = extent;
  return sizes;
}

/// A constant summand or factor, `value`, beside an image with `map`.
FailureOr<Value> vectorBeside(ConvAlgebra &algebra, Operation *op, unsigned index, const ConvMap &map) {
  // Broadcasting may not make the image larger.
  if (op->getOperand(1 - index).getType() != op->getResult(0).getType())
    return algebra.refuse("an image is broadcast");
  return algebra.asVector(op->getOperand(index), map.features);
}

struct Conv2dModel final : ConvMapOpInterface::ExternalModel<Conv2dModel, Conv2dOp> {
  FailureOr<ConvMap> mapResult(Operation *op, ConvAlgebra &algebra, Operands operands) const {
    auto conv = cast<Conv2dOp>(op);
    if (!operands[0])
      return algebra.refuse("the filter is made of the image");
    if (operands[1])
      return algebra.refuse("the filter depends on the image");
    if (!typeOf(conv.getFilter()).hasStaticShape())
      return algebra.refuse("the extents of the filter are not known");
    std::optional<ConvMap> map = mapOf(conv);
    if (!map)
      return algebra.refuse("the window or the filter would be too large");
    return algebra.compose(*map, *operands[0]);
  }
};

struct AvgPoolModel final : ConvMapOpInterface::ExternalModel<AvgPoolModel, AvgPool2dOp> {
  FailureOr<ConvMap> mapResult(Operation *op, ConvAlgebra &algebra, Operands operands) const {
    auto pool = cast<AvgPool2dOp>(op);
    if (pool.getCeilMode())
      return algebra.refuse("windows of an average pool with 'ceil_mode' may have different sizes");
    ConvMap map = ConvAlgebra::identity(operands[0]->features);
    if (!setWindow(map, pool.getWindow(), pool.getKernel()))
      return algebra.refuse("the window or the filter would be too large");
    int64_t size = map.axes[0].kernel * map.axes[1].kernel;
    if (size > 1)
      map.filter = algebra.constant(map.filterShape(), 1.0 / static_cast<double>(size));
    return algebra.compose(map, *operands[0]);
  }
};

/// `scale / sqrt(variance + epsilon)` and `shift - mean * that`, as vectors.
template <typename OpT> FailureOr<ConvMap> mapBatchNorm(OpT norm, ConvAlgebra &algebra, Operands operands) {
  if (!operands[0] || llvm::any_of(operands.drop_front(), [](const ConvMap *map) { return map; }))
    return algebra.refuse("the statistics of a batch norm depend on the image");
  return algebra.normalise(*operands[0], norm.getScale(), norm.getShift(), norm.getMean(), norm.getVariance(),
                           norm.getEpsilon().convertToDouble());
}

struct BatchNormModel final : ConvMapOpInterface::ExternalModel<BatchNormModel, BatchNormOp> {
  FailureOr<ConvMap> mapResult(Operation *op, ConvAlgebra &algebra, Operands operands) const {
    if (algebra.isTraining())
      return algebra.refuse("a batch norm takes the statistics of the batch in training");
    return mapBatchNorm(cast<BatchNormOp>(op), algebra, operands);
  }
};

struct BatchNormInferenceModel final
    : ConvMapOpInterface::ExternalModel<BatchNormInferenceModel, BatchNormInferenceOp> {
  FailureOr<ConvMap> mapResult(Operation *op, ConvAlgebra &algebra, Operands operands) const {
    return mapBatchNorm(cast<BatchNormInferenceOp>(op), algebra, operands);
  }
};

struct BatchNormTrainingModel final : ConvMapOpInterface::ExternalModel<BatchNormTrainingModel, BatchNormTrainingOp> {
  FailureOr<ConvMap> mapResult(Operation *, ConvAlgebra &algebra, Operands) const {
    return algebra.refuse("a batch norm takes the statistics of the batch in training");
  }
};

/// The identity in inference alone.
template <typename OpT>
struct InferenceIdentityModel final : ConvMapOpInterface::ExternalModel<InferenceIdentityModel<OpT>, OpT> {
  FailureOr<ConvMap> mapResult(Operation *op, ConvAlgebra &algebra, Operands operands) const {
    if (algebra.isTraining())
      return algebra.refuse("'" + op->getName().getStringRef() + "' is not the identity in training");
    return *operands[0];
  }
};

struct AddModel final : ConvMapOpInterface::ExternalModel<AddModel, AddOp> {
  FailureOr<ConvMap> mapResult(Operation *op, ConvAlgebra &algebra, Operands operands) const {
    if (operands[0] && operands[1]) {
      if (op->getOperand(0).getType() != op->getOperand(1).getType())
        return algebra.refuse("an image is broadcast");
      return algebra.add({*operands[0], *operands[1]}, positionsOf(op->getResult(0)));
    }
    unsigned constant = operands[0] ? 1 : 0;
    const ConvMap &map = *operands[1 - constant];
    FailureOr<Value> vector = vectorBeside(algebra, op, constant, map);
    return failed(vector) ? FailureOr<ConvMap>(failure()) : algebra.addConstant(map, *vector);
  }
};

struct SubModel final : ConvMapOpInterface::ExternalModel<SubModel, SubOp> {
  FailureOr<ConvMap> mapResult(Operation *op, ConvAlgebra &algebra, Operands operands) const {
    if (operands[0] && operands[1]) {
      if (op->getOperand(0).getType() != op->getOperand(1).getType())
        return algebra.refuse("an image is broadcast");
      return algebra.add({*operands[0], algebra.negate(*operands[1])}, positionsOf(op->getResult(0)));
    }
    unsigned constant = operands[0] ? 1 : 0;
    const ConvMap &map = *operands[1 - constant];
    FailureOr<Value> vector = vectorBeside(algebra, op, constant, map);
    if (failed(vector))
      return failure();
    return constant == 1 ? algebra.subtractConstant(map, *vector) : algebra.addConstant(algebra.negate(map), *vector);
  }
};

struct MulModel final : ConvMapOpInterface::ExternalModel<MulModel, MulOp> {
  FailureOr<ConvMap> mapResult(Operation *op, ConvAlgebra &algebra, Operands operands) const {
    if (operands[0] && operands[1])
      return algebra.refuse("the scale is not constant: it depends on the image");
    unsigned constant = operands[0] ? 1 : 0;
    const ConvMap &map = *operands[1 - constant];
    FailureOr<Value> vector = vectorBeside(algebra, op, constant, map);
    return failed(vector) ? FailureOr<ConvMap>(failure()) : algebra.scale(map, *vector);
  }
};

struct DivModel final : ConvMapOpInterface::ExternalModel<DivModel, DivOp> {
  FailureOr<ConvMap> mapResult(Operation *op, ConvAlgebra &algebra, Operands operands) const {
    if (operands[1])
      return algebra.refuse("the divisor depends on the image");
    FailureOr<Value> vector = vectorBeside(algebra, op, 1, *operands[0]);
    return failed(vector) ? FailureOr<ConvMap>(failure()) : algebra.divide(*operands[0], *vector);
  }
};

struct NegModel final : ConvMapOpInterface::ExternalModel<NegModel, NegOp> {
  FailureOr<ConvMap> mapResult(Operation *, ConvAlgebra &algebra, Operands operands) const {
    return algebra.negate(*operands[0]);
  }
};

struct PadModel final : ConvMapOpInterface::ExternalModel<PadModel, PadOp> {
  FailureOr<ConvMap> mapResult(Operation *op, ConvAlgebra &algebra, Operands operands) const {
    auto pad = cast<PadOp>(op);
    if (!pad.getValue().isZero())
      return algebra.refuse("the padding is not zero");
    ArrayRef<int64_t> low = pad.getLow(), high = pad.getHigh();
    if (low[0] != 0 || high[0] != 0 || low[1] != 0 || high[1] != 0)
      return algebra.refuse("samples or channels are padded");
    ConvMap map = ConvAlgebra::identity(operands[0]->features);
    WindowAttrs window;
    window.pads = {low[2], low[3], high[2], high[3]};
    if (!setWindow(map, window, {1, 1}))
      return algebra.refuse("the window or the filter would be too large");
    return algebra.compose(map, *operands[0]);
  }
};

struct SliceModel final : ConvMapOpInterface::ExternalModel<SliceModel, SliceOp> {
  FailureOr<ConvMap> mapResult(Operation *op, ConvAlgebra &algebra, Operands operands) const {
    auto slice = cast<SliceOp>(op);
    int64_t axis = slice.getAxis(), start = slice.getStart(), end = slice.getEnd(), stride = slice.getStride();
    if (axis == 0)
      return algebra.refuse("samples are taken apart");
    int64_t extent = typeOf(slice.getInput()).getDimSize(axis);
    auto place = [&](int64_t entry) { return entry < 0 ? extent + 1 + entry : entry; };
    if (axis == 1) {
      if (stride != 1)
        return algebra.refuse("channels are taken with a stride");
      if (place(end) == place(start))
        return algebra.refuse("no channels are taken");
      return algebra.selectFeatures(*operands[0], place(start), place(end) - place(start));
    }
    // What is left out before and after.
    if ((start < 0 || end >= 0) && ShapedType::isDynamic(extent))
      return algebra.refuse("a slice counts from the other end of an image of unknown extent");
    int64_t before = start < 0 ? place(start) : start;
    int64_t after = end < 0 ? -1 - end : extent - end;
    if (std::max({before, after, stride}) > ConvAlgebra::maxExtent)
      return algebra.refuse("the window or the filter would be too large");
    ConvMap map = ConvAlgebra::identity(operands[0]->features);
    map.axes[axis - 2].low = -before;
    map.axes[axis - 2].high = -after;
    map.axes[axis - 2].stride = stride;
    return algebra.compose(map, *operands[0]);
  }
};

struct ConcatModel final : ConvMapOpInterface::ExternalModel<ConcatModel, ConcatOp> {
  FailureOr<ConvMap> mapResult(Operation *op, ConvAlgebra &algebra, Operands operands) const {
    if (cast<ConcatOp>(op).getAxis() != 1)
      return algebra.refuse("a concatenation is not along the channels");
    SmallVector<ConvMap> maps;
    for (const ConvMap *operand : operands) {
      if (!operand)
        return algebra.refuse("a constant is concatenated with an image");
      maps.push_back(*operand);
    }
    return algebra.concat(maps, positionsOf(op->getResult(0)));
  }
};

} // namespace

void espalier::cg::registerConvMapModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, CGDialect *) {
    Conv2dOp::attachInterface<Conv2dModel>(*context);
    AvgPool2dOp::attachInterface<AvgPoolModel>(*context);
    BatchNormOp::attachInterface<BatchNormModel>(*context);
    BatchNormInferenceOp::attachInterface<BatchNormInferenceModel>(*context);
    BatchNormTrainingOp::attachInterface<BatchNormTrainingModel>(*context);
    DropoutOp::attachInterface<InferenceIdentityModel<DropoutOp>>(*context);
    StopGradientOp::attachInterface<InferenceIdentityModel<StopGradientOp>>(*context);
    AddOp::attachInterface<AddModel>(*context);
    SubOp::attachInterface<SubModel>(*context);
    MulOp::attachInterface<MulModel>(*context);
    DivOp::attachInterface<DivModel>(*context);
    NegOp::attachInterface<NegModel>(*context);
    PadOp::attachInterface<PadModel>(*context);
    SliceOp::attachInterface<SliceModel>(*context);
    ConcatOp::attachInterface<ConcatModel>(*context);
  });
}
