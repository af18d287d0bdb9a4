//===- GroupParameters.cpp - settings of the optimizer by parameter -------===//

#include "espalier/Transforms/StepPasses.h"

#include "llvm/Support/GlobPattern.h"

#include <cmath>

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_GROUPPARAMETERS
#include "espalier/Transforms/StepPasses.h.inc"
} // namespace espalier::cg

namespace {

struct ParameterGroup {
  std::string text;
  llvm::GlobPattern pattern;
  std::optional<double> weightDecay, rate;
  bool frozen = false;
  bool matches = false; ///< some parameter
};

struct GroupParameters final : espalier::cg::impl::GroupParametersBase<GroupParameters> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<ParameterGroup> parsed;
    for (const std::string &text : groups)
      if (failed(parse(text, parsed)))
        return signalPassFailure();
    if (failed(apply(parsed)))
      signalPassFailure();
  }

private:
  LogicalResult parse(StringRef text, SmallVectorImpl<ParameterGroup> &parsed) {
    SmallVector<StringRef> parts;
    text.split(parts, ':');
    auto pattern = llvm::GlobPattern::create(parts[0]);
    if (!pattern)
      return getOperation().emitError("expects a pattern of parameter paths, but got '")
             << parts[0] << "': " << llvm::toString(pattern.takeError());
    ParameterGroup group{parts[0].str(), std::move(*pattern), {}, {}, false, false};
    for (StringRef part : llvm::drop_begin(parts)) {
      auto [key, number] = part.split('=');
      double value = 0.0;
      bool isNumber = !number.getAsDouble(value) && value >= 0.0 && std::isfinite(value);
      if (part == "frozen")
        group.frozen = true;
      else if (key == "weight-decay" && isNumber)
        group.weightDecay = value;
      else if (key == "rate" && isNumber)
        group.rate = value;
      else
        return getOperation().emitError("expects weight-decay=NUMBER, rate=NUMBER or frozen in a parameter group, with "
                                        "numbers of at least 0, but got '")
               << part << "'";
    }
    parsed.push_back(std::move(group));
    return success();
  }

  LogicalResult apply(MutableArrayRef<ParameterGroup> parsed) {
    Block &body = getOperation().getBody().front();
    Builder builder(&getContext());
    bool hadMarks = false, hasMarks = false;
    for (ParameterGradientOp mark : llvm::make_early_inc_range(body.getOps<ParameterGradientOp>())) {
      hadMarks = true;
      ParameterGroup *group = nullptr;
      for (ParameterGroup &candidate : parsed)
        if (candidate.pattern.match(mark.getPath())) {
          candidate.matches = true;
          group = group ? group : &candidate;
        }
      if (group && group->frozen) {
        mark.getResult().replaceAllUsesWith(mark.getGradient());
        mark.erase();
        continue;
      }
      hasMarks = true;
      std::optional<double> decay = group ? group->weightDecay : std::nullopt;
      if (!decay && !decayNormsAndBiases && mark.getType().getRank() <= 1)
        decay = 0.0;
      if (decay)
        mark->setAttr(weightDecayAttrName, builder.getF64FloatAttr(*decay));
      if (group && group->rate)
        mark->setAttr(rateAttrName, builder.getF64FloatAttr(*group->rate));
    }
    for (const ParameterGroup &group : parsed)
      if (!group.matches)
        return getOperation().emitError("expects parameters that match '")
               << group.text << "', but the network has none";
    if (hadMarks && !hasMarks)
      return getOperation().emitError("expects a parameter to train, but all are frozen");
    return success();
  }
};
} // namespace
