//===- LibraryRow.cpp - groups as calls of oneDNN -------------------------===//

#include "RowBuilder.h"

#include "espalier/Conversion/CGToPlan/Contraction.h"
#include "espalier/Dialect/Plan/IR/PlanOps.h"
#include "espalier/Transforms/StepPasses.h"

using namespace mlir;
using namespace espalier;
using namespace espalier::cg;

static constexpr int64_t nhwcOrder[] = {0, 2, 3, 1};

static RankedTensorType getTensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

static bool isInOrder(Value value, ArrayRef<int64_t> order) {
  return isSameOrder(getTensorType(value).getShape(), getMemoryOrder(value), order);
}
static bool isPlain(Value value) { return isInOrder(value, {}); }

namespace {

/// A group as the library sees it: values of the graph, not of the group's body.
struct LibraryGroup {
  ContractionChain chain;
  SmallVector<Value> operands; // two: what a gradient's third lends is its extents
  Value bias, residual, result;

  /// Nothing, and why, where the group is something else.
  static std::optional<LibraryGroup> match(GroupOp group, std::string &why) {
    SmallVector<Operation *> ops;
    for (Operation &op : group.getBody().front().without_terminator())
      ops.push_back(&op);
    std::optional<ContractionChain> chain = matchContractionChain(ops);
    if (!chain || group.getNumResults() != 1 || group.getYield()->getOperand(0) != chain->result) {
      why = "expects one contraction and what the library can add to it";
      return std::nullopt;
    }
    bool inMemory = true;
    auto outer = [&](Value value) -> Value {
      auto argument = dyn_cast<BlockArgument>(value);
      inMemory &= static_cast<bool>(argument);
      return argument ? group.getInputs()[argument.getArgNumber()] : Value();
    };
    LibraryGroup result{*chain, {}, nullptr, nullptr, group.getResult(0)};
    for (Value operand : chain->contraction->getOperands().take_front(2))
      result.operands.push_back(outer(operand));
    if (chain->bias)
      result.bias = outer(chain->bias);
    if (chain->residual)
      result.residual = outer(chain->residual);
    if (inMemory)
      return result;
    why = "expects the operands of its contraction in memory, but its body computes one";
    return std::nullopt;
  }

  bool isFilterGradient() const { return isa<Conv2dFilterGradientOp>(chain.contraction); }
  Value getFilter() const { return isFilterGradient() ? result : operands[1]; }
  /// Channels last if need be: all images are in one order.
  bool areImages(ArrayRef<int64_t> order) const {
    return isInOrder(operands[0], order) && isInOrder(isFilterGradient() ? operands[1] : result, order) &&
           (!residual || isInOrder(residual, order));
  }
  std::optional<std::string> whyNotLayout() const {
    if (isa<MatmulOp>(chain.contraction)) {
      if (!llvm::all_of(operands, isPlain) || !isPlain(result))
        return "expects the operands of a matrix product in the order of their types";
    } else if ((!areImages({}) && !areImages(nhwcOrder)) || !isPlain(getFilter())) {
      return "expects all images in one order, NCHW or NHWC, and the filter in the order OIHW";
    }
    return std::nullopt;
  }
};

} // namespace

std::optional<std::string> espalier::cg::whyNotLibraryLayout(GroupOp group) {
  std::string why;
  std::optional<LibraryGroup> library = LibraryGroup::match(group, why);
  return library ? library->whyNotLayout() : why;
}

LogicalResult espalier::cg::emitLibraryRow(GroupOp group, RowBuilder &rows) {
  std::string why;
  std::optional<LibraryGroup> library = LibraryGroup::match(group, why);
  if (!library)
    return group.emitOpError(why);
  if (std::optional<std::string> wrong = library->whyNotLayout())
    return group.emitOpError(*wrong);

  const ContractionChain &chain = library->chain;
  OpBuilder &builder = rows.getBuilder();
  Location loc = group.getLoc();
  auto bound = [&](std::optional<double> bound) { return bound ? builder.getF64FloatAttr(*bound) : FloatAttr(); };
  auto flag = [&](bool value) { return value ? builder.getUnitAttr() : UnitAttr(); };
  auto scope = group->getAttrOfType<StringAttr>(scopeAttrName);
  auto plain = [&](Value value) { return rows.getPlace(value, getMemoryType(getTensorType(value), {})); };
  auto vectorOf = [&](Value value) -> Value {
    if (!value)
      return nullptr;
    RankedTensorType type = getTensorType(value);
    return rows.getPlace(value, MemRefType::get({type.getNumElements()}, type.getElementType()));
  };

  if (auto matmul = dyn_cast<MatmulOp>(chain.contraction)) {
    Value lhs = plain(library->operands[0]), rhs = plain(library->operands[1]), output = plain(library->result);
    plan::MatmulOp::create(builder, loc, lhs, rhs, vectorOf(library->bias), output, flag(matmul.getTransposeA()),
                           flag(matmul.getTransposeB()), bound(chain.min), bound(chain.max),
                           flag(rows.isConstant(library->operands[1])), scope);
    return success();
  }

  bool channelsLast = library->areImages(nhwcOrder);
  auto image = [&](Value value) {
    return rows.getPlace(
        value, getMemoryType(getTensorType(value), channelsLast ? ArrayRef<int64_t>(nhwcOrder) : ArrayRef<int64_t>()));
  };
  auto layout = plan::ImageLayoutAttr::get(builder.getContext(),
                                           channelsLast ? plan::ImageLayout::NHWC : plan::ImageLayout::NCHW);
  WindowAttrs window = getConvolutionWindow(chain.contraction);
  auto strides = builder.getDenseI64ArrayAttr(window.strides), pads = builder.getDenseI64ArrayAttr(window.pads),
       dilations = builder.getDenseI64ArrayAttr(window.dilations);
  auto groups = builder.getI64IntegerAttr(window.groups);
  Value first = image(library->operands[0]);
  if (library->isFilterGradient()) {
    Value cotangent = image(library->operands[1]), weights = plain(library->result);
    plan::Conv2DFilterGradientOp::create(builder, loc, layout, first, cotangent, weights, strides, pads, dilations,
                                         groups, scope);
    return success();
  }
  Value weights = plain(library->operands[1]);
  if (isa<Conv2dInputGradientOp>(chain.contraction)) {
    plan::Conv2DInputGradientOp::create(builder, loc, layout, first, weights, image(library->result), strides, pads,
                                        dilations, groups, scope);
    return success();
  }
  Value bias = vectorOf(library->bias), skip = library->residual ? image(library->residual) : Value();
  plan::Conv2DOp::create(builder, loc, layout, first, weights, bias, skip, image(library->result), strides, pads,
                         dilations, groups, bound(chain.min), bound(chain.max),
                         flag(rows.isConstant(library->operands[1])), scope);
  return success();
}
