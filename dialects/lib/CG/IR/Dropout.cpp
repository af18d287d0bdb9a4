//===- Dropout.cpp - mode-free dropout ------------------------------------===//

#include "espalier/Dialect/CG/IR/CGOps.h"

using namespace mlir;
using namespace espalier::cg;

LogicalResult DropoutOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  TensorShape result = shapes[adaptor.getInput()];
  results.push_back(std::move(result));
  return success();
}

LogicalResult DropoutOp::verify() {
  double rate = getRate().convertToDouble();
  if (!(rate >= 0.0 && rate < 1.0)) // dropout_c1
    return emitOpError("expects 'rate' in [0, 1), but got ") << rate;
  return success();
}

// In inference its result is its input.
OpCost DropoutOp::getCost(ShapeContext &) { return {}; }

LogicalResult DropoutOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                  MutableArrayRef<ReferenceTensor> results) {
  results[0].data = operands[0]->data;
  return success();
}
