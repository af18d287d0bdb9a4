//===- ImageSum.cpp - sums of images, as a whole --------------------------===//

#include "ImageSum.h"

using namespace mlir;
using namespace espalier::cg;

bool espalier::cg::isImageSum(Operation *op) {
  auto add = dyn_cast<AddOp>(op);
  return add && add.getType().getRank() == 4 && add.getLhs().getType() == add.getType() &&
         add.getRhs().getType() == add.getType();
}

bool espalier::cg::isInnerImageSum(Operation *op) {
  return isImageSum(op) && op->hasOneUse() && isImageSum(*op->user_begin());
}

SmallVector<AddOp> espalier::cg::findImageSums(Block &block) {
  SmallVector<AddOp> roots;
  for (auto add : block.getOps<AddOp>())
    if (isImageSum(add) && !isInnerImageSum(add))
      roots.push_back(add);
  return roots;
}

SmallVector<Value> espalier::cg::findSummands(AddOp root, function_ref<bool(Operation *)> isInner) {
  SmallVector<Value> summands, stack{root.getRhs(), root.getLhs()};
  while (!stack.empty()) {
    Value value = stack.pop_back_val();
    if (auto add = value.getDefiningOp<AddOp>(); add && isInner(add))
      stack.append({add.getRhs(), add.getLhs()});
    else
      summands.push_back(value);
  }
  return summands;
}
