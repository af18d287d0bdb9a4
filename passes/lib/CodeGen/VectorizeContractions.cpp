//===- VectorizeContractions.cpp - Register tiles of matmul and conv ------===//
//
// A contraction is `out[...] += lhs[...] * rhs[...]`. One parallel loop, along which the output is contiguous, becomes
// vectors; a second one is unrolled, so that a loaded vector is used several times; the tile of accumulators they span
// stays in registers over all reduction loops. Shapes are static: what a tile leaves over at the end of a loop is a
// smaller tile of its own, not a mask.
//
//===----------------------------------------------------------------------===//

#include "espalier/CodeGen/Passes.h"
#include "espalier/Dialect/Plan/IR/PlanDialect.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace espalier::codegen {
#define GEN_PASS_DEF_VECTORIZECONTRACTIONS
#include "espalier/CodeGen/Passes.h.inc"
} // namespace espalier::codegen

using namespace mlir;
using namespace espalier;

namespace {

/// How an operand moves with a loop.
enum class Step { Still, Contiguous, Other };

Step getStep(linalg::LinalgOp op, OpOperand &operand, unsigned dim) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  if (!map.isFunctionOfDim(dim))
    return Step::Still;
  if (llvm::any_of(map.getResults().drop_back(), [&](AffineExpr result) { return result.isFunctionOfDim(dim); }))
    return Step::Other;
  // The last index may be a sum, as in a filter that is packed by blocks of channels.
  AffineExpr last = map.getResults().back(), iv = getAffineDimExpr(dim, op->getContext());
  AffineExpr advance = simplifyAffineExpr(last.replace(iv, iv + 1) - last, map.getNumDims(), 0);
  bool isUnit = advance == getAffineConstantExpr(1, op->getContext());
  return isUnit && cast<MemRefType>(operand.get().getType()).isLastDimUnitStride() ? Step::Contiguous : Step::Other;
}

/// Whether the body is `out + lhs * rhs` on f32 or f64; inputs may be narrower, and are extended.
bool isMultiplyAccumulate(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || op->getNumResults() != 0)
    return false;
  Block &body = *op.getBlock();
  Type element = body.getArgument(2).getType();
  auto isExtension = [](Operation &nested) { return isa<arith::ExtFOp>(nested); };
  if (!(element.isF32() || element.isF64()) || llvm::range_size(body) != 3 + llvm::count_if(body, isExtension))
    return false;
  auto sum = body.getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!sum)
    return false;
  Value accumulator = body.getArgument(2);
  Value other = sum.getLhs() == accumulator ? sum.getRhs() : sum.getLhs();
  auto product = other.getDefiningOp<arith::MulFOp>();
  if (!product || (sum.getLhs() != accumulator && sum.getRhs() != accumulator))
    return false;
  auto extended = [](Value argument) -> Value {
    auto extension = argument.hasOneUse() ? dyn_cast<arith::ExtFOp>(*argument.user_begin()) : arith::ExtFOp();
    return extension ? extension.getOut() : argument;
  };
  Value lhs = extended(body.getArgument(0)), rhs = extended(body.getArgument(1));
  return (product.getLhs() == lhs && product.getRhs() == rhs) || (product.getLhs() == rhs && product.getRhs() == lhs);
}

struct Tile {
  unsigned vectorDim;
  std::optional<unsigned> unrollDim;
  int64_t numVectors; ///< of full width, side by side along vectorDim
  int64_t unroll;     ///< iterations of unrollDim
};

/// How many iterations to unroll: at most `limit`, as evenly as that goes.
int64_t chooseUnroll(int64_t extent, int64_t limit) {
  int64_t tiles = llvm::divideCeil(extent, std::max<int64_t>(limit, 1));
  return llvm::divideCeil(extent, tiles);
}

std::optional<Tile> chooseTile(linalg::LinalgOp op, ArrayRef<int64_t> extents, int64_t lanes, int64_t registers) {
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  OpOperand &lhs = *op.getDpsInputOperand(0), &rhs = *op.getDpsInputOperand(1), &out = *op.getDpsInitOperand(0);
  std::optional<Tile> tile;
  for (unsigned dim = 0; dim < extents.size(); ++dim) {
    Step left = getStep(op, lhs, dim), right = getStep(op, rhs, dim);
    if (linalg::isParallelIterator(iterators[dim]) && getStep(op, out, dim) == Step::Contiguous &&
        left != Step::Other && right != Step::Other && (left == Step::Contiguous || right == Step::Contiguous))
      tile = Tile{dim, std::nullopt, 1, 1};
  }
  if (!tile)
    return std::nullopt;

  // Unroll the longest loop along which a loaded vector stays the same.
  auto isReused = [&](OpOperand &operand, unsigned dim) {
    return getStep(op, operand, tile->vectorDim) == Step::Contiguous && getStep(op, operand, dim) == Step::Still;
  };
  for (unsigned dim = 0; dim < extents.size(); ++dim)
    if (linalg::isParallelIterator(iterators[dim]) && (isReused(lhs, dim) || isReused(rhs, dim)) &&
        (!tile->unrollDim || extents[dim] > extents[*tile->unrollDim]))
      tile->unrollDim = dim;
  // Three quarters of the registers accumulate; the rest holds the vectors that are being multiplied.
  int64_t accumulators = registers * 3 / 4;
  int64_t maxVectors = registers >= 32 ? 4 : 2;
  tile->numVectors = std::min<int64_t>(maxVectors, std::max<int64_t>(1, extents[tile->vectorDim] / lanes));
  if (tile->unrollDim)
    tile->unroll = chooseUnroll(extents[*tile->unrollDim], accumulators / tile->numVectors);
  return tile;
}

/// Emits the loops of one contraction.
class Emitter {
public:
  Emitter(OpBuilder &builder, linalg::LinalgOp op, ArrayRef<int64_t> extents, const Tile &tile, int64_t lanes)
      : b(op->getLoc(), builder), op(op), extents(extents), tile(tile), lanes(lanes),
        element(op.getBlock()->getArgument(2).getType()), position(extents.size()) {}

  void emit() {
    SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
    // The larger input is read once: the loops that move it go outside.
    OpOperand &larger = getLargerInput();
    SmallVector<unsigned> inner;
    for (unsigned dim = 0; dim < extents.size(); ++dim) {
      if (dim == tile.unrollDim)
        continue;
      if (!linalg::isParallelIterator(iterators[dim]))
        reductions.push_back(dim);
      else
        (getStep(op, larger, dim) == Step::Still ? inner : outer).push_back(dim);
    }
    llvm::append_range(outer, inner);
    emitOuter(0, {});
  }

private:
  /// Vectors of a tile along vectorDim: offset and width of each.
  using Lanes = SmallVector<std::pair<int64_t, int64_t>>;

  Value constant(int64_t value) { return arith::ConstantIndexOp::create(b, value); }

  OpOperand &getLargerInput() {
    OpOperand *lhs = op.getDpsInputOperand(0), *rhs = op.getDpsInputOperand(1);
    auto size = [](OpOperand *operand) { return cast<MemRefType>(operand->get().getType()).getNumElements(); };
    return size(lhs) >= size(rhs) ? *lhs : *rhs;
  }

  /// The parallel loops but for the unrolled one. Their number is that of dimensions, a handful.
  void emitOuter(size_t depth, const Lanes &split) {
    if (depth == outer.size())
      return emitUnrolled(split);
    unsigned dim = outer[depth];
    if (dim == tile.vectorDim)
      return emitVectors(depth);
    forEach(0, extents[dim], 1, [&](Value iv) {
      position[dim] = iv;
      emitOuter(depth + 1, split);
    });
  }

  void emitVectors(size_t depth) {
    int64_t width = tile.numVectors * lanes, extent = extents[tile.vectorDim], full = extent / width * width;
    auto emitTileAt = [&](Value begin, int64_t count) {
      position[tile.vectorDim] = begin;
      Lanes split;
      for (int64_t offset = 0; offset < count; offset += lanes)
        split.push_back({offset, std::min(lanes, count - offset)});
      emitOuter(depth + 1, split);
    };
    forEach(0, full, width, [&](Value iv) { emitTileAt(iv, width); });
    if (full != extent)
      emitTileAt(constant(full), extent - full);
  }

  void emitUnrolled(const Lanes &split) {
    if (!tile.unrollDim)
      return emitTile(split, 1);
    int64_t extent = extents[*tile.unrollDim], full = extent / tile.unroll * tile.unroll;
    auto emitRows = [&](Value begin, int64_t count) {
      position[*tile.unrollDim] = begin;
      emitTile(split, count);
    };
    forEach(0, full, tile.unroll, [&](Value iv) { emitRows(iv, tile.unroll); });
    if (full != extent)
      emitRows(constant(full), extent - full);
  }

  /// A loop, or its body when there is but one iteration.
  template <typename Body> void forEach(int64_t begin, int64_t end, int64_t step, Body body) {
    if (begin >= end)
      return;
    if (end - begin == step)
      return body(constant(begin));
    auto loop = scf::ForOp::create(b, constant(begin), constant(end), constant(step));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    body(loop.getInductionVar());
  }

  void emitTile(const Lanes &split, int64_t rows) {
    OpOperand &out = *op.getDpsInitOperand(0);
    SmallVector<Value> accumulators;
    for (int64_t row = 0; row < rows; ++row)
      for (auto [offset, width] : split)
        accumulators.push_back(loadVector(out, row, offset, width));
    SmallVector<Value> sums = emitReductions(0, split, rows, accumulators);
    size_t index = 0;
    for (int64_t row = 0; row < rows; ++row)
      for (auto [offset, width] : split)
        vector::StoreOp::create(b, sums[index++], out.get(), getIndices(out, row, offset));
  }

  SmallVector<Value> emitReductions(size_t depth, const Lanes &split, int64_t rows, ValueRange accumulators) {
    if (depth == reductions.size())
      return emitProducts(split, rows, accumulators);
    unsigned dim = reductions[depth];
    if (extents[dim] == 1) {
      position[dim] = constant(0);
      return emitReductions(depth + 1, split, rows, accumulators);
    }
    auto loop = scf::ForOp::create(b, constant(0), constant(extents[dim]), constant(1), accumulators);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    position[dim] = loop.getInductionVar();
    scf::YieldOp::create(b, emitReductions(depth + 1, split, rows, loop.getRegionIterArgs()));
    return loop.getResults();
  }

  SmallVector<Value> emitProducts(const Lanes &split, int64_t rows, ValueRange accumulators) {
    OpOperand &lhs = *op.getDpsInputOperand(0), &rhs = *op.getDpsInputOperand(1);
    auto left = loadInput(lhs, split, rows), right = loadInput(rhs, split, rows);
    SmallVector<Value> sums;
    for (auto [accumulator, x, y] : llvm::zip_equal(accumulators, left, right)) {
      // Contraction is what gives fused multiply-add; it rounds once instead of twice, in f64 too.
      Value product = arith::MulFOp::create(b, x, y, arith::FastMathFlags::contract);
      sums.push_back(arith::AddFOp::create(b, accumulator, product, arith::FastMathFlags::contract));
    }
    return sums;
  }

  /// The factor for every accumulator, row by row. What does not change with the row or along the vector is loaded
  /// once.
  SmallVector<Value> loadInput(OpOperand &operand, const Lanes &split, int64_t rows) {
    bool isVector = getStep(op, operand, tile.vectorDim) == Step::Contiguous;
    bool isSameInRows = !tile.unrollDim || getStep(op, operand, *tile.unrollDim) == Step::Still;
    SmallVector<Value> values;
    for (int64_t row = 0; row < rows; ++row) {
      if (row > 0 && isSameInRows) {
        for (size_t i = 0; i < split.size(); ++i)
          values.push_back(values[i]);
        continue;
      }
      Value scalar;
      if (!isVector)
        scalar = extend(memref::LoadOp::create(b, operand.get(), getIndices(operand, row, 0)));
      for (auto [offset, width] : split)
        values.push_back(isVector ? loadVector(operand, row, offset, width)
                                  : vector::BroadcastOp::create(b, VectorType::get({width}, element), scalar));
    }
    return values;
  }

  Value loadVector(OpOperand &operand, int64_t row, int64_t offset, int64_t width) {
    auto type = VectorType::get({width}, cast<MemRefType>(operand.get().getType()).getElementType());
    return extend(vector::LoadOp::create(b, type, operand.get(), getIndices(operand, row, offset)));
  }

  /// A scalar or vector of an input, in the type of the output.
  Value extend(Value value) {
    if (getElementTypeOrSelf(value) == element)
      return value;
    auto vector = dyn_cast<VectorType>(value.getType());
    return arith::ExtFOp::create(b, vector ? Type(vector.clone(element)) : element, value);
  }

  /// Where the operand's element is for the current loops, `row` iterations and `offset` elements into the tile.
  SmallVector<Value> getIndices(OpOperand &operand, int64_t row, int64_t offset) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    SmallVector<AffineExpr> shifted;
    for (unsigned dim = 0; dim < extents.size(); ++dim) {
      int64_t shift = dim == tile.vectorDim ? offset : dim == tile.unrollDim ? row : 0;
      shifted.push_back(b.getAffineDimExpr(dim) + shift);
    }
    SmallVector<OpFoldResult> position =
        llvm::map_to_vector(this->position, [&](Value value) -> OpFoldResult { return value ? value : constant(0); });
    SmallVector<Value> indices;
    for (AffineExpr result : map.getResults()) {
      AffineMap single = AffineMap::get(extents.size(), 0, result.replaceDims(shifted));
      indices.push_back(getValueOrCreateConstantIndexOp(
          b, b.getLoc(), affine::makeComposedFoldedAffineApply(b, b.getLoc(), single, position)));
    }
    return indices;
  }

  ImplicitLocOpBuilder b;
  linalg::LinalgOp op;
  ArrayRef<int64_t> extents;
  const Tile &tile;
  int64_t lanes;
  Type element;
  SmallVector<unsigned> outer, reductions;
  SmallVector<Value> position; ///< of every loop that is open
};

struct VectorizeContractions final : codegen::impl::VectorizeContractionsBase<VectorizeContractions> {
  using Base::Base;

  void runOnOperation() override {
    if (!getOperation()->hasAttr(plan::kernelAttrName))
      return;
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops)
      vectorize(op);
  }

  void vectorize(linalg::LinalgOp op) {
    if (!op.hasPureBufferSemantics() || !isMultiplyAccumulate(op))
      return;
    SmallVector<int64_t> extents = op.getStaticLoopRanges();
    if (llvm::any_of(extents, [](int64_t extent) { return ShapedType::isDynamic(extent) || extent == 0; }))
      return;
    int64_t elementBytes = op.getBlock()->getArgument(2).getType().getIntOrFloatBitWidth() / 8;
    int64_t lanes = vectorBytes / elementBytes;
    std::optional<Tile> tile = chooseTile(op, extents, lanes, vectorRegisters);
    if (!tile)
      return;
    OpBuilder builder(op);
    Emitter(builder, op, extents, *tile, lanes).emit();
    op->erase();
  }
};

} // namespace
