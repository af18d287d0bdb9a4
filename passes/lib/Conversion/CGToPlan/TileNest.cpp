//===- TileNest.cpp - contractions as loops around register tiles ---------===//

#include "TileNest.h"

#include "espalier/Conversion/CGToPlan/Contraction.h"
#include "espalier/Dialect/Plan/IR/PlanDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <map>

using namespace mlir;
using namespace espalier;
using namespace espalier::cg;

/// Positions times taps of one dimension, which are enumerated.
static constexpr int64_t maxEnumerated = 1 << 20;
/// Nests of one row: each becomes code of its own.
static constexpr size_t maxClasses = 48;
/// Channels from which on loading and storing sums for each tap costs little.
static constexpr int64_t minChannelsByTap = 32;
/// Features of one iteration: the filters of a block stay in the second-level cache while its rows are computed.
static constexpr int64_t maxFeatureBlock = 128, minFeatureBlock = 32;
/// Columns of one iteration where rows can be cut at will.
static constexpr int64_t maxRow = 64, minRow = 8;
/// Filters of one iteration of a filter gradient.
static constexpr int64_t maxGradientBlock = 12;
/// Bytes of the sums that an iteration keeps on the stack.
static constexpr int64_t maxStackBytes = 128 * 1024;

static RankedTensorType getTensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The largest divisor of `extent` from `low` to `high` that `multiple` divides; 0 where there is none.
static int64_t findDivisor(int64_t extent, int64_t low, int64_t high, int64_t multiple = 1) {
  for (int64_t divisor = std::min(extent, high); divisor >= low; --divisor)
    if (extent % divisor == 0 && divisor % multiple == 0)
      return divisor;
  return 0;
}

//===----------------------------------------------------------------------===//
// Taps
//===----------------------------------------------------------------------===//

std::optional<int64_t> TapMap::read(int64_t position, int64_t tap) const {
  int64_t index = backward ? position + pad - tap * dilation : position * stride + tap * dilation - pad;
  if (index < 0 || (backward && index % stride != 0))
    return std::nullopt;
  if (backward)
    index /= stride;
  return index < source ? std::optional(index) : std::nullopt;
}

bool TapMap::readsAlways() const {
  for (int64_t position = 0; position < extent; ++position)
    for (int64_t tap = 0; tap < taps; ++tap)
      if (!read(position, tap))
        return false;
  return true;
}

std::pair<Value, Value> TapMap::read(KernelBuilder &b, Value position, Value tap) const {
  if (!backward) {
    Value index = b.add(b.add(b.mul(position, stride), b.mul(tap, dilation)), -pad);
    return {index, b.inRange(index, b.index(0), b.index(source))};
  }
  Value index = b.sub(b.add(position, pad), b.mul(tap, dilation));
  Value valid = b.inRange(index, b.index(0), b.index(source * stride));
  if (stride != 1)
    valid = b.both(valid, b.compare(arith::CmpIPredicate::eq, b.rem(index, stride), b.index(0)));
  return {b.div(index, stride), valid};
}

/// Groups the positions of a dimension, forwards, by the taps that they read by.
static std::vector<TapClass> groupByTaps(const TapMap &map) {
  std::map<SmallVector<int64_t>, SmallVector<int64_t>> positions;
  for (int64_t position = 0; position < map.extent; ++position) {
    SmallVector<int64_t> taps;
    for (int64_t tap = 0; tap < map.taps; ++tap)
      if (map.read(position, tap))
        taps.push_back(tap);
    if (!taps.empty())
      positions[taps].push_back(position);
  }
  std::vector<TapClass> classes;
  for (const auto &[taps, members] : positions) {
    TapClass item;
    item.first = members.front();
    item.count = static_cast<int64_t>(members.size());
    item.firstTap = taps.front();
    item.taps = static_cast<int64_t>(taps.size());
    item.source = *map.read(item.first, item.firstTap);
    if (item.count > 1) {
      item.step = members[1] - members[0];
      item.sourceStep = *map.read(members[1], item.firstTap) - item.source;
    }
    if (item.taps > 1) {
      item.tapStep = taps[1] - taps[0];
      item.sourceTapStep = *map.read(item.first, taps[1]) - item.source;
    }
    classes.push_back(item);
  }
  return classes;
}

/// The positions that read by one tap, if any: all forwards, every `stride`-th backwards, up to the borders.
static std::optional<TapClass> findPositions(const TapMap &map, int64_t tap) {
  TapClass item;
  item.firstTap = tap;
  item.taps = 1;
  int64_t previous = 0;
  for (int64_t position = 0; position < map.extent; ++position) {
    std::optional<int64_t> source = map.read(position, tap);
    if (!source)
      continue;
    if (item.count == 0) {
      item.first = position;
      item.source = *source;
    } else if (item.count == 1) {
      item.step = position - previous;
      item.sourceStep = *source - item.source;
    }
    previous = position;
    ++item.count;
  }
  return item.count > 0 ? std::optional(item) : std::nullopt;
}

//===----------------------------------------------------------------------===//
// Analysis
//===----------------------------------------------------------------------===//

std::optional<TileNest> TileNest::analyze(Operation *op, ArrayRef<StridedAccess> operands, const StridedAccess &result,
                                          std::string &why) {
  TileNest nest;
  nest.stored = getTensorType(op->getResult(0)).getElementType();
  nest.element = getScalarType(nest.stored);
  if (llvm::any_of(op->getOperands().take_front(2), [&](Value operand) {
        return getScalarType(getTensorType(operand).getElementType()) != nest.element;
      })) {
    why = "tiles sum in f32 or in f64";
    return std::nullopt;
  }
  for (Type type : llvm::concat<const Type>(op->getOperandTypes(), op->getResultTypes()))
    if (cast<RankedTensorType>(type).getNumElements() == 0) {
      why = "a tensor has no elements";
      return std::nullopt;
    }
  if (isa<MatmulOp>(op)) {
    if (!nest.analyzeMatmul(op, operands, result, why))
      return std::nullopt;
  } else {
    nest.analyzeConvolution(op, operands, result);
  }
  if (!nest.checkStrides(why) || !nest.findClasses(why))
    return std::nullopt;
  nest.chooseBlocks();
  if (!nest.fitSumsOnStack(why))
    return std::nullopt;
  return nest;
}

std::optional<TileNest> TileNest::analyze(Operation *op, std::string &why) {
  auto isImage = [&](unsigned operand) { return operand == 0 || isa<Conv2dFilterGradientOp>(op); };
  auto place = [&](Value value, ArrayRef<int64_t> order) {
    return StridedAccess{nullptr, 0, getStrides(getTensorType(value).getShape(), order)};
  };
  constexpr int64_t channelsLast[] = {0, 2, 3, 1};
  bool isConvolution = !isa<MatmulOp>(op);
  SmallVector<int64_t> packed = getPackedOrder(op);
  SmallVector<StridedAccess> operands;
  for (unsigned i : {0u, 1u})
    operands.push_back(place(op->getOperand(i), isConvolution && isImage(i) ? ArrayRef<int64_t>(channelsLast)
                                                : i == 1                    ? ArrayRef<int64_t>(packed)
                                                                            : ArrayRef<int64_t>()));
  bool isImageResult = isConvolution && !isa<Conv2dFilterGradientOp>(op);
  return analyze(op, operands,
                 place(op->getResult(0), isImageResult ? ArrayRef<int64_t>(channelsLast) : ArrayRef<int64_t>()), why);
}

SmallVector<int64_t> TileNest::getPackedOrder(Operation *op) {
  if (auto matmul = dyn_cast<MatmulOp>(op)) {
    SmallVector<int64_t> order;
    llvm::append_range(order, llvm::seq<int64_t>(0, getTensorType(matmul.getRhs()).getRank()));
    if (matmul.getTransposeB())
      std::swap(order[order.size() - 1], order[order.size() - 2]);
    return order;
  }
  if (isa<Conv2dOp>(op))
    return {2, 3, 1, 0};
  if (isa<Conv2dInputGradientOp>(op)) {
    bool hasOneChannel = getTensorType(op->getOperand(1)).getDimSize(1) == 1;
    return hasOneChannel ? SmallVector<int64_t>{2, 3, 1, 0} : SmallVector<int64_t>{2, 3, 0, 1};
  }
  return {}; // a filter gradient has no filter
}

/// The one stride of several dimensions, outermost first, when they can be walked as one; nothing where they cannot.
static std::optional<int64_t> collapse(ArrayRef<int64_t> shape, ArrayRef<int64_t> strides) {
  std::optional<int64_t> inner, next;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 1)
      continue;
    if (next && *next != strides[i])
      return std::nullopt;
    if (!inner)
      inner = strides[i];
    next = strides[i] * shape[i];
  }
  return inner.value_or(0);
}

bool TileNest::analyzeMatmul(Operation *op, ArrayRef<StridedAccess> operands, const StridedAccess &result,
                             std::string &why) {
  auto matmul = cast<MatmulOp>(op);
  isMatmul = true;
  ArrayRef<int64_t> shape = matmul.getType().getShape(), left = getTensorType(matmul.getLhs()).getShape();
  size_t rank = shape.size(), rightRank = getTensorType(matmul.getRhs()).getShape().size();
  batchShape = shape.drop_back(2);
  bool isShared = rightRank < rank; // one right operand for all batches
  auto batchStride = [&](const StridedAccess &access) {
    return collapse(batchShape, ArrayRef(access.strides).drop_back(2));
  };
  std::optional<int64_t> leftBatch = batchStride(operands[0]), outBatch = batchStride(result),
                         rightBatch = isShared ? std::optional<int64_t>(0) : batchStride(operands[1]);
  if (left.size() != rank || !leftBatch || !outBatch || !rightBatch) {
    why = "the dimensions of the batch do not lie next to each other";
    return false;
  }
  for (int64_t extent : batchShape)
    batch *= extent;
  size_t row = rank - 2, column = rank - 1;
  const auto &a = operands[0].strides, &c = result.strides;
  bool ta = matmul.getTransposeA(), tb = matmul.getTransposeB();
  channels = left[ta ? row : column];
  features = shape[column];
  // All rows of the product are one row of pixels, which `chooseBlocks` cuts.
  columns.extent = columns.source = width = shape[row];
  in = {*leftBatch, 0, a[ta ? column : row], a[ta ? row : column]};
  out = {*outBatch, 0, c[row], c[column]};
  ArrayRef<int64_t> r = ArrayRef<int64_t>(operands[1].strides).take_back(2);
  filter = {*rightBatch, 0, 0, 0, r[tb ? 1 : 0], r[tb ? 0 : 1]};
  return true;
}

void TileNest::analyzeConvolution(Operation *op, ArrayRef<StridedAccess> operands, const StridedAccess &result) {
  WindowAttrs window = getConvolutionWindow(op);
  isFilterGradient = isa<Conv2dFilterGradientOp>(op);
  bool isBackward = isa<Conv2dInputGradientOp>(op);
  // The three tensors of the convolution, whichever of them is computed.
  Value image = isBackward ? op->getResult(0) : op->getOperand(0);
  Value weights = isFilterGradient ? op->getResult(0) : op->getOperand(1);
  Value output = isFilterGradient ? op->getOperand(1) : isBackward ? op->getOperand(0) : op->getResult(0);
  const StridedAccess &imageAt = isBackward ? result : operands[0],
                      &weightsAt = isFilterGradient ? result : operands[1],
                      &outputAt = isFilterGradient ? operands[1]
                                  : isBackward     ? operands[0]
                                                   : result;
  auto strides = [](const StridedAccess &access) {
    return ImageStrides{access.strides[0], access.strides[2], access.strides[3], access.strides[1]};
  };
  ArrayRef<int64_t> imageShape = getTensorType(image).getShape(), outputShape = getTensorType(output).getShape();
  ArrayRef<int64_t> weightsShape = getTensorType(weights).getShape();
  for (auto [dim, map] : {std::pair(0u, &rows), std::pair(1u, &columns)}) {
    map->extent = isBackward ? imageShape[2 + dim] : outputShape[2 + dim];
    map->source = isBackward ? outputShape[2 + dim] : imageShape[2 + dim];
    map->taps = weightsShape[2 + dim];
    map->stride = window.strides[dim];
    map->dilation = window.dilations[dim];
    map->pad = window.padBefore(dim);
    map->backward = isBackward;
  }
  batch = imageShape[0];
  groups = window.groups;
  int64_t imageChannels = weightsShape[1], outputChannels = weightsShape[0] / groups;
  const auto &w = weightsAt.strides;
  in = strides(isBackward ? outputAt : imageAt);
  out = strides(isBackward ? imageAt : outputAt);
  channels = isBackward ? outputChannels : imageChannels;
  features = isBackward ? imageChannels : outputChannels;
  filter = {0, outputChannels * w[0], w[2], w[3], isBackward ? w[0] : w[1], isBackward ? w[1] : w[0]};
  width = columns.extent;
  if (groups > 1 && imageChannels == 1 && outputChannels == 1) {
    isDepthwise = true;
    features = groups;
    groups = 1;
    filter.feature = w[0];
  }
}

bool TileNest::checkStrides(std::string &why) const {
  auto isContiguous = [](int64_t extent, int64_t stride) { return extent == 1 || stride == 1; };
  if (isFilterGradient) {
    if (isContiguous(isDepthwise ? features : channels, in.channel) && (!isDepthwise || out.channel == 1))
      return true;
    why = "the channels of an image are not contiguous in memory";
    return false;
  }
  if (!isContiguous(features, out.channel))
    why = "the channels of the result are not contiguous in memory";
  else if (isDepthwise && in.channel != 1)
    why = "the channels of the input are not contiguous in memory";
  else if (!isContiguous(features, filter.feature))
    why = "the features of the filter are not contiguous in memory";
  return why.empty();
}

bool TileNest::findClasses(std::string &why) {
  for (const TapMap *map : {&rows, &columns})
    if (map->extent > maxEnumerated / map->taps) {
      why = "an image row has too many positions and taps";
      return false;
    }
  if (isFilterGradient)
    return columns.taps <= static_cast<int64_t>(maxClasses) || (why = "a filter row has too many taps", false);
  if (!columns.backward)
    classes = groupByTaps(columns);
  // Tap by tap, the borders of a row need no narrow nests of their own, but sums are loaded and stored for each.
  // Backwards there is no choice: a step over taps would go down in one of the operands, and strides do not.
  if (columns.backward || (classes.size() > 1 && channels >= minChannelsByTap)) {
    classes.clear();
    for (int64_t tap = 0; tap < columns.taps; ++tap)
      if (std::optional<TapClass> item = findPositions(columns, tap))
        classes.push_back(*item);
  }
  return classes.size() <= maxClasses || (why = "the borders of a row differ in too many ways", false);
}

void TileNest::chooseBlocks() {
  if (isFilterGradient) {
    int64_t block = isDepthwise ? 0 : findDivisor(features, 1, maxGradientBlock);
    featureBlock = block > 0 ? block : features;
    return;
  }
  featureBlock = features;
  if (features > maxFeatureBlock)
    for (int64_t multiple : {16, 8, 1})
      if (int64_t block = findDivisor(features, minFeatureBlock, maxFeatureBlock, multiple)) {
        featureBlock = block;
        break;
      }
  // Where pixels are independent, rows are cut for balance: wide ones for threads, narrow ones are joined for tiles.
  bool isPointwise = rows.taps == 1 && columns.taps == 1 && classes.size() == 1 && classes[0].count == columns.extent &&
                     classes[0].source == 0 && classes[0].sourceStep == 1 && classes[0].step == 1 &&
                     rows.readsAlways() && rows.stride == 1 && rows.pad == 0;
  bool isOneRow = rows.extent == 1 || (in.row == width * in.column && out.row == width * out.column);
  if (!isPointwise || !isOneRow)
    return;
  int64_t pixels = rows.extent * columns.extent, row = pixels <= maxRow ? pixels : findDivisor(pixels, minRow, maxRow);
  if (row == 0)
    return;
  rows.extent = rows.source = pixels / row;
  columns.extent = columns.source = row;
  classes = groupByTaps(columns);
  in.row = row * in.column;
  out.row = row * out.column;
}

/// Makes blocks of features smaller where they must be.
bool TileNest::fitSumsOnStack(std::string &why) {
  if (!isFilterGradient && stored == element)
    return true; // they are summed up in the result
  int64_t ofFeature = (isFilterGradient ? channels : columns.extent) * (element.getIntOrFloatBitWidth() / 8);
  int64_t block = findDivisor(features, 1, std::min(featureBlock, maxStackBytes / ofFeature));
  if (block == 0) {
    why = "the sums of one iteration do not fit on the stack";
    return false;
  }
  featureBlock = block;
  return true;
}

int64_t TileNest::getParallelExtent() const {
  int64_t blocks = groups * (features / featureBlock);
  return isFilterGradient ? blocks * rows.taps : blocks * batch * rows.extent;
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

/// `offset + sum of index * stride`
static Value getOffset(KernelBuilder &b, int64_t offset, ArrayRef<std::pair<Value, int64_t>> terms) {
  Value sum = b.index(offset);
  for (auto [index, stride] : terms)
    if (stride != 0)
      sum = b.add(sum, b.mul(index, stride));
  return sum;
}

static Value slice(KernelBuilder &b, Value memory, Value offset, ArrayRef<int64_t> shape, ArrayRef<int64_t> strides) {
  auto layout = StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic, strides);
  auto type = MemRefType::get(shape, cast<MemRefType>(memory.getType()).getElementType(), layout);
  SmallVector<OpFoldResult> sizes = getAsIndexOpFoldResult(b.getContext(), shape);
  return b.create<memref::ReinterpretCastOp>(type, memory, OpFoldResult(offset), sizes,
                                             getAsIndexOpFoldResult(b.getContext(), strides));
}

/// Splits an index into one for each extent, the last of which runs fastest.
static SmallVector<Value> delinearize(KernelBuilder &b, Value index, ArrayRef<int64_t> extents) {
  SmallVector<Value> result(extents.size());
  for (size_t i = extents.size(); i-- > 0;) {
    bool isLast = i == 0;
    result[i] = extents[i] == 1 ? b.index(0) : isLast ? index : b.rem(index, extents[i]);
    if (extents[i] != 1)
      index = b.div(index, extents[i]);
  }
  return result;
}

/// `out += lhs * rhs`; a map lists the loops that an operand's dimensions follow.
static void emitTile(KernelBuilder &b, Value lhs, Value rhs, Value out, ArrayRef<ArrayRef<unsigned>> maps,
                     unsigned numLoops, unsigned numReductions) {
  SmallVector<AffineMap> indexing;
  for (ArrayRef<unsigned> dims : maps)
    indexing.push_back(AffineMap::getMultiDimMapWithTargets(numLoops, dims, b.getContext()));
  SmallVector<utils::IteratorType> iterators(numLoops - numReductions, utils::IteratorType::parallel);
  iterators.append(numReductions, utils::IteratorType::reduction);
  auto generic = b.create<linalg::GenericOp>(
      ValueRange{lhs, rhs}, ValueRange{out}, indexing, iterators,
      [](OpBuilder &builder, Location loc, ValueRange arguments) {
        KernelBuilder scalar(loc, builder);
        Value product = arith::MulFOp::create(builder, loc, scalar.widen(arguments[0]), scalar.widen(arguments[1]));
        linalg::YieldOp::create(builder, loc, arith::AddFOp::create(builder, loc, arguments[2], product).getResult());
      });
  generic->setAttr(plan::tileAttrName, b.getUnitAttr());
}

static void emitZero(KernelBuilder &b, Value memory, Type element) {
  b.create<linalg::FillOp>(b.number(element, 0.0), memory);
}

/// The body under a condition, or always where there is none.
static void emitIf(KernelBuilder &b, Value condition, function_ref<void()> body) {
  if (!condition)
    return body();
  auto branch = b.create<scf::IfOp>(condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
}

void TileNest::emit(KernelBuilder &b, ArrayRef<StridedAccess> operands, const StridedAccess &result,
                    Finish finish) const {
  if (isFilterGradient)
    emitFilterGradient(b, operands, result);
  else
    emitSums(b, operands, result, finish);
}

SmallVector<Value> TileNest::getPosition(KernelBuilder &b, Value image, Value row, Value column, Value feature) const {
  Value pixel = columns.extent == width ? Value() : b.add(b.mul(row, columns.extent), column);
  if (isMatmul) {
    SmallVector<Value> position = delinearize(b, image, batchShape);
    position.push_back(pixel ? pixel : column);
    position.push_back(feature);
    return position;
  }
  if (!pixel)
    return {image, feature, row, column};
  return {image, feature, b.div(pixel, width), b.rem(pixel, width)};
}

void TileNest::emitSums(KernelBuilder &b, ArrayRef<StridedAccess> operands, const StridedAccess &result,
                        Finish finish) const {
  const StridedAccess &input = operands[0], &weights = operands[1];
  bool readsAlways = rows.readsAlways();
  int64_t inputStride = isDepthwise || channels == 1 ? 1 : in.channel;
  // Sums that are wider than the result have memory of their own.
  Value sums = result.memory;
  int64_t sumStride = out.column;
  if (needsFinish()) {
    sumStride = featureBlock;
    sums = b.create<memref::AllocaOp>(MemRefType::get({columns.extent * featureBlock}, element),
                                      b.getI64IntegerAttr(plan::placeAlignment));
  }
  b.forLoop(b.begin, b.end, [&](Value item) {
    // Rows run fastest, so that a thread keeps the filters of its block.
    SmallVector<Value> index = delinearize(b, item, {batch, groups, features / featureBlock, rows.extent});
    Value image = index[0], group = index[1], row = index[3];
    Value blockStart = b.mul(index[2], featureBlock), firstFeature = b.add(b.mul(group, features), blockStart);
    Value firstChannel = isDepthwise ? firstFeature : b.mul(group, channels);
    Value sumRow = needsFinish()
                       ? b.index(0)
                       : getOffset(b, result.offset, {{image, out.batch}, {row, out.row}, {firstFeature, out.channel}});
    emitZero(b, slice(b, sums, sumRow, {columns.extent, featureBlock}, {sumStride, 1}), element);
    b.forLoop(rows.taps, [&](Value tap) {
      auto [source, valid] = rows.read(b, row, tap);
      Value inputRow = getOffset(b, input.offset, {{image, in.batch}, {source, in.row}, {firstChannel, in.channel}});
      Value filterRow =
          getOffset(b, weights.offset,
                    {{image, filter.batch}, {group, filter.group}, {tap, filter.row}, {blockStart, filter.feature}});
      emitIf(b, readsAlways ? Value() : valid, [&] {
        for (const TapClass &c : classes) {
          Value to =
              slice(b, sums, b.add(sumRow, c.first * sumStride), {c.count, featureBlock}, {c.step * sumStride, 1});
          Value inputAt = b.add(inputRow, c.source * in.column),
                filterAt = b.add(filterRow, c.firstTap * filter.column);
          int64_t step = c.sourceStep * in.column, tapStep = c.sourceTapStep * in.column;
          int64_t filterStep = c.tapStep * filter.column;
          if (isDepthwise) {
            Value from = slice(b, input.memory, inputAt, {c.count, c.taps, featureBlock}, {step, tapStep, 1});
            Value by = slice(b, weights.memory, filterAt, {c.taps, featureBlock}, {filterStep, 1});
            emitTile(b, from, by, to, {{0, 2, 1}, {2, 1}, {0, 1}}, 3, 1);
          } else {
            Value from = slice(b, input.memory, inputAt, {c.count, c.taps, channels}, {step, tapStep, inputStride});
            Value by =
                slice(b, weights.memory, filterAt, {c.taps, channels, featureBlock}, {filterStep, filter.channel, 1});
            emitTile(b, from, by, to, {{0, 2, 3}, {2, 3, 1}, {0, 1}}, 4, 2);
          }
        }
      });
    });
    if (!finish)
      return;
    b.forLoop(columns.extent, [&](Value column) {
      b.forLoop(featureBlock, [&](Value feature) {
        Value at = b.add(b.add(sumRow, b.mul(column, sumStride)), feature);
        finish(getPosition(b, image, row, column, b.add(firstFeature, feature)), b.create<memref::LoadOp>(sums, at));
      });
    });
  });
}

void TileNest::emitFilterGradient(KernelBuilder &b, ArrayRef<StridedAccess> operands,
                                  const StridedAccess &result) const {
  const StridedAccess &input = operands[0], &cotangent = operands[1];
  bool readsAlways = rows.readsAlways();
  // The sums of a block of filters for one tap: what a filter stores side by side, its taps, is no vector.
  int64_t inner = isDepthwise ? featureBlock : channels, numFilters = isDepthwise ? 1 : featureBlock;
  SmallVector<int64_t> shape = isDepthwise ? SmallVector<int64_t>{inner} : SmallVector<int64_t>{featureBlock, inner};
  Value sums = b.create<memref::AllocaOp>(MemRefType::get(shape, element), b.getI64IntegerAttr(plan::placeAlignment));
  b.forLoop(b.begin, b.end, [&](Value item) {
    SmallVector<Value> index = delinearize(b, item, {groups, features / featureBlock, rows.taps});
    Value group = index[0], blockStart = b.mul(index[1], featureBlock), tap = index[2];
    Value firstFeature = b.add(b.mul(group, features), blockStart);
    Value firstChannel = isDepthwise ? firstFeature : b.mul(group, channels);
    for (int64_t columnTap = 0; columnTap < columns.taps; ++columnTap) {
      emitZero(b, sums, element);
      if (std::optional<TapClass> positions = findPositions(columns, columnTap)) {
        const TapClass &c = *positions;
        b.forLoop(batch, [&](Value image) {
          b.forLoop(rows.extent, [&](Value row) {
            auto [source, valid] = rows.read(b, row, tap);
            Value inputAt = getOffset(b, input.offset + c.source * in.column,
                                      {{image, in.batch}, {source, in.row}, {firstChannel, in.channel}});
            Value cotangentAt = getOffset(b, cotangent.offset + c.first * out.column,
                                          {{image, out.batch}, {row, out.row}, {firstFeature, out.channel}});
            emitIf(b, readsAlways ? Value() : valid, [&] {
              Value from = slice(b, input.memory, inputAt, {c.count, inner}, {c.sourceStep * in.column, 1});
              SmallVector<int64_t> strides{c.step * out.column, isDepthwise ? 1 : out.channel};
              Value by = slice(b, cotangent.memory, cotangentAt, {c.count, featureBlock}, strides);
              if (isDepthwise)
                emitTile(b, from, by, sums, {{1, 0}, {1, 0}, {0}}, 2, 1);
              else
                emitTile(b, from, by, sums, {{2, 1}, {2, 0}, {0, 1}}, 3, 1);
            });
          });
        });
      }
      Value resultAt = getOffset(b, result.offset + columnTap * filter.column,
                                 {{group, filter.group}, {blockStart, filter.feature}, {tap, filter.row}});
      b.forLoop(numFilters, [&](Value feature) {
        b.forLoop(inner, [&](Value channel) {
          Value sum = b.create<memref::LoadOp>(sums, isDepthwise ? SmallVector<Value>{channel}
                                                                 : SmallVector<Value>{feature, channel});
          Value at = b.add(resultAt, b.mul(feature, filter.feature));
          at = b.add(at, b.mul(channel, isDepthwise ? filter.feature : filter.channel));
          b.create<memref::StoreOp>(b.narrow(sum, stored), result.memory, at);
        });
      });
    }
  });
}
