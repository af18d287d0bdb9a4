//===- ReferenceTensor.h - a host tensor in float64 -------------*- C++ -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_REFERENCETENSOR_H
#define ESPALIER_DIALECT_CG_IR_REFERENCETENSOR_H

#include "mlir/IR/BuiltinTypes.h"

#include <vector>

namespace espalier::cg {

/// A dense tensor, row-major, whose elements are held as float64 whatever the element type: floats unrounded, booleans
/// as 0 and 1, integers exact up to 2^53.
struct ReferenceTensor {
  mlir::RankedTensorType type; // static shape
  std::vector<double> data;

  ReferenceTensor() = default;
  explicit ReferenceTensor(mlir::RankedTensorType type) : type(type), data(type.getNumElements(), 0.0) {}

  llvm::ArrayRef<int64_t> shape() const { return type.getShape(); }
  int64_t rank() const { return type.getRank(); }
  int64_t size() const { return static_cast<int64_t>(data.size()); }
};

} // namespace espalier::cg

#endif // ESPALIER_DIALECT_CG_IR_REFERENCETENSOR_H
