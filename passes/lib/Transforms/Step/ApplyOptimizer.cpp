//===- ApplyOptimizer.cpp - update every parameter that has a gradient ----===//

#include "espalier/Transforms/StepPasses.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_APPLYOPTIMIZER
#include "espalier/Transforms/StepPasses.h.inc"
} // namespace espalier::cg

namespace {

/// Arithmetic on tensors and numbers, for formulas that read like the papers'.
class Formula {
public:
  Formula(OpBuilder &builder, Location loc) : builder(builder), loc(loc) {}

  Value add(Value a, Value b) { return AddOp::create(builder, loc, a, b); }
  Value sub(Value a, Value b) { return SubOp::create(builder, loc, a, b); }
  Value mul(Value a, Value b) { return MulOp::create(builder, loc, a, b); }
  Value mul(Value a, double b) { return mul(a, number(a, b)); }
  Value div(Value a, Value b) { return DivOp::create(builder, loc, a, b); }
  Value sqrt(Value a) { return SqrtOp::create(builder, loc, a); }
  Value number(Value like, double value) { return createScalar(builder, loc, like, value); }
  /// a + b * scale
  Value addScaled(Value a, Value b, double scale) { return scale == 0.0 ? a : add(a, mul(b, scale)); }
  /// start - direction * rate, with the scale of the update
  Value descend(Value start, Value direction, Value rate) {
    return sub(start, mul(updateScale ? mul(direction, updateScale) : direction, rate));
  }

  OpBuilder &builder;
  Location loc;
  Value updateScale; ///< null where there is none
};

struct ApplyOptimizer final : espalier::cg::impl::ApplyOptimizerBase<ApplyOptimizer> {
  using Base::Base;

  void runOnOperation() override {
    Block &body = getOperation().getBody().front();
    llvm::StringMap<ParameterOp> parameters;
    for (ParameterOp parameter : body.getOps<ParameterOp>())
      parameters.try_emplace(parameter.getPath(), parameter);
    for (StateOp state : body.getOps<StateOp>())
      if (StringAttr slot = state.getSlotAttr())
        slots.try_emplace({state.getPathAttr(), slot}, state);
    OpBuilder builder(body.getTerminator());
    for (ParameterGradientOp mark : llvm::to_vector(body.getOps<ParameterGradientOp>())) {
      ParameterOp parameter = parameters.lookup(mark.getPath());
      if (!parameter) {
        mark.emitOpError("expects a parameter '") << mark.getPath() << "' in the graph, but there is none";
        return signalPassFailure();
      }
      auto scale = mark->getAttrOfType<StringAttr>(updateScaleAttrName);
      if (scale && !slots.contains({mark.getPathAttr(), scale})) {
        mark.emitOpError("expects a state of '")
            << mark.getPath() << "' with the slot " << scale << ", but there is none";
        return signalPassFailure();
      }
      Formula f(builder, mark.getLoc());
      ParameterUpdateOp::create(builder, mark.getLoc(), mark.getPathAttr(), update(f, parameter, mark));
    }
  }

private:
  Value update(Formula &f, ParameterOp parameter, ParameterGradientOp mark) {
    auto decayAttr = mark->getAttrOfType<FloatAttr>(weightDecayAttrName);
    double decay = decayAttr ? decayAttr.getValueAsDouble() : weightDecay;
    Value rate = hyper(f, parameter, "learning_rate");
    if (auto factor = mark->getAttrOfType<FloatAttr>(rateAttrName))
      rate = f.mul(rate, factor.getValueAsDouble());
    if (auto scale = mark->getAttrOfType<StringAttr>(updateScaleAttrName))
      f.updateScale = slots.at({mark.getPathAttr(), scale});
    switch (kind) {
    case OptimizerKind::SGD:
      return sgd(f, parameter, mark.getResult(), rate, decay);
    case OptimizerKind::Adam:
    case OptimizerKind::AdamW:
      return adam(f, parameter, mark.getResult(), rate, decay);
    case OptimizerKind::RMSprop:
      return rmsprop(f, parameter, mark.getResult(), rate, decay);
    }
    llvm_unreachable("all optimizers are handled");
  }

  Value hyper(Formula &f, ParameterOp parameter, StringRef name) {
    auto type = RankedTensorType::get({}, parameter.getType().getElementType());
    return HyperOp::create(f.builder, f.loc, type, name);
  }

  /// The old value of a slot; `store` stores the new one.
  Value slot(Formula &f, ParameterOp parameter, StringRef name) {
    auto zero = FillAttr::get(f.builder.getContext(), f.builder.getF64FloatAttr(0.0));
    return StateOp::create(f.builder, f.loc, parameter.getType(), parameter.getPathAttr(),
                           f.builder.getStringAttr(name), zero);
  }
  void store(Formula &f, ParameterOp parameter, StringRef name, Value value) {
    UpdateOp::create(f.builder, f.loc, parameter.getPathAttr(), f.builder.getStringAttr(name), value);
  }

  Value sgd(Formula &f, ParameterOp parameter, Value gradient, Value rate, double decay) {
    Value direction = f.addScaled(gradient, parameter, decay);
    if (momentum != 0.0) {
      Value velocity = f.add(f.mul(slot(f, parameter, "momentum"), momentum), direction);
      store(f, parameter, "momentum", velocity);
      direction = nesterov ? f.addScaled(direction, velocity, momentum) : velocity;
    }
    return f.descend(parameter, direction, rate);
  }

  /// Stores and gives the moving average of `value`.
  Value average(Formula &f, ParameterOp parameter, StringRef name, double weight, Value value) {
    Value result = f.add(f.mul(slot(f, parameter, name), weight), f.mul(value, 1.0 - weight));
    store(f, parameter, name, result);
    return result;
  }

  Value adam(Formula &f, ParameterOp parameter, Value gradient, Value rate, double decay) {
    Value step = hyper(f, parameter, "step"), one = f.number(rate, 1.0), start = parameter;
    if (kind == OptimizerKind::Adam)
      gradient = f.addScaled(gradient, parameter, decay);
    else if (decay != 0.0)
      start = f.mul(start, f.sub(one, f.mul(rate, decay)));

    Value first = average(f, parameter, "first_moment", beta1, gradient);
    Value second = average(f, parameter, "second_moment", beta2, f.mul(gradient, gradient));
    auto correction = [&](double beta) {
      return f.sub(one, PowerOp::create(f.builder, f.loc, f.number(step, beta), step));
    };
    Value deviation = f.div(f.sqrt(second), f.sqrt(correction(beta2)));
    Value denominator = f.add(deviation, f.number(deviation, epsilon));
    Value stepSize = f.div(rate, correction(beta1));
    return f.descend(start, f.div(first, denominator), stepSize);
  }

  Value rmsprop(Formula &f, ParameterOp parameter, Value gradient, Value rate, double decay) {
    gradient = f.addScaled(gradient, parameter, decay);
    Value second = average(f, parameter, "second_moment", alpha, f.mul(gradient, gradient));
    if (centered) {
      Value first = average(f, parameter, "first_moment", alpha, gradient);
      // The variance; rounding must not make it negative.
      Value variance = f.sub(second, f.mul(first, first));
      second = MaximumOp::create(f.builder, f.loc, variance, f.number(variance, 0.0));
    }
    Value deviation = f.sqrt(second);
    Value direction = f.div(gradient, f.add(deviation, f.number(deviation, epsilon)));
    if (momentum != 0.0) {
      direction = f.add(f.mul(slot(f, parameter, "momentum"), momentum), direction);
      store(f, parameter, "momentum", direction);
    }
    return f.descend(parameter, direction, rate);
  }

  llvm::DenseMap<std::pair<StringAttr, StringAttr>, StateOp> slots; // by path and name
};
} // namespace
