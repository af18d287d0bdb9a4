//===- ShapeContext.h - operand shapes for shape functions ------*- C++ -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_SHAPECONTEXT_H
#define ESPALIER_DIALECT_CG_IR_SHAPECONTEXT_H

#include "espalier/Dialect/CG/IR/DimExpr.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

namespace espalier::cg {

/// The element type and symbolic extents of a tensor.
struct TensorShape {
  mlir::Type elementType;
  llvm::SmallVector<DimExpr, 4> dims;

  int64_t rank() const { return static_cast<int64_t>(dims.size()); }
  /// Number of elements.
  DimExpr elements() const { return DimExpr::product(dims); }
  /// Size in memory, in bytes; an i1 takes one.
  DimExpr bytes() const;
  std::string str() const;
};

/// What a shape function sees: the shape of each operand, and where to report.
///
/// Extents that nothing names are symbols of their own, one for each place they appear in a type. Two extents conflict
/// only when they are certain to differ, so a `?` fits everything; with `strict`, extents must be provably equal, which
/// is what the language promises its users.
class ShapeContext {
public:
  ShapeContext(llvm::StringRef opName, std::optional<mlir::Location> location, bool strict = false)
      : opName(opName), location(location), strict(strict) {}

  /// Names the shape of a value; otherwise it is read off the type.
  void set(mlir::Value value, TensorShape shape) { known[value] = std::make_unique<TensorShape>(std::move(shape)); }
  const TensorShape &operator[](mlir::Value value);
  bool contains(mlir::Value value) const { return known.contains(value); }
  /// Prepares the context for the shape function of another op; known shapes stay.
  void moveTo(llvm::StringRef name, std::optional<mlir::Location> loc) {
    opName = name;
    location = loc;
  }

  /// Must these two extents be rejected where equal ones are needed?
  bool conflict(const DimExpr &lhs, const DimExpr &rhs) const;
  /// Of two extents that do not conflict, the one that says more.
  DimExpr merge(const DimExpr &lhs, const DimExpr &rhs) const;

  /// Emits `'<op>' op <parts...>` at the location, if there is one, and fails.
  template <typename... Parts> llvm::LogicalResult error(Parts &&...parts) const {
    if (location) {
      mlir::InFlightDiagnostic diag = mlir::emitError(*location) << "'" << opName << "' op ";
      ((diag << toText(parts)), ...);
    }
    return llvm::failure();
  }

  /// Appends the type of each shape: constant extents static, the others `?`. Fails on an extent that overflows or is
  /// negative, or on a tensor of 2^63 bytes or more.
  llvm::LogicalResult appendTypes(llvm::ArrayRef<TensorShape> shapes, llvm::SmallVectorImpl<mlir::Type> &types) const;

private:
  static std::string toText(const DimExpr &expr) { return expr.str(); }
  static std::string toText(const TensorShape &shape) { return shape.str(); }
  template <typename T> static const T &toText(const T &part) { return part; }

  llvm::StringRef opName;
  std::optional<mlir::Location> location;
  bool strict;
  unsigned anonymous = 0;
  llvm::DenseMap<mlir::Value, std::unique_ptr<TensorShape>> known; // references to shapes outlive a rehash
};

} // namespace espalier::cg

#endif // ESPALIER_DIALECT_CG_IR_SHAPECONTEXT_H
