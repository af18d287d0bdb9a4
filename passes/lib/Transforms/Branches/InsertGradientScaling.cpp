//===- InsertGradientScaling.cpp - spatial scale of filter gradients ------===//

#include "espalier/Transforms/BranchPasses.h"
#include "espalier/Transforms/StepPasses.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_INSERTGRADIENTSCALING
#include "espalier/Transforms/BranchPasses.h.inc"
} // namespace espalier::cg

namespace {

/// How the slot of a filter starts: its shape, and its elements row by row.
struct Matrix {
  SmallVector<int64_t> shape;
  SmallVector<double> values;
};

struct InsertGradientScaling final : espalier::cg::impl::InsertGradientScalingBase<InsertGradientScaling> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(parseMatrix()))
      return signalPassFailure();
    GraphOp graph = getOperation();
    Block &body = graph.getBody().front();
    for (auto state : body.getOps<StateOp>())
      if (state.getSlot() == gradientScaleSlot) {
        state.emitOpError("is there already: gradients are scaled once");
        return signalPassFailure();
      }
    // Marks stay where they were, but the optimizer has read them.
    for (auto update : body.getOps<ParameterUpdateOp>()) {
      update.emitOpError("expects the gradient to be scaled before: 'cg-insert-gradient-scaling' runs before "
                         "'cg-apply-optimizer'");
      return signalPassFailure();
    }
    for (unsigned index = 0; index < graph.getNumArguments(); ++index)
      if (auto role = graph.getArgAttrOfType<StringAttr>(index, roleAttrName); role && role.getValue() == "parameter") {
        graph.emitError(
            "expects parameters that are not arguments yet: gradients are scaled before 'cg-functionalize'");
        return signalPassFailure();
      }
    llvm::StringMap<ParameterGradientOp> marks;
    for (auto mark : body.getOps<ParameterGradientOp>())
      marks[mark.getPath()] = mark;
    OpBuilder builder(body.getTerminator());
    bool isGivenUsed = false;
    for (ScalableFilter &filter : findScalableFilters(graph, explain)) {
      ParameterGradientOp mark = marks.lookup(filter.parameter.getPath());
      if (!mark) {
        explainAll(filter, "its filter is not trained");
        continue;
      }
      FailureOr<std::optional<Matrix>> matrix = findMatrix(filter);
      if (failed(matrix))
        return signalPassFailure();
      if (*matrix)
        scale(builder, mark, **matrix);
      isGivenUsed |= *matrix && (*matrix)->shape == given.shape;
    }
    if (!given.values.empty() && !isGivenUsed) {
      graph.emitError("expects a filter of ")
          << given.shape[0] << "x" << given.shape[1] << ", whose gradient the matrix scales, but the network has none";
      signalPassFailure();
    }
  }

private:
  static void explain(Conv2dOp conv, const std::string &reason) {
    remark::missed(conv.getLoc(), remark::RemarkOpts::name("gradient-not-scaled").category(getArgumentName()))
        << remark::reason("{0}", reason);
  }
  static void explainAll(ScalableFilter &filter, const std::string &reason) {
    for (Conv2dOp conv : filter.convolutions)
      explain(conv, reason);
  }

  LogicalResult parseMatrix() {
    if (!matrix.empty() && block != GradientScaleBlock::None)
      return getOperation().emitError("expects a matrix or a block to scale gradients by, but got both");
    if (source == GradientScaleSource::MutualInformation && (!matrix.empty() || block != GradientScaleBlock::None))
      return getOperation().emitError("expects no matrix and no block with gradients scaled by mutual information");
    for (const std::string &row : matrix) {
      SmallVector<StringRef> numbers;
      StringRef(row).split(numbers, ':');
      for (StringRef text : numbers) {
        double value = 0.0;
        if (text.getAsDouble(value) || !isFactor(value))
          return getOperation().emitError(
                     "expects numbers above 0 in the matrix that gradients are scaled by, but got '")
                 << text << "'";
        given.values.push_back(value);
      }
      if (given.values.size() != numbers.size() * (given.shape.empty() ? 1 : given.shape[0] + 1))
        return getOperation().emitError(
                   "expects rows of one length in the matrix that gradients are scaled by, but got '")
               << row << "'";
      given.shape = {given.shape.empty() ? 1 : given.shape[0] + 1, static_cast<int64_t>(numbers.size())};
    }
    return success();
  }
  static bool isFactor(double value) { return std::isfinite(value) && value > 0.0; }

  /// What the slot of `filter` starts as; nothing, and a remark, where there is no matrix for it.
  FailureOr<std::optional<Matrix>> findMatrix(ScalableFilter &filter) {
    SmallVector<int64_t> window = {filter.getRows(), filter.getColumns()};
    if (Attribute attr = filter.parameter->getDiscardableAttr(gradientScaleAttrName)) {
      FailureOr<Matrix> annotated = readAttribute(filter, attr);
      if (failed(annotated))
        return failure();
      return std::optional(std::move(*annotated));
    }
    if (source == GradientScaleSource::MutualInformation)
      return std::optional(Matrix{window, SmallVector<double>(window[0] * window[1], 1.0)});
    if (block != GradientScaleBlock::None)
      return std::optional(matrixOfBlock(window[0], window[1]));
    if (given.shape == window)
      return std::optional(given);
    explainAll(filter, given.values.empty() ? "there is no matrix for it"
                                            : llvm::formatv("its window is {0}x{1}, but the matrix is {2}x{3}",
                                                            window[0], window[1], given.shape[0], given.shape[1])
                                                  .str());
    return std::optional<Matrix>();
  }

  static FailureOr<Matrix> readAttribute(ScalableFilter &filter, Attribute attr) {
    int64_t rows = filter.getRows(), columns = filter.getColumns(), outputs = filter.parameter.getType().getDimSize(0);
    auto literal = dyn_cast<DenseFPElementsAttr>(attr);
    ArrayRef<int64_t> shape = literal ? literal.getType().getShape() : ArrayRef<int64_t>();
    if (shape != ArrayRef({rows, columns}) && shape != ArrayRef({outputs, int64_t(1), rows, columns})) {
      filter.parameter.emitOpError("expects '")
          << gradientScaleAttrName << "' to be a floating-point literal of shape " << rows << "x" << columns << " or "
          << outputs << "x1x" << rows << "x" << columns << ", but got " << attr;
      return failure();
    }
    Matrix matrix{SmallVector<int64_t>(shape), {}};
    for (const APFloat &element : literal.getValues<APFloat>()) {
      matrix.values.push_back(FloatAttr::getValueAsDouble(element));
      if (isFactor(matrix.values.back()))
        continue;
      filter.parameter.emitOpError("expects numbers above 0 in '")
          << gradientScaleAttrName << "', but got " << matrix.values.back();
      return failure();
    }
    return matrix;
  }

  /// The sum of the supports of the branches, divided by its mean.
  Matrix matrixOfBlock(int64_t rows, int64_t columns) const {
    Matrix result{{rows, columns}, {}};
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        bool isMiddleRow = i == rows / 2, isMiddleColumn = j == columns / 2;
        int branches =
            block == GradientScaleBlock::ACNet ? isMiddleRow + isMiddleColumn : isMiddleRow && isMiddleColumn;
        result.values.push_back(1.0 + branches);
      }
    double sum = std::accumulate(result.values.begin(), result.values.end(), 0.0);
    for (double &value : result.values)
      value = value * static_cast<double>(rows * columns) / sum;
    return result;
  }

  void scale(OpBuilder &builder, ParameterGradientOp mark, const Matrix &matrix) const {
    Location loc = mark.getLoc();
    auto type = RankedTensorType::get(matrix.shape, mark.getType().getElementType());
    auto values =
        DenseElementsAttr::get(RankedTensorType::get(matrix.shape, builder.getF64Type()), ArrayRef(matrix.values));
    auto init = ValuesAttr::get(builder.getContext(), cast<DenseFPElementsAttr>(values));
    Value state =
        StateOp::create(builder, loc, type, mark.getPathAttr(), builder.getStringAttr(gradientScaleSlot), init);
    if (target == GradientScaleTarget::Update)
      mark->setAttr(updateScaleAttrName, builder.getStringAttr(gradientScaleSlot));
    else
      replaceGradient(builder, mark, MulOp::create(builder, loc, mark.getGradient(), state));
  }

  Matrix given; ///< by the option
};
} // namespace
