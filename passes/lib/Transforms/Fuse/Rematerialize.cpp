//===- Rematerialize.cpp - compute again what is not worth keeping --------===//
//
// The backward pass of a network reads activations that the forward pass computed long before. Most of them are a few
// instructions away from a convolution's result, which batch normalisation keeps anyway.
//
//===----------------------------------------------------------------------===//

#include "espalier/Transforms/FusePasses.h"

#include "espalier/Conversion/CGToPlan/Lowering.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_REMATERIALIZE
#include "espalier/Transforms/FusePasses.h.inc"
} // namespace espalier::cg

/// Instructions for each element that a value may cost to be computed again.
static constexpr int64_t maxCost = 8;
/// Large tensors that it may be computed from.
static constexpr size_t maxSources = 2;
/// A tensor with so many times fewer elements than another one is small beside it.
static constexpr int64_t smallness = 16;
/// Smaller values are kept: they take no memory to speak of.
static constexpr int64_t minElements = 4096;

static int64_t countElements(Value value) { return cast<RankedTensorType>(value.getType()).getNumElements(); }

namespace {
struct Rematerialize final : espalier::cg::impl::RematerializeBase<Rematerialize> {
  using Base::Base;

  void runOnOperation() override {
    Block &body = getOperation().getBody().front();
    findLives(body);
    peak = findPeak(body);
    for (Operation &op : llvm::make_early_inc_range(body.without_terminator()))
      if (op.getNumResults() == 1 && position.lookup(&op) < peak)
        rematerialize(&op);
  }

private:
  void findLives(Block &body) {
    int64_t index = 0;
    for (Operation &op : body) {
      position[&op] = index++;
      for (Value operand : op.getOperands())
        lastUse[operand] = position[&op];
    }
  }

  /// Is the value in memory between its uses? What one op alone reads is computed in that op's kernel.
  static bool isHeld(Value value) {
    Operation *def = value.getDefiningOp();
    return def && !isa<ConstantOp, ReshapeOp>(def) &&
           !(isa<PointwiseLoweringOpInterface, ViewLoweringOpInterface>(def) && value.hasOneUse());
  }

  /// The place in the block at which most bytes live.
  int64_t findPeak(Block &body) {
    std::vector<int64_t> change(position.size() + 1);
    for (Operation &op : body)
      for (Value result : op.getResults()) {
        if (!isHeld(result))
          continue;
        auto type = cast<RankedTensorType>(result.getType());
        int64_t bytes = type.getNumElements() * std::max<int64_t>(1, type.getElementTypeBitWidth() / 8);
        change[position[&op]] += bytes;
        change[std::max(lastUse.lookup(result), position[&op]) + 1] -= bytes; // where nothing reads it, at once
      }
    int64_t live = 0, most = 0, place = 0;
    for (auto [index, bytes] : llvm::enumerate(change)) {
      live += bytes;
      if (live > most) {
        most = live;
        place = static_cast<int64_t>(index);
      }
    }
    return place;
  }

  /// Computes the value again for its users beyond the peak, if it is cheap to get from what lives there anyway.
  void rematerialize(Operation *op) {
    Value value = op->getResult(0);
    if (countElements(value) < minElements || !isHeld(value))
      return;
    SmallVector<Operation *> pointwise, others; // users beyond the peak
    int64_t lastEarly = -1;
    for (Operation *user : llvm::SetVector<Operation *>(value.user_begin(), value.user_end())) {
      if (user->hasTrait<OpTrait::IsTerminator>())
        return;
      if (position.lookup(user) <= peak)
        lastEarly = std::max(lastEarly, position.lookup(user));
      else
        (isa<PointwiseLoweringOpInterface>(user) ? pointwise : others).push_back(user);
    }
    if (lastEarly < 0 || lastUse[value] <= peak)
      return;
    std::optional<SmallVector<Operation *>> slice = findSlice(op);
    if (!slice)
      return;
    // Kernels of pointwise ops compute it on the fly; what reads memory has a copy of its own.
    for (ArrayRef<Operation *> users : {ArrayRef(pointwise), ArrayRef(others)})
      if (!users.empty())
        replace(value, *slice, users);
    lastUse[value] = lastEarly;
  }

  /// The ops that compute a value again, in order; nothing if they cost too much, or read what is gone by then.
  std::optional<SmallVector<Operation *>> findSlice(Operation *root) {
    Value value = root->getResult(0);
    llvm::SetVector<Operation *> slice;
    llvm::SmallPtrSet<Value, 4> sources;
    int64_t cost = 0;
    slice.insert(root);
    for (size_t next = 0; next < slice.size(); ++next) {
      auto pointwise = dyn_cast<PointwiseLoweringOpInterface>(slice[next]);
      if (!pointwise || (cost += pointwise.getScalarCost()) > maxCost)
        return std::nullopt;
      for (Value operand : slice[next]->getOperands()) {
        Operation *def = operand.getDefiningOp();
        if (countElements(operand) * smallness <= countElements(value) || isa_and_nonnull<ConstantOp>(def))
          continue;
        bool lives = (!def || isHeld(operand)) && lastUse.lookup(operand) >= lastUse.lookup(value);
        if (!lives && !def)
          return std::nullopt;
        if (!lives)
          slice.insert(def);
        else if (sources.insert(operand); sources.size() > maxSources)
          return std::nullopt;
      }
    }
    SmallVector<Operation *> ordered(slice.begin(), slice.end());
    llvm::sort(ordered, [&](Operation *a, Operation *b) { return position.lookup(a) < position.lookup(b); });
    return ordered;
  }

  void replace(Value value, ArrayRef<Operation *> slice, ArrayRef<Operation *> users) {
    auto earlier = [&](Operation *a, Operation *b) { return position.lookup(a) < position.lookup(b); };
    Operation *first = *llvm::min_element(users, earlier);
    OpBuilder builder(first);
    IRMapping mapping;
    for (Operation *op : slice)
      position[builder.clone(*op, mapping)] = position.lookup(first);
    for (Operation *user : users)
      user->replaceUsesOfWith(value, mapping.lookup(value));
  }

  llvm::DenseMap<Operation *, int64_t> position;
  llvm::DenseMap<Value, int64_t> lastUse; // position of the last op that reads a value
  int64_t peak = 0;
};
} // namespace
