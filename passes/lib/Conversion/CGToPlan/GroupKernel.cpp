//===- GroupKernel.cpp - how a group becomes loops ------------------------===//

#include "GroupKernel.h"

#include "espalier/Conversion/CGToPlan/Contraction.h"

using namespace mlir;
using namespace espalier::cg;

static RankedTensorType getTensorType(Value value) { return cast<RankedTensorType>(value.getType()); }
static ArrayRef<int64_t> getShape(Value value) { return getTensorType(value).getShape(); }

MemRefType espalier::cg::getMemoryType(RankedTensorType type, ArrayRef<int64_t> layout) {
  SmallVector<int64_t> shape;
  for (int64_t i = 0; i < type.getRank(); ++i)
    shape.push_back(type.getDimSize(layout.empty() ? i : layout[i]));
  return MemRefType::get(shape, type.getElementType());
}

bool espalier::cg::isSameOrder(ArrayRef<int64_t> shape, ArrayRef<int64_t> lhs, ArrayRef<int64_t> rhs) {
  auto ordered = [&](ArrayRef<int64_t> layout) {
    SmallVector<int64_t> dims;
    for (size_t i = 0; i < shape.size(); ++i)
      if (int64_t dim = layout.empty() ? static_cast<int64_t>(i) : layout[i]; shape[dim] != 1)
        dims.push_back(dim);
    return dims;
  };
  return ordered(lhs) == ordered(rhs);
}

Layout espalier::cg::getMemoryOrder(Value value) {
  auto group = value.getDefiningOp<GroupOp>();
  return group ? Layout(group.getLayout(cast<OpResult>(value).getResultNumber())) : Layout();
}

FailureOr<GroupKernel> GroupKernel::analyze(GroupOp group, ArrayRef<Layout> inputLayouts, KernelStyle style) {
  GroupKernel kernel;
  kernel.group = group;
  kernel.style = style;
  kernel.inputLayouts.assign(inputLayouts.begin(), inputLayouts.end());
  if (failed(kernel.analyzeBody()) ||
      failed(style == KernelStyle::Tiles ? kernel.analyzeTiles() : kernel.analyzeSpace()))
    return failure();
  if (!kernel.kernelOp)
    kernel.buildLoops();
  return kernel;
}

LogicalResult GroupKernel::analyzeBody() {
  for (auto [index, argument] : llvm::enumerate(group.getBody().getArguments())) {
    Source source;
    source.input = static_cast<int64_t>(index);
    source.access.strides = getStrides(getShape(argument), inputLayouts[index]);
    sources[argument] = source;
  }
  for (Operation &op : group.getBody().front().without_terminator())
    if (failed(analyzeOp(op)))
      return failure();
  // What only they read belongs to the loops after the reductions.
  for (Operation *op : llvm::reverse(computed))
    if (!postOps.empty() && !isa<ReductionLoweringOpInterface>(op) && !op->use_empty() &&
        llvm::all_of(op->getUsers(), [&](Operation *user) { return postOps.contains(user); }))
      postOps.insert(op);
  return success();
}

LogicalResult GroupKernel::analyzeOp(Operation &op) {
  if (kernelOp && style == KernelStyle::Loops)
    return op.emitOpError("does not fit into a kernel of '") << kernelOp->getName() << "', which fuses with nothing";
  if (auto constant = dyn_cast<ConstantOp>(op)) {
    Source source;
    source.literal = constant;
    source.access.strides = getStrides(getShape(constant), {});
    sources[constant] = source;
    return success();
  }
  auto requireMemory = [&]() -> LogicalResult {
    for (Value operand : op.getOperands())
      if (!sources.contains(operand))
        return op.emitOpError("expects operands in memory, but got a value that its group computes");
    return success();
  };
  if (auto view = dyn_cast<ViewLoweringOpInterface>(op)) {
    if (failed(requireMemory()))
      return failure();
    Source source = sources.lookup(op.getOperand(0));
    source.access = view.viewAccess(source.access);
    source.isView = true;
    sources[op.getResult(0)] = source;
    return success();
  }
  if (isa<KernelLoweringOpInterface>(op)) {
    if (!computed.empty() || failed(requireMemory()))
      return computed.empty() ? failure() : op.emitOpError("fuses with nothing, but its group computes more");
    kernelOp = &op;
    return success();
  }

  bool dependsOnReduction = llvm::any_of(op.getOperands(), [&](Value operand) { return isPost(operand); });
  if (auto reduction = dyn_cast<ReductionLoweringOpInterface>(op)) {
    if (dependsOnReduction)
      return op.emitOpError("reduces the result of a reduction, which is another kernel");
    if (!reductions.empty() && (reductions[0].getReducedDims() != reduction.getReducedDims() ||
                                getShape(reductions[0]->getOperand(0)) != getShape(op.getOperand(0))))
      return op.emitOpError("expects to reduce ")
             << reductions[0]->getOperand(0).getType() << " as the group's first reduction does, but got "
             << op.getOperand(0).getType();
    reductions.push_back(reduction);
    computed.push_back(&op);
    return success();
  }
  if (isa<IndexedLoweringOpInterface>(op)) {
    if (failed(requireMemory()))
      return failure();
    needsPosition = true;
  } else if (!isa<PointwiseLoweringOpInterface>(op)) {
    return op.emitOpError("has no lowering to loops");
  }
  if (dependsOnReduction)
    postOps.insert(&op);
  computed.push_back(&op);
  return success();
}

bool GroupKernel::isPost(Value value) const {
  Operation *op = value.getDefiningOp();
  return op && (postOps.contains(op) || isa<ReductionLoweringOpInterface>(op));
}

LogicalResult GroupKernel::analyzeTiles() {
  auto refuse = [&](const Twine &why) { return group.emitOpError("cannot become tiles: ") << why; };
  if (!kernelOp || !isContraction(kernelOp))
    return refuse("it has no contraction");
  Operation *yield = group.getYield();
  auto type = cast<RankedTensorType>(kernelOp->getResult(0).getType());
  if (yield->getNumOperands() != 1 || yield->getOperand(0).getType() != type)
    return refuse("it does not yield one value of the type of its contraction");
  for (Operation *op : computed)
    if (!isa<PointwiseLoweringOpInterface>(op) || op->getResult(0).getType() != type)
      return refuse("not everything after its contraction is elementwise on the result");
  if (!hasEpilogue() && yield->getOperand(0) != kernelOp->getResult(0))
    return refuse("it does not yield the result of its contraction");
  std::string why;
  SmallVector<StridedAccess> operands;
  for (Value operand : kernelOp->getOperands().take_front(2))
    operands.push_back(sources.lookup(operand).access);
  StridedAccess result{nullptr, 0, getStrides(type.getShape(), group.getLayout(0))};
  tiles = TileNest::analyze(kernelOp, operands, result, why);
  if (!tiles)
    return refuse(why);
  // The loops that `finish` runs in: one for each dimension.
  space = llvm::to_vector(type.getShape());
  llvm::append_range(kept, llvm::seq<int64_t>(0, space.size()));
  for (int64_t dim : kept)
    loops.push_back({space[dim], dim, /*reduced=*/false});
  return success();
}

LogicalResult GroupKernel::analyzeSpace() {
  Operation *yield = group.getYield();
  if (kernelOp) {
    if (yield->getNumOperands() != 1 || yield->getOperand(0).getDefiningOp() != kernelOp)
      return group.emitOpError("expects to yield the result of '") << kernelOp->getName() << "' alone";
    return success();
  }
  // The iteration space: what the reductions read, or the results.
  if (!reductions.empty()) {
    space = llvm::to_vector(getShape(reductions[0]->getOperand(0)));
    for (int64_t dim = 0; dim < static_cast<int64_t>(space.size()); ++dim)
      if (!llvm::is_contained(reductions[0].getReducedDims(), dim))
        kept.push_back(dim);
    if (needsPosition)
      return group.emitOpError("expects operations that need positions and reductions in different groups");
  } else if (yield->getNumOperands() != 0) {
    space = llvm::to_vector(getShape(yield->getOperand(0)));
    llvm::append_range(kept, llvm::seq<int64_t>(0, space.size()));
  }
  for (int64_t dim : kept)
    postSpace.push_back(space[dim]);

  // Everything computed must broadcast to the space it is computed in, and what is stored must fill it.
  auto fits = [](ArrayRef<int64_t> shape, ArrayRef<int64_t> into) {
    if (shape.size() > into.size())
      return false;
    ArrayRef<int64_t> tail = into.take_back(shape.size());
    return llvm::all_of(llvm::zip_equal(shape, tail),
                        [](auto pair) { return std::get<0>(pair) == 1 || std::get<0>(pair) == std::get<1>(pair); });
  };
  for (Operation *op : computed) {
    if (isa<ReductionLoweringOpInterface>(op))
      continue;
    ArrayRef<int64_t> into = postOps.contains(op) ? ArrayRef<int64_t>(postSpace) : ArrayRef<int64_t>(space);
    ArrayRef<int64_t> shape = getShape(op->getResult(0));
    if (!fits(shape, into) || (isa<IndexedLoweringOpInterface>(op) && shape != into))
      return op->emitOpError("does not fit into the loops of its group: ") << op->getResult(0).getType();
  }
  for (Value value : yield->getOperands()) {
    ArrayRef<int64_t> into = isPost(value) ? ArrayRef<int64_t>(postSpace) : ArrayRef<int64_t>(space);
    if (getShape(value) != into)
      return group.emitOpError("yields ") << value.getType() << ", which is not the shape of its group's loops";
  }
  return success();
}

SmallVector<int64_t, 4> GroupKernel::mapStrides(const StridedAccess &access, ArrayRef<int64_t> shape, bool post) const {
  if (!post)
    return broadcastStrides(access.strides, shape, space);
  SmallVector<int64_t, 4> result(space.size(), 0);
  for (auto [dim, stride] : llvm::zip_equal(kept, broadcastStrides(access.strides, shape, postSpace)))
    result[dim] = stride;
  return result;
}

void GroupKernel::buildLoops() {
  // Memory order: that of the first tensor that fills the space.
  auto adopt = [&](ArrayRef<int64_t> shape, ArrayRef<int64_t> layout) {
    if (order.empty() && shape == ArrayRef<int64_t>(space) && !layout.empty())
      order.assign(layout.begin(), layout.end());
  };
  for (auto [index, result] : llvm::enumerate(group.getResults()))
    adopt(getShape(result), group.getLayout(index));
  for (auto [index, input] : llvm::enumerate(group.getInputs()))
    adopt(getShape(input), inputLayouts[index]);
  if (order.empty())
    llvm::append_range(order, llvm::seq<int64_t>(0, space.size()));

  SmallVector<SmallVector<int64_t, 4>> strides; // of every access, by dimension of the space
  auto note = [&](Value value, bool post) {
    if (auto it = sources.find(value); it != sources.end())
      strides.push_back(mapStrides(it->second.access, getShape(value), post));
  };
  for (Operation *op : computed)
    if (!isa<IndexedLoweringOpInterface>(op))
      for (Value operand : op->getOperands())
        note(operand, postOps.contains(op));
  for (auto [index, value] : llvm::enumerate(group.getYield()->getOperands())) {
    note(value, /*post=*/false);
    StridedAccess access{nullptr, 0, getStrides(getShape(value), group.getLayout(index))};
    strides.push_back(mapStrides(access, getShape(value), isPost(value)));
  }

  for (int64_t dim : order) {
    if (space[dim] == 1)
      continue;
    bool reduced = !llvm::is_contained(kept, dim);
    auto isContiguous = [&](const SmallVector<int64_t, 4> &of) { return of[loops.back().dim] == of[dim] * space[dim]; };
    if (!loops.empty() && !needsPosition && loops.back().reduced == reduced && llvm::all_of(strides, isContiguous)) {
      loops.back().extent *= space[dim];
      loops.back().dim = dim;
    } else {
      loops.push_back({space[dim], dim, reduced});
    }
  }
}

int64_t GroupKernel::countLoops(bool reduced) const {
  return llvm::count_if(loops, [&](const Loop &loop) { return loop.reduced == reduced; });
}

bool GroupKernel::hasAccumulatorRow() const {
  return !reductions.empty() && !loops.empty() && !loops.back().reduced && countLoops(/*reduced=*/true) != 0;
}

bool GroupKernel::canOverwrite(unsigned input, unsigned result) {
  if (kernelOp)
    return false;
  Value argument = group.getBody().getArgument(input), stored = group.getYield()->getOperand(result);
  if (argument.getType() != stored.getType() ||
      !isSameOrder(getShape(argument), inputLayouts[input], group.getLayout(result)))
    return false;
  // Every reader must run in the loops that write the result, at the same place.
  bool post = isPost(stored);
  for (Operation *user : argument.getUsers()) {
    if (user == group.getYield())
      continue;
    bool isReduction = isa<ReductionLoweringOpInterface>(user);
    if (!isReduction && !isa<PointwiseLoweringOpInterface>(user))
      return false;
    if (!reductions.empty() && postOps.contains(user) != post)
      return false;
  }
  return true;
}
