//===- PlanLibraryOps.cpp - Rows that a vendor library computes -----------===//

#include "espalier/Dialect/Plan/IR/PlanOps.h"

#include "llvm/Support/CheckedArithmetic.h"

using namespace mlir;
using namespace espalier::plan;

/// Verifies `min <= max`; NaN bounds never hold.
static LogicalResult verifyClamp(Operation *op, std::optional<APFloat> min, std::optional<APFloat> max) {
  double low = min ? min->convertToDouble() : -std::numeric_limits<double>::infinity();
  double high = max ? max->convertToDouble() : std::numeric_limits<double>::infinity();
  if (low <= high)
    return success();
  return op->emitOpError("expects min <= max, but got ") << low << " and " << high;
}

/// Constants are packed before the first row runs, so that no row may compute them.
static LogicalResult verifyConstant(Operation *op, Value place) {
  while (auto view = place.getDefiningOp<ViewOp>())
    place = view.getSource();
  auto argument = place.getDefiningOp<ArgumentOp>();
  if (argument && argument.getRole() != Role::Output)
    return success();
  return op->emitOpError("expects a constant operand to be an argument that is no output, or a view of one");
}

/// bf16 is summed up in f32, and may stay so.
static LogicalResult verifyElementTypes(Operation *op, MemRefType lhs, MemRefType rhs, MemRefType result) {
  Type element = lhs.getElementType();
  if (rhs.getElementType() == element && (result.getElementType() == element || result.getElementType().isF32()))
    return success();
  return op->emitOpError("expects to multiply one element type into that one or f32, but got ")
         << element << " and " << rhs.getElementType() << " into " << result.getElementType();
}

/// The part that the three convolutions share: `output = conv(input, filter)`.
template <typename ConvOp>
static LogicalResult verifyConv2D(ConvOp op, MemRefType input, MemRefType filter, MemRefType output) {
  ArrayRef<int64_t> strides = op.getStrides(), dilations = op.getDilations(), pads = op.getPads();
  auto isPositive = [](int64_t value) { return value > 0; };
  // conv2d_c1, conv2d_input_gradient_c1, conv2d_filter_gradient_c1
  if (strides.size() != 2 || dilations.size() != 2 || pads.size() != 4 || !llvm::all_of(strides, isPositive) ||
      !llvm::all_of(dilations, isPositive) || llvm::any_of(pads, [](int64_t pad) { return pad < 0; }))
    return op.emitOpError("expects 2 positive strides, 2 positive dilations and 4 pads, but got [")
           << strides << "], [" << dilations << "] and [" << pads << "]";
  // conv2d_c2, conv2d_input_gradient_c2, conv2d_filter_gradient_c2
  if (input.getRank() != 4 || filter.getRank() != 4 || output.getRank() != 4)
    return op.emitOpError("expects images and filter of rank 4, but got ") << input << ", " << filter << ", " << output;

  bool isNHWC = op.getLayout() == ImageLayout::NHWC;
  unsigned channelDim = isNHWC ? 3 : 1, heightDim = isNHWC ? 1 : 2;
  int64_t groups = op.getGroups();
  int64_t inputChannels = input.getDimSize(channelDim), outputChannels = output.getDimSize(channelDim);
  // conv2d_c2, conv2d_input_gradient_c2, conv2d_filter_gradient_c2
  if (inputChannels % groups != 0 || outputChannels % groups != 0)
    return op.emitOpError("expects groups (")
           << groups << ") to divide the channels, but got " << inputChannels << " and " << outputChannels;
  // conv2d_c3, conv2d_input_gradient_c3, conv2d_filter_gradient_c3
  if (filter.getDimSize(0) != outputChannels || filter.getDimSize(1) != inputChannels / groups ||
      input.getDimSize(0) != output.getDimSize(0))
    return op.emitOpError("expects a ") << outputChannels << " x " << inputChannels / groups
                                        << " x kh x kw filter and equal batches, but got " << input << ", " << filter
                                        << ", " << output;

  for (unsigned dim : {0u, 1u}) {
    int64_t extent = input.getDimSize(heightDim + dim);
    std::optional<int64_t> reach = llvm::checkedMul(dilations[dim], filter.getDimSize(2 + dim) - 1);
    std::optional<int64_t> padded = llvm::checkedAdd(pads[dim], pads[dim + 2]);
    if (padded)
      padded = llvm::checkedAdd(*padded, extent);
    int64_t expected = reach && padded && *reach < *padded ? (*padded - *reach - 1) / strides[dim] + 1 : 0;
    int64_t actual = output.getDimSize(heightDim + dim);
    // conv2d_c4, conv2d_input_gradient_c4, conv2d_filter_gradient_c4
    if (expected < 1 || expected != actual)
      return op.emitOpError("expects output ") << (dim ? "width " : "height ") << expected << ", but got " << actual;
  }
  return success();
}

LogicalResult Conv2DOp::verify() {
  MemRefType output = getOutput().getType();
  if (failed(verifyConv2D(*this, getInput().getType(), getFilter().getType(), output)) ||
      failed(verifyElementTypes(*this, getInput().getType(), getFilter().getType(), output))) // conv2d_c5
    return failure();
  if (getBias()) {
    ArrayRef<int64_t> shape = cast<MemRefType>(getBias().getType()).getShape();
    if (shape != ArrayRef<int64_t>{getFilter().getType().getDimSize(0)}) // conv2d_c6
      return emitOpError("expects a bias of ")
             << getFilter().getType().getDimSize(0) << " elements, but got " << getBias().getType();
  }
  if (getResidual() && getResidual().getType() != output) // conv2d_c6
    return emitOpError("expects the residual to have the output's type (")
           << output << "), but got " << getResidual().getType();
  if (getConstantFilter() && failed(verifyConstant(*this, getFilter()))) // conv2d_c7
    return failure();
  return verifyClamp(*this, getMin(), getMax()); // conv2d_c6
}

LogicalResult Conv2DInputGradientOp::verify() {
  MemRefType input = getInputGradient().getType(), filter = getFilter().getType(),
             output = getOutputGradient().getType();
  if (failed(verifyConv2D(*this, input, filter, output)))
    return failure();
  return verifyElementTypes(*this, output, filter, input); // conv2d_input_gradient_c5
}

LogicalResult Conv2DFilterGradientOp::verify() {
  MemRefType input = getInput().getType(), filter = getFilterGradient().getType(),
             output = getOutputGradient().getType();
  if (failed(verifyConv2D(*this, input, filter, output)))
    return failure();
  return verifyElementTypes(*this, input, output, filter); // conv2d_filter_gradient_c5
}

LogicalResult MatmulOp::verify() {
  MemRefType lhs = getLhs().getType(), rhs = getRhs().getType(), output = getOutput().getType();
  int64_t rank = output.getRank();
  bool isBatched = rank == 3;
  if ((rank != 2 && rank != 3) || lhs.getRank() != rank || rhs.getRank() != rank ||
      (isBatched &&
       (lhs.getDimSize(0) != output.getDimSize(0) || rhs.getDimSize(0) != output.getDimSize(0)))) // matmul_c1
    return emitOpError("expects operands of rank 2, or of rank 3 with equal first extents, but got ")
           << lhs << ", " << rhs << ", " << output;
  if (failed(verifyElementTypes(*this, lhs, rhs, output))) // matmul_c5
    return failure();
  ArrayRef<int64_t> lhsDims = lhs.getShape().take_back(2), rhsDims = rhs.getShape().take_back(2);
  int64_t m = lhsDims[getTransposeLhs()], lhsK = lhsDims[!getTransposeLhs()];
  int64_t rhsK = rhsDims[getTransposeRhs()], n = rhsDims[!getTransposeRhs()];
  if (lhsK != rhsK || output.getShape().take_back(2) != ArrayRef<int64_t>{m, n}) // matmul_c2
    return emitOpError("expects (") << m << " x " << lhsK << ") * (" << lhsK << " x " << n << ") = (" << m << " x " << n
                                    << "), but got (" << m << " x " << lhsK << ") * (" << rhsK << " x " << n
                                    << ") into " << output;
  if (getBias() && cast<MemRefType>(getBias().getType()).getShape() != ArrayRef<int64_t>{n}) // matmul_c3
    return emitOpError("expects a bias of ") << n << " elements, but got " << getBias().getType();
  if (getConstantRhs() && failed(verifyConstant(*this, getRhs()))) // matmul_c4
    return failure();
  return verifyClamp(*this, getMin(), getMax()); // matmul_c3
}
