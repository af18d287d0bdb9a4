//===- LowerContractions.cpp - convolutions and products as loops ---------===//
//
// What runs where neither a library call nor tiles do: element types that they do not take, and memory that cannot be
// tiled. Plain loop nests, with the innermost loop over contiguous images where there is one.
//
//===----------------------------------------------------------------------===//

#include "LoweringModels.h"

using namespace mlir;
using namespace espalier::cg;

namespace {

Value multiplyAdd(KernelBuilder &b, Value sum, Value lhs, Value rhs) {
  return b.create<arith::AddFOp>(sum, b.create<arith::MulFOp>(lhs, rhs));
}

//===----------------------------------------------------------------------===//
// Convolutions
//===----------------------------------------------------------------------===//

/// A convolution and its two gradients are one loop nest, `image[n, g C + c, input position] * filter[g O + o, c, tap]`
/// against `output[n, g O + o, position]`; they differ in which of the three is summed into.
struct ConvNest {
  WindowAttrs window;
  int64_t batch, groups, channels, features; // channels and features of one group
  std::array<int64_t, 2> input, output, kernel;

  ConvNest(const WindowAttrs &window, RankedTensorType image, RankedTensorType filter, RankedTensorType result)
      : window(window), batch(image.getDimSize(0)), groups(window.groups), channels(filter.getDimSize(1)),
        features(filter.getDimSize(0) / window.groups) {
    for (unsigned dim : {0u, 1u}) {
      input[dim] = image.getDimSize(2 + dim);
      output[dim] = result.getDimSize(2 + dim);
      kernel[dim] = filter.getDimSize(2 + dim);
    }
  }

  /// The positions whose tap `tap` lies inside the input, as [first, end).
  std::pair<Value, Value> positions(KernelBuilder &b, unsigned dim, Value tap) const {
    int64_t stride = window.strides[dim];
    Value shift = b.sub(b.index(window.padBefore(dim)), b.mul(tap, window.dilations[dim])); // padding left of the tap
    Value first = b.div(b.add(b.max(shift, b.index(0)), stride - 1), stride);
    Value room = b.max(b.add(shift, input[dim] + stride - 1), b.index(0)); // stride past the last position inside
    Value end = b.min(b.div(room, stride), b.index(output[dim]));
    return {first, b.max(end, first)};
  }
  /// The input index of a tap at a position, where it is inside.
  Value inputIndex(KernelBuilder &b, unsigned dim, Value position, Value tap) const {
    Value index = b.add(b.mul(position, window.strides[dim]), b.mul(tap, window.dilations[dim]));
    return b.add(index, -window.padBefore(dim));
  }
  void forEachTap(KernelBuilder &b, function_ref<void(Value, Value)> body) const {
    b.forLoop(kernel[0], [&](Value i) { b.forLoop(kernel[1], [&](Value j) { body(i, j); }); });
  }
  void forEachPosition(KernelBuilder &b, Value i, Value j, function_ref<void(Value row, Value column)> body) const {
    std::pair<Value, Value> rows = positions(b, 0, i), columns = positions(b, 1, j);
    b.forLoop(rows.first, rows.second,
              [&](Value row) { b.forLoop(columns.first, columns.second, [&](Value column) { body(row, column); }); });
  }
};

/// Computes planes of one image of the nest: of the output, or backwards of the input.
void emitPlanes(KernelBuilder &b, const ConvNest &nest, bool isBackward, Type element) {
  // Channels of a group: those that are computed, and those that are summed over.
  int64_t computed = isBackward ? nest.channels : nest.features, summed = isBackward ? nest.features : nest.channels;
  std::array<int64_t, 2> extents = isBackward ? nest.input : nest.output;
  Value zero = b.number(element, 0.0);
  b.forLoop(b.begin, b.end, [&](Value plane) {
    Value image = b.div(plane, nest.groups * computed), channel = b.rem(plane, nest.groups * computed);
    Value firstSummed = b.mul(b.div(channel, computed), summed);
    b.forLoop(extents[0], [&](Value row) {
      b.forLoop(extents[1], [&](Value column) { b.storeResult(zero, {image, channel, row, column}); });
    });
    b.forLoop(summed, [&](Value index) {
      Value other = b.add(firstSummed, index);
      nest.forEachTap(b, [&](Value i, Value j) {
        Value weight = isBackward ? b.loadOperand(1, {other, b.rem(channel, computed), i, j})
                                  : b.loadOperand(1, {channel, index, i, j});
        nest.forEachPosition(b, i, j, [&](Value row, Value column) {
          SmallVector<Value> output{image, isBackward ? other : channel, row, column};
          SmallVector<Value> input{image, isBackward ? channel : other, nest.inputIndex(b, 0, row, i),
                                   nest.inputIndex(b, 1, column, j)};
          const auto &place = isBackward ? input : output, &read = isBackward ? output : input;
          b.storeResult(multiplyAdd(b, b.loadResult(place), b.loadOperand(0, read), weight), place);
        });
      });
    });
  });
}

struct LowerConv final : KernelLoweringOpInterface::ExternalModel<LowerConv, Conv2dOp> {
  int64_t getParallelExtent(Operation *op, ArrayRef<int64_t>) const {
    RankedTensorType type = cast<Conv2dOp>(op).getType();
    return type.getDimSize(0) * type.getDimSize(1);
  }
  void emitKernel(Operation *op, KernelBuilder &b) const {
    auto conv = cast<Conv2dOp>(op);
    ConvNest nest(conv.getWindow(), conv.getInput().getType(), conv.getFilter().getType(), conv.getType());
    emitPlanes(b, nest, /*isBackward=*/false, conv.getType().getElementType());
  }
};

struct LowerConvInputGradient final
    : KernelLoweringOpInterface::ExternalModel<LowerConvInputGradient, Conv2dInputGradientOp> {
  int64_t getParallelExtent(Operation *op, ArrayRef<int64_t>) const {
    RankedTensorType type = cast<Conv2dInputGradientOp>(op).getType();
    return type.getDimSize(0) * type.getDimSize(1);
  }
  void emitKernel(Operation *op, KernelBuilder &b) const {
    auto gradient = cast<Conv2dInputGradientOp>(op);
    ConvNest nest(gradient.getWindow(), gradient.getType(), gradient.getFilter().getType(),
                  gradient.getCotangent().getType());
    emitPlanes(b, nest, /*isBackward=*/true, gradient.getType().getElementType());
  }
};

struct LowerConvFilterGradient final
    : KernelLoweringOpInterface::ExternalModel<LowerConvFilterGradient, Conv2dFilterGradientOp> {
  int64_t getParallelExtent(Operation *op, ArrayRef<int64_t>) const {
    RankedTensorType type = cast<Conv2dFilterGradientOp>(op).getType();
    return type.getDimSize(0) * type.getDimSize(1);
  }
  void emitKernel(Operation *op, KernelBuilder &b) const {
    auto gradient = cast<Conv2dFilterGradientOp>(op);
    ConvNest nest(gradient.getWindow(), gradient.getInput().getType(), gradient.getType(),
                  gradient.getCotangent().getType());
    Value zero = b.number(gradient.getType().getElementType(), 0.0);
    b.forLoop(b.begin, b.end, [&](Value pair) {
      Value feature = b.div(pair, nest.channels), channel = b.rem(pair, nest.channels);
      Value absolute = b.add(b.mul(b.div(feature, nest.features), nest.channels), channel);
      nest.forEachTap(b, [&](Value i, Value j) {
        std::pair<Value, Value> rows = nest.positions(b, 0, i), columns = nest.positions(b, 1, j);
        Value sum = b.forLoop(b.index(0), b.index(nest.batch), zero, [&](Value image, ValueRange sum) {
          return b.forLoop(rows.first, rows.second, sum, [&](Value row, ValueRange sum) {
            return b.forLoop(columns.first, columns.second, sum, [&](Value column, ValueRange sum) {
              Value pixel =
                  b.loadOperand(0, {image, absolute, nest.inputIndex(b, 0, row, i), nest.inputIndex(b, 1, column, j)});
              Value cotangent = b.loadOperand(1, {image, feature, row, column});
              return SmallVector<Value>{multiplyAdd(b, sum[0], pixel, cotangent)};
            });
          });
        })[0];
        b.storeResult(sum, {feature, channel, i, j});
      });
    });
  }
};

//===----------------------------------------------------------------------===//
// Matrix products
//===----------------------------------------------------------------------===//

struct LowerMatmul final : KernelLoweringOpInterface::ExternalModel<LowerMatmul, MatmulOp> {
  int64_t getParallelExtent(Operation *op, ArrayRef<int64_t>) const {
    RankedTensorType type = cast<MatmulOp>(op).getType();
    return type.getNumElements() / std::max<int64_t>(1, type.getShape().back());
  }
  void emitKernel(Operation *op, KernelBuilder &b) const {
    auto matmul = cast<MatmulOp>(op);
    RankedTensorType type = matmul.getType();
    auto lhs = cast<RankedTensorType>(matmul.getLhs().getType()),
         rhs = cast<RankedTensorType>(matmul.getRhs().getType());
    int64_t rank = type.getRank(), columns = type.getShape().back();
    int64_t depth = lhs.getShape()[matmul.getTransposeA() ? rank - 2 : rank - 1];
    Value zero = b.number(type.getElementType(), 0.0);
    // Rows of the result, batches included.
    b.forLoop(b.begin, b.end, [&](Value linear) {
      SmallVector<Value> outer(rank - 1);
      for (int64_t dim = rank - 2; dim >= 0; --dim) {
        outer[dim] = b.rem(linear, type.getDimSize(dim));
        linear = b.div(linear, type.getDimSize(dim));
      }
      ValueRange batch = ValueRange(outer).drop_back();
      auto element = [&](unsigned operand, Value row, Value column, bool transposed) {
        SmallVector<Value> place;
        if (operand == 0 || rhs.getRank() == rank)
          llvm::append_range(place, batch);
        place.push_back(transposed ? column : row);
        place.push_back(transposed ? row : column);
        return b.loadOperand(operand, place);
      };
      auto place = [&](Value column) {
        SmallVector<Value> result(outer);
        result.push_back(column);
        return result;
      };
      Value row = outer.back();
      if (matmul.getTransposeB()) { // rows of both operands are contiguous along the contracted dimension
        b.forLoop(columns, [&](Value column) {
          Value sum = b.forLoop(b.index(0), b.index(depth), zero, [&](Value k, ValueRange sum) {
            return SmallVector<Value>{multiplyAdd(b, sum[0], element(0, row, k, matmul.getTransposeA()),
                                                  element(1, k, column, /*transposed=*/true))};
          })[0];
          b.storeResult(sum, place(column));
        });
        return;
      }
      b.forLoop(columns, [&](Value column) { b.storeResult(zero, place(column)); });
      b.forLoop(depth, [&](Value k) {
        Value factor = element(0, row, k, matmul.getTransposeA());
        b.forLoop(columns, [&](Value column) {
          Value sum = multiplyAdd(b, b.loadResult(place(column)), factor, element(1, k, column, /*transposed=*/false));
          b.storeResult(sum, place(column));
        });
      });
    });
  }
};

} // namespace

void espalier::cg::attachContractionModels(MLIRContext *context) {
  Conv2dOp::attachInterface<LowerConv>(*context);
  Conv2dInputGradientOp::attachInterface<LowerConvInputGradient>(*context);
  Conv2dFilterGradientOp::attachInterface<LowerConvFilterGradient>(*context);
  MatmulOp::attachInterface<LowerMatmul>(*context);
}
