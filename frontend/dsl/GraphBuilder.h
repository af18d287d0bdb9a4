//===- GraphBuilder.h - Operations of one cg.graph --------------*- C++ -*-===//

#ifndef ESPALIER_FRONTEND_DSL_GRAPHBUILDER_H
#define ESPALIER_FRONTEND_DSL_GRAPHBUILDER_H

#include "espalier/Dialect/CG/IR/CGOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"

namespace espalier::dsl {

/// Builds a graph operation by operation. Result types come from the operation's own shape function, over the
/// graph's named extents; what it has to complain about is returned as text, for the evaluator to place.
class GraphBuilder {
public:
  static constexpr unsigned maxOps = 1'000'000;

  /// `isFn` marks a loss, metric or helper: tools that work on "the" network of a file pass over it.
  GraphBuilder(mlir::ModuleOp module, mlir::Location loc, llvm::StringRef name, bool isFn);

  /// Appends an argument of the graph.
  mlir::Value addArgument(mlir::Location loc, llvm::StringRef name, cg::TensorShape shape);

  /// The number of the symbolic size `name` where nobody asks for another one.
  void setDefaultSize(llvm::StringRef name, int64_t number) {
    defaultSizes.set(name, builder.getI64IntegerAttr(number));
  }

  /// Appends `name` and returns its result; null and `error` set if the operands do not fit. `scope` is the path of
  /// the layer that the operation belongs to.
  mlir::Value create(mlir::Location loc, llvm::StringRef name, mlir::ValueRange operands,
                     llvm::ArrayRef<mlir::NamedAttribute> attributes, llvm::StringRef scope, std::string &error);

  /// The parameter or state at `path`. A second use must ask for the same type and initialiser: it gets the first
  /// value, otherwise `previous` and null.
  mlir::Value storage(mlir::Location loc, bool isState, llvm::StringRef path, const cg::TensorShape &shape,
                      mlir::Attribute init, llvm::StringRef scope, mlir::Operation *&previous, std::string &error);

  /// A tensor of numbers of its element type, in row-major order; one number stands for all of them. Null and `error`
  /// set if there is no such type.
  mlir::Value constant(mlir::Location loc, const cg::TensorShape &shape, llvm::ArrayRef<mlir::Attribute> elements,
                       std::string &error);

  /// A tensor of rank 0.
  mlir::Value scalar(mlir::Location loc, mlir::TypedAttr value);

  const cg::TensorShape &shape(mlir::Value value) { return shapes[value]; }
  unsigned numOps() const { return ops; }
  mlir::Builder &attrs() { return builder; }

  /// Ends the graph.
  void finish(mlir::ValueRange results);
  /// Drops the graph: its declaration had errors.
  void abandon();

private:
  mlir::Type typeOf(const cg::TensorShape &shape, std::string &error);

  mlir::OpBuilder builder;
  cg::GraphOp graph;
  cg::ShapeContext shapes;
  mlir::NamedAttrList defaultSizes;
  llvm::StringMap<mlir::Operation *> storages;
  unsigned ops = 0;
};

} // namespace espalier::dsl

#endif // ESPALIER_FRONTEND_DSL_GRAPHBUILDER_H
