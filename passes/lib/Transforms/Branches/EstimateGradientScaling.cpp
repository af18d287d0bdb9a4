//===- EstimateGradientScaling.cpp - scales from feature maps -------------===//

#include "espalier/Transforms/BranchPasses.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringSet.h"

#include <cmath>

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_ESTIMATEGRADIENTSCALING
#include "espalier/Transforms/BranchPasses.h.inc"
} // namespace espalier::cg

namespace {
struct EstimateGradientScaling final : espalier::cg::impl::EstimateGradientScalingBase<EstimateGradientScaling> {
  using Base::Base;

  void runOnOperation() override {
    GraphOp graph = getOperation();
    if (!(temperature > 0.0) || !std::isfinite(temperature)) {
      graph.emitError("expects a temperature above 0, but got ") << static_cast<double>(temperature);
      return signalPassFailure();
    }
    OpBuilder builder(graph.getBody().front().getTerminator());
    llvm::StringSet<> missing;
    for (const std::string &path : filters)
      missing.insert(path);
    for (ScalableFilter &filter : findScalableFilters(graph, explain)) {
      StringRef path = filter.parameter.getPath();
      if (!filters.empty() && !missing.erase(path))
        continue;
      if (filter.parameter->hasAttr(gradientScaleAttrName)) {
        for (Conv2dOp conv : filter.convolutions)
          explain(conv, "the matrix of its filter is given");
        continue;
      }
      estimate(builder, filter);
    }
    for (const std::string &path : filters)
      if (missing.contains(path)) {
        graph.emitError("expects a filter '") << path << "' whose gradient can be scaled, but the network has none";
        return signalPassFailure();
      }
    dropResults(graph);
  }

private:
  static void explain(Conv2dOp conv, const std::string &reason) {
    remark::missed(conv.getLoc(), remark::RemarkOpts::name("scale-not-estimated").category(getArgumentName()))
        << remark::reason("{0}", reason);
  }

  void estimate(OpBuilder &builder, ScalableFilter &filter) {
    Location loc = filter.parameter.getLoc();
    SmallVector<Value> images;
    SmallVector<int64_t> dilations;
    for (Conv2dOp conv : filter.convolutions) {
      WindowAttrs window = conv.getWindow();
      Value image = conv.getInput();
      if (llvm::any_of(window.pads, [](int64_t pad) { return pad != 0; })) {
        ArrayRef<int64_t> pads = window.pads;
        image = PadOp::create(builder, conv.getLoc(), image, ArrayRef<int64_t>{0, 0, pads[0], pads[1]},
                              ArrayRef<int64_t>{0, 0, pads[2], pads[3]}, APFloat(0.0));
      }
      images.push_back(image);
      llvm::append_range(dilations, window.dilations);
    }
    int64_t rows = filter.getRows(), columns = filter.getColumns();
    Value dependence = MutualInformationOp::create(builder, loc, images, ArrayRef<int64_t>{rows, columns},
                                                   builder.getDenseI64ArrayAttr(dilations), removeDiagonal);
    Value matrix = normalise(builder, loc, meanOverChannels(builder, loc, flatten(builder, loc, dependence)));

    auto type = RankedTensorType::get({rows, columns}, filter.parameter.getType().getElementType());
    StringAttr path = filter.parameter.getPathAttr(), slot = builder.getStringAttr(gradientScaleSlot);
    auto one = FillAttr::get(builder.getContext(), builder.getF64FloatAttr(1.0));
    Value old = StateOp::create(builder, loc, type, path, slot, one);
    Value estimated = castTo(builder, loc, matrix, type.getElementType());
    UpdateOp::create(builder, loc, path, slot,
                     WhereOp::create(builder, loc, isNumber(builder, loc, estimated), estimated, old));
  }

  /// k d / ((k - 1) d + 1)
  Value flatten(OpBuilder &builder, Location loc, Value dependence) const {
    auto number = [&](double value) { return createScalar(builder, loc, dependence, value); };
    Value divisor = MulOp::create(builder, loc, dependence, number(temperature - 1.0));
    divisor = AddOp::create(builder, loc, divisor, number(1.0));
    return DivOp::create(builder, loc, MulOp::create(builder, loc, dependence, number(temperature)), divisor);
  }

  static Value isNumber(OpBuilder &builder, Location loc, Value value) {
    return CompareOp::create(builder, loc, ComparePredicate::eq, value, value);
  }

  /// The mean over dimension 0 of what is no NaN; NaN where nothing is left.
  static Value meanOverChannels(OpBuilder &builder, Location loc, Value values) {
    Value counts = isNumber(builder, loc, values);
    auto sum = [&](Value addend) {
      return ReduceSumOp::create(builder, loc, addend, ArrayRef<int64_t>{0}, /*keep_dims=*/false);
    };
    Value kept = WhereOp::create(builder, loc, counts, values, createScalar(builder, loc, values, 0.0));
    return DivOp::create(builder, loc, sum(kept), sum(castLike(builder, loc, counts, values)));
  }

  /// Divides by the mean: one NaN makes all elements NaN.
  static Value normalise(OpBuilder &builder, Location loc, Value matrix) {
    return DivOp::create(builder, loc, matrix,
                         ReduceMeanOp::create(builder, loc, matrix, ArrayRef<int64_t>{0, 1}, /*keep_dims=*/false));
  }

  static void dropResults(GraphOp graph) {
    auto terminator = cast<ReturnOp>(graph.getBody().front().getTerminator());
    terminator.getOperandsMutable().clear();
    graph.setFunctionType(FunctionType::get(graph.getContext(), graph.getArgumentTypes(), {}));
    graph.setAllResultAttrs(ArrayRef<DictionaryAttr>());
  }
};
} // namespace
