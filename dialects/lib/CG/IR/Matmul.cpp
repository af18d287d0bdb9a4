//===- Matmul.cpp - matrix product ----------------------------------------===//

#include "espalier/Dialect/CG/IR/CGOps.h"

using namespace mlir;
using namespace espalier::cg;

LogicalResult MatmulOp::inferShapes(Adaptor adaptor, ShapeContext &shapes, SmallVectorImpl<TensorShape> &results) {
  const TensorShape &lhs = shapes[adaptor.getLhs()], &rhs = shapes[adaptor.getRhs()];
  if (lhs.rank() < 2 || rhs.rank() < 2 || (rhs.rank() != 2 && rhs.rank() != lhs.rank())) // matmul_c1
    return shapes.error("expects operands of rank 2 or more, the second of rank 2 or that of the first, but got ", lhs,
                        " and ", rhs);
  TensorShape result{lhs.elementType, {}};
  for (int64_t i = 0; i < lhs.rank() - 2; ++i) {
    if (rhs.rank() == 2) {
      result.dims.push_back(lhs.dims[i]);
      continue;
    }
    if (shapes.conflict(lhs.dims[i], rhs.dims[i])) // matmul_c1
      return shapes.error("expects operands with equal leading extents, but got ", lhs, " and ", rhs);
    result.dims.push_back(shapes.merge(lhs.dims[i], rhs.dims[i]));
  }
  auto matrixDims = [](const TensorShape &shape, bool transposed) {
    const DimExpr &rows = shape.dims[shape.rank() - 2], &columns = shape.dims[shape.rank() - 1];
    return transposed ? std::pair(columns, rows) : std::pair(rows, columns);
  };
  auto [rows, contractedLeft] = matrixDims(lhs, adaptor.getTransposeA());
  auto [contractedRight, columns] = matrixDims(rhs, adaptor.getTransposeB());
  if (lhs.elementType != rhs.elementType) // matmul_c2
    return shapes.error("expects operands of one element type, but got ", lhs, " and ", rhs);
  if (shapes.conflict(contractedLeft, contractedRight)) // matmul_c2
    return shapes.error("expects equal contracted extents, but got ", contractedLeft, " of ", lhs, " and ",
                        contractedRight, " of ", rhs);
  if (std::optional<Type> type = adaptor.getResultType()) { // matmul_c3
    if (!mayAccumulateIn(*type, lhs.elementType))
      return shapes.error("expects 'result_type' to be the operands' element type, or f32 where that is narrower, but "
                          "got ",
                          *type, " for ", lhs);
    result.elementType = *type;
  }
  result.dims.push_back(std::move(rows));
  result.dims.push_back(std::move(columns));
  results.push_back(std::move(result));
  return success();
}

OpCost MatmulOp::getCost(ShapeContext &shapes) {
  OpCost cost = movementCost(*this, shapes);
  const TensorShape &lhs = shapes[getLhs()];
  cost.macs = shapes[getResult()].elements() * lhs.dims[lhs.rank() - (getTransposeA() ? 2 : 1)];
  cost.flops = DimExpr(2) * cost.macs;
  return cost;
}

LogicalResult MatmulOp::evaluate(ArrayRef<const ReferenceTensor *> operands, MutableArrayRef<ReferenceTensor> results) {
  const ReferenceTensor &lhs = *operands[0], &rhs = *operands[1];
  ReferenceTensor &result = results[0];
  int64_t rank = result.rank(), rows = result.shape()[rank - 2], columns = result.shape()[rank - 1];
  int64_t contracted = lhs.shape()[rank - (getTransposeA() ? 2 : 1)];
  if (result.data.empty())
    return success();
  int64_t batches = result.size() / (rows * columns);
  int64_t lhsRow = getTransposeA() ? 1 : contracted, lhsColumn = getTransposeA() ? rows : 1;
  int64_t rhsRow = getTransposeB() ? 1 : columns, rhsColumn = getTransposeB() ? contracted : 1;
  for (int64_t batch = 0; batch < batches; ++batch) {
    const double *a = lhs.data.data() + batch * rows * contracted;
    const double *b = rhs.data.data() + (rhs.rank() == 2 ? 0 : batch * contracted * columns);
    double *c = result.data.data() + batch * rows * columns;
    for (int64_t m = 0; m < rows; ++m)
      for (int64_t k = 0; k < contracted; ++k)
        for (int64_t n = 0; n < columns; ++n)
          c[m * columns + n] += a[m * lhsRow + k * lhsColumn] * b[k * rhsRow + n * rhsColumn];
  }
  return success();
}

bool MatmulOp::isLinearIn(unsigned) { return true; }

static Value multiply(OpBuilder &builder, Location loc, Value lhs, bool transposeA, Value rhs, bool transposeB) {
  return MatmulOp::create(builder, loc, lhs, rhs, transposeA, transposeB, /*result_type=*/TypeAttr());
}

LogicalResult MatmulOp::buildVjp(OpBuilder &builder, ValueRange cotangents, ArrayRef<bool> needed,
                                 MutableArrayRef<Value> gradients) {
  Location loc = getLoc();
  Value lhs = getLhs(), rhs = getRhs(), cotangent = castLike(builder, loc, cotangents[0], lhs);
  bool transposeA = getTransposeA(), transposeB = getTransposeB();
  int64_t rank = getType().getRank();
  bool sharedRhs = getRhs().getType().getRank() != rank;
  if (needed[0]) {
    if (!transposeA)
      gradients[0] = multiply(builder, loc, cotangent, false, rhs, !transposeB);
    else if (!sharedRhs)
      gradients[0] = multiply(builder, loc, rhs, transposeB, cotangent, true);
    else { // a shared matrix can only stand at the right: transpose the product instead
      auto swapped = llvm::to_vector(llvm::seq<int64_t>(0, rank));
      std::swap(swapped[rank - 1], swapped[rank - 2]);
      Value product = multiply(builder, loc, cotangent, false, rhs, !transposeB);
      gradients[0] = TransposeOp::create(builder, loc, product, swapped);
    }
  }
  if (needed[1]) {
    Value product = transposeB ? multiply(builder, loc, cotangent, true, lhs, transposeA)
                               : multiply(builder, loc, lhs, !transposeA, cotangent, false);
    // Summing one product for each batch entry works for all extents, where joining the batch with the rows could not
    // name the shape of `?` and 0.
    if (sharedRhs) {
      auto batch = llvm::to_vector(llvm::seq<int64_t>(0, rank - 2));
      product = ReduceSumOp::create(builder, loc, product, batch, /*keep_dims=*/false);
    }
    gradients[1] = product;
  }
  return success();
}
