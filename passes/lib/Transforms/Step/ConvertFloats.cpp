//===- ConvertFloats.cpp - change the floating-point type of whole graphs -===//

#include "espalier/Transforms/StepPasses.h"

#include "mlir/IR/AttrTypeSubElements.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_CONVERTFLOATS
#include "espalier/Transforms/StepPasses.h.inc"
} // namespace espalier::cg

namespace {
struct ConvertFloats final : espalier::cg::impl::ConvertFloatsBase<ConvertFloats> {
  void runOnOperation() override {
    AttrTypeReplacer replacer;
    Type wide = Float64Type::get(&getContext());
    replacer.addReplacement([=](Float32Type) -> Type { return wide; });
    // The elements of a literal are stored in its type's format and must be converted, not renamed.
    replacer.addReplacement([=](DenseFPElementsAttr elements) -> std::optional<std::pair<Attribute, WalkResult>> {
      if (!elements.getElementType().isF32())
        return std::nullopt;
      Attribute converted = elements.mapValues(wide, [](const APFloat &value) {
        bool lossy;
        APFloat result = value;
        result.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
        return result.bitcastToAPInt();
      });
      return std::pair(converted, WalkResult::skip());
    });
    for (GraphOp graph : getOperation().getOps<GraphOp>())
      replacer.recursivelyReplaceElementsIn(graph, /*replaceAttrs=*/true, /*replaceLocs=*/false, /*replaceTypes=*/true);
    getOperation()->setAttr(precisionAttrName, StringAttr::get(&getContext(), "f64"));
  }
};
} // namespace
