//===- CGFusedOps.cpp - the fused phase -----------------------------------===//

#include "espalier/Dialect/CG/IR/CGOps.h"

using namespace mlir;
using namespace espalier::cg;

void GroupOp::build(OpBuilder &builder, OperationState &state, TypeRange results, ValueRange inputs,
                    ArrayRef<StringRef> candidates, ArrayAttr layouts) {
  build(builder, state, results, inputs, builder.getStrArrayAttr(candidates), /*chosen=*/nullptr, /*reason=*/nullptr,
        layouts);
}

StringRef GroupOp::getChosenCandidate() {
  return getChosen() ? *getChosen() : cast<StringAttr>(getCandidates()[0]).getValue();
}

ArrayRef<int64_t> GroupOp::getLayout(unsigned index) {
  std::optional<ArrayAttr> layouts = getLayouts();
  return layouts ? cast<DenseI64ArrayAttr>((*layouts)[index]).asArrayRef() : ArrayRef<int64_t>();
}

LogicalResult GroupOp::verify() {
  for (Type type : llvm::concat<const Type>(getOperandTypes(), getResultTypes()))
    if (!cast<RankedTensorType>(type).hasStaticShape()) // group_c1
      return emitOpError("expects static shapes, but got ") << type;

  if (getCandidates().empty()) // group_c3
    return emitOpError("expects at least one candidate, but got none");
  llvm::SmallDenseSet<StringAttr> seen;
  for (auto name : getCandidates().getAsRange<StringAttr>())
    if (!seen.insert(name).second) // group_c3
      return emitOpError("expects each candidate once, but got ") << getCandidates();
  if (getChosen() && !seen.contains(getChosenAttr())) // group_c3
    return emitOpError("expects 'chosen' to be one of ") << getCandidates() << ", but got " << getChosenAttr();

  std::optional<ArrayAttr> layouts = getLayouts();
  if (!layouts)
    return success();
  if (layouts->size() != getNumResults()) // group_c4
    return emitOpError("expects ") << getNumResults() << " layouts, but got " << layouts->size();
  for (auto [attribute, type] : llvm::zip_equal(*layouts, getResultTypes())) {
    auto layout = dyn_cast<DenseI64ArrayAttr>(attribute);
    int64_t rank = cast<RankedTensorType>(type).getRank();
    if (layout && layout.empty())
      continue;
    SmallVector<int64_t> sorted;
    if (layout)
      llvm::append_range(sorted, layout.asArrayRef());
    llvm::sort(sorted);
    if (!layout || !llvm::equal(sorted, llvm::seq<int64_t>(0, rank))) // group_c4
      return emitOpError("expects a permutation of the dimensions of ") << type << ", but got " << attribute;
  }
  return success();
}

LogicalResult GroupOp::verifyRegions() {
  Block &body = getBody().front();
  if (body.getArgumentTypes() != getOperandTypes()) // group_c2
    return emitOpError("expects a body with arguments of types ")
           << getOperandTypes() << ", but got " << body.getArgumentTypes();
  auto yield = dyn_cast<YieldOp>(body.getTerminator());
  if (!yield || yield.getOperandTypes() != getResultTypes()) { // group_c2
    InFlightDiagnostic diag = emitOpError("expects a body that yields values of types ") << getResultTypes();
    return yield ? (diag << ", but got " << yield.getOperandTypes()) : diag;
  }
  return success();
}
