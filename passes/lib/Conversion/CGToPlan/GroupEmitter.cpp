//===- GroupEmitter.cpp - the loops of a group ----------------------------===//

#include "GroupKernel.h"

#include "espalier/Dialect/Plan/IR/PlanDialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace espalier::cg;

/// Longest row of accumulators: rows of several sums stay in the first-level cache.
static constexpr int64_t accumulatorRow = 512;
/// Elements that are added to a row of accumulators between loading and storing it.
static constexpr int64_t rowsAtOnce = 4;
/// Bodies longer than this are not repeated.
static constexpr int64_t maxRepeatedOps = 24;

static ArrayRef<int64_t> getShape(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }
static Type getElement(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

int64_t GroupKernel::getParallelExtent() {
  if (tiles)
    return tiles->getParallelExtent();
  if (kernelOp) {
    SmallVector<int64_t> order(group.getLayout(0));
    if (order.empty())
      llvm::append_range(order, llvm::seq<int64_t>(0, getShape(group.getResult(0)).size()));
    if (llvm::is_contained(getShape(group.getResult(0)), 0))
      return 0;
    return cast<KernelLoweringOpInterface>(kernelOp).getParallelExtent(order);
  }
  if (llvm::all_of(group.getResults(), [](Value result) { return llvm::is_contained(getShape(result), 0); }))
    return 0;
  if (hasAccumulatorRow() && countLoops(/*reduced=*/false) == 1)
    return llvm::divideCeil(loops.back().extent, accumulatorRow);
  for (const Loop &loop : loops)
    if (!loop.reduced)
      return loop.extent;
  return 1;
}

namespace espalier::cg {

/// Writes the body of one kernel function.
class GroupEmitter {
public:
  GroupEmitter(GroupKernel &kernel, OpBuilder &builder, func::FuncOp function, ArrayRef<unsigned> inputPlaces,
               ArrayRef<unsigned> resultPlaces)
      : kernel(kernel), b(kernel.group.getLoc(), builder), function(function), inputPlaces(inputPlaces),
        resultPlaces(resultPlaces), induction(kernel.loops.size()) {}

  void emit() {
    Block *entry = function.addEntryBlock();
    b.setInsertionPointToStart(entry);
    unsigned numPlaces = entry->getNumArguments() - 2;
    b.begin = entry->getArgument(numPlaces);
    b.end = entry->getArgument(numPlaces + 1);
    for (unsigned i = 0; i < numPlaces; ++i)
      flat.push_back(flatten(entry->getArgument(i)));
    if (kernel.tiles)
      emitTiles();
    else if (kernel.kernelOp)
      emitKernelOp();
    else if (kernel.reductions.empty())
      emitMap();
    else if (kernel.hasAccumulatorRow())
      emitColumnReduction();
    else
      emitRowReduction();
    b.setInsertionPointToEnd(entry);
    b.create<func::ReturnOp>();
  }

private:
  using Source = GroupKernel::Source;
  using Loop = GroupKernel::Loop;

  Value flatten(Value place) {
    auto type = cast<MemRefType>(place.getType());
    auto flatType = MemRefType::get({type.getNumElements()}, type.getElementType());
    return b.create<memref::ReinterpretCastOp>(flatType, place, /*offset=*/0, ArrayRef<int64_t>{type.getNumElements()},
                                               ArrayRef<int64_t>{1});
  }

  /// The memory of a source; a literal's is a global of the module.
  Value getMemory(Source &source) {
    if (source.input >= 0 && inputPlaces[source.input] != GroupKernel::noPlace)
      return flat[inputPlaces[source.input]];
    if (source.input >= 0) { // loops over it have no iterations, but their bodies name a memory
      Type element = getElement(kernel.group.getInputs()[source.input]);
      return b.create<memref::AllocaOp>(MemRefType::get({1}, element));
    }
    Value &memory = literals[source.literal];
    if (memory)
      return memory;
    auto type = getMemoryType(source.literal.getType(), {});
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(function);
    std::string name = (function.getSymName() + ".literal" + std::to_string(literals.size())).str();
    auto global = b.create<memref::GlobalOp>(name, b.getStringAttr("private"), type, source.literal.getValue(),
                                             /*constant=*/true, /*alignment=*/b.getI64IntegerAttr(64));
    b.setInsertionPointToStart(&function.getBody().front());
    return memory = flatten(b.create<memref::GetGlobalOp>(type, global.getSymName()));
  }

  //===--------------------------------------------------------------------===//
  // Kernels of one op
  //===--------------------------------------------------------------------===//

  void emitKernelOp() {
    for (Value operand : kernel.kernelOp->getOperands())
      b.operands.push_back(operandOf(operand));
    Value result = kernel.kernelOp->getResult(0);
    ArrayRef<int64_t> layout = kernel.group.getLayout(0);
    b.result = {flat[resultPlaces[0]], 0, getStrides(getShape(result), layout)};
    b.resultOrder.assign(layout.begin(), layout.end());
    if (layout.empty())
      llvm::append_range(b.resultOrder, llvm::seq<int64_t>(0, getShape(result).size()));
    cast<KernelLoweringOpInterface>(kernel.kernelOp).emitKernel(b);
  }

  void emitTiles() {
    Value contraction = kernel.kernelOp->getResult(0);
    SmallVector<StridedAccess> operands;
    for (Value operand : kernel.kernelOp->getOperands().take_front(2)) {
      Source &source = kernel.sources.find(operand)->second;
      operands.push_back(source.access);
      operands.back().memory = getMemory(source);
    }
    StridedAccess result{flat[resultPlaces[0]], 0, getStrides(getShape(contraction), kernel.group.getLayout(0))};
    auto finish = [&](ValueRange position, Value sum) {
      induction.assign(position.begin(), position.end());
      scalars.clear();
      scalars[contraction] = sum;
      emitElements(/*post=*/false);
    };
    if (kernel.hasEpilogue() || kernel.tiles->needsFinish())
      kernel.tiles->emit(b, operands, result, finish);
    else
      kernel.tiles->emit(b, operands, result, nullptr);
  }

  KernelBuilder::Operand operandOf(Value value) {
    Source &source = kernel.sources.find(value)->second;
    KernelBuilder::Operand operand{getSplat(source), source.access};
    if (!operand.splat)
      operand.access.memory = getMemory(source);
    return operand;
  }

  /// The one number that a literal repeats, if it does.
  static TypedAttr getSplat(Source &source) {
    auto splat = source.literal ? dyn_cast<SplatElementsAttr>(source.literal.getValue()) : SplatElementsAttr();
    return splat ? cast<TypedAttr>(splat.getSplatValue<Attribute>()) : TypedAttr();
  }

  //===--------------------------------------------------------------------===//
  // Elements
  //===--------------------------------------------------------------------===//

  Value linearIndex(int64_t offset, ArrayRef<int64_t> strides) {
    Value linear = b.index(offset);
    for (auto [loop, index] : llvm::zip_equal(kernel.loops, induction))
      if (index && strides[loop.dim] != 0)
        linear = b.add(linear, b.mul(index, strides[loop.dim]));
    return linear;
  }

  /// The scalar of a value at the current place.
  Value scalarOf(Value value, bool post) {
    if (Value scalar = scalars.lookup(value))
      return scalar;
    Source &source = kernel.sources.find(value)->second;
    Value scalar;
    if (TypedAttr splat = getSplat(source)) {
      scalar = b.number(splat);
    } else {
      SmallVector<int64_t, 4> strides = kernel.mapStrides(source.access, getShape(value), post);
      scalar = b.widen(b.create<memref::LoadOp>(getMemory(source), linearIndex(source.access.offset, strides)));
    }
    return scalars[value] = scalar;
  }

  /// Computes the ops before, or after, the reductions, and stores what the group yields of them.
  void emitElements(bool post) {
    for (Operation *op : kernel.computed) {
      if (isa<ReductionLoweringOpInterface>(op) || kernel.postOps.contains(op) != post)
        continue;
      b.setLoc(op->getLoc());
      if (auto pointwise = dyn_cast<PointwiseLoweringOpInterface>(op)) {
        SmallVector<Value> operands;
        for (Value operand : op->getOperands())
          operands.push_back(scalarOf(operand, post));
        scalars[op->getResult(0)] = pointwise.emitScalar(b, op->getLoc(), operands);
        continue;
      }
      KernelBuilder element(op->getLoc(), b);
      for (Value operand : op->getOperands())
        element.operands.push_back(operandOf(operand));
      SmallVector<Value> position(kernel.space.size());
      for (auto [loop, index] : llvm::zip_equal(kernel.loops, induction))
        position[loop.dim] = index;
      for (Value &index : position)
        if (!index)
          index = b.index(0);
      scalars[op->getResult(0)] = cast<IndexedLoweringOpInterface>(op).emitElement(element, position);
      b.setInsertionPoint(element.getInsertionBlock(), element.getInsertionPoint());
    }
    b.setLoc(kernel.group.getLoc());
    for (auto [index, value] : llvm::enumerate(kernel.group.getYield()->getOperands())) {
      if (kernel.isPost(value) != post)
        continue;
      StridedAccess access{nullptr, 0, getStrides(getShape(value), kernel.group.getLayout(index))};
      SmallVector<int64_t, 4> strides = kernel.mapStrides(access, getShape(value), post);
      if (resultPlaces[index] == GroupKernel::noPlace)
        continue;
      Value scalar = b.narrow(scalarOf(value, post), getElement(value));
      b.create<memref::StoreOp>(scalar, flat[resultPlaces[index]], linearIndex(0, strides));
    }
  }

  //===--------------------------------------------------------------------===//
  // Loops
  //===--------------------------------------------------------------------===//

  /// Opens the loops numbered by `which`; the outermost runs over [begin, end) when `isParallel`. The insertion point
  /// is then inside.
  void openLoops(ArrayRef<size_t> which, bool isParallel) {
    for (size_t i : which) {
      Value low = isParallel ? b.begin : b.index(0);
      Value high = isParallel ? b.end : b.index(kernel.loops[i].extent);
      isParallel = false;
      auto loop = b.create<scf::ForOp>(low, high, b.index(1));
      b.setInsertionPointToStart(loop.getBody());
      induction[i] = loop.getInductionVar();
    }
  }

  SmallVector<size_t> selectLoops(bool reduced) {
    SmallVector<size_t> result;
    for (auto [index, loop] : llvm::enumerate(kernel.loops))
      if (loop.reduced == reduced)
        result.push_back(index);
    return result;
  }

  void emitMap() {
    openLoops(selectLoops(/*reduced=*/false), /*isParallel=*/true);
    emitElements(/*post=*/false);
  }

  /// Memory is contiguous along a reduced dimension, or all of them are: scalars are carried through the loops.
  void emitRowReduction() {
    openLoops(selectLoops(/*reduced=*/false), /*isParallel=*/true);
    SmallVector<Value> carried;
    for (ReductionLoweringOpInterface reduction : kernel.reductions)
      carried.push_back(reduction.emitIdentity(b, reduction->getLoc()));
    // An empty dimension leaves no iteration at all; a space of one element needs no loop.
    SmallVector<scf::ForOp> nest;
    for (size_t i : selectLoops(/*reduced=*/true)) {
      auto loop = b.create<scf::ForOp>(b.index(0), b.index(kernel.loops[i].extent), b.index(1), carried);
      nest.push_back(loop);
      induction[i] = loop.getInductionVar();
      carried = llvm::to_vector_of<Value>(loop.getRegionIterArgs());
      b.setInsertionPointToStart(loop.getBody());
    }
    emitElements(/*post=*/false);
    for (auto &&[sum, reduction] : llvm::zip_equal(carried, kernel.reductions))
      sum = reduction.emitCombine(b, reduction->getLoc(), sum, scalarOf(reduction->getOperand(0), /*post=*/false));
    for (scf::ForOp loop : llvm::reverse(nest)) {
      b.create<scf::YieldOp>(carried);
      carried = llvm::to_vector_of<Value>(loop.getResults());
      b.setInsertionPointAfter(loop);
    }
    for (size_t i : selectLoops(/*reduced=*/true))
      induction[i] = nullptr;
    scalars.clear();
    for (auto &&[sum, reduction] : llvm::zip_equal(carried, kernel.reductions))
      scalars[reduction->getResult(0)] = sum;
    emitElements(/*post=*/true);
  }

  /// Memory is contiguous along a kept dimension: a row of accumulators for each reduction, and the loop along the row
  /// innermost, so that it vectorizes.
  void emitColumnReduction() {
    size_t rowLoop = kernel.loops.size() - 1;
    int64_t extent = kernel.loops[rowLoop].extent, length = std::min(extent, accumulatorRow);
    SmallVector<size_t> outer = selectLoops(/*reduced=*/false), reduced = selectLoops(/*reduced=*/true);
    outer.pop_back();

    SmallVector<Value> rows;
    for (ReductionLoweringOpInterface reduction : kernel.reductions)
      rows.push_back(
          b.create<memref::AllocaOp>(MemRefType::get({length}, getScalarType(getElement(reduction->getResult(0)))),
                                     b.getI64IntegerAttr(plan::placeAlignment)));
    openLoops(outer, /*isParallel=*/true);
    bool isParallelOverRows = outer.empty();
    int64_t parts = llvm::divideCeil(extent, accumulatorRow);
    b.forLoop(isParallelOverRows ? b.begin : b.index(0), isParallelOverRows ? b.end : b.index(parts), [&](Value part) {
      Value first = b.mul(part, accumulatorRow);
      Value count = extent % length == 0 ? b.index(length) : b.min(b.sub(b.index(extent), first), b.index(length));
      auto forRow = [&](function_ref<void(Value)> body) {
        b.forLoop(b.index(0), count, [&](Value i) {
          induction[rowLoop] = parts == 1 ? i : b.add(first, i);
          scalars.clear();
          body(i);
        });
      };
      forRow([&](Value i) {
        for (auto &&[row, reduction] : llvm::zip_equal(rows, kernel.reductions))
          b.create<memref::StoreOp>(reduction.emitIdentity(b, reduction->getLoc()), row, i);
      });
      {
        OpBuilder::InsertionGuard guard(b);
        accumulate(reduced, rows, forRow);
      }
      for (size_t loop : reduced)
        induction[loop] = nullptr;
      forRow([&](Value i) {
        for (auto &&[row, reduction] : llvm::zip_equal(rows, kernel.reductions))
          scalars[reduction->getResult(0)] = b.create<memref::LoadOp>(row, i);
        emitElements(/*post=*/true);
      });
    });
  }

  void accumulate(ArrayRef<size_t> reduced, ArrayRef<Value> rows,
                  function_ref<void(function_ref<void(Value)>)> forRow) {
    int64_t last = kernel.loops[reduced.back()].extent;
    bool isRepeated = last % rowsAtOnce == 0 && static_cast<int64_t>(kernel.computed.size()) <= maxRepeatedOps;
    int64_t step = isRepeated ? rowsAtOnce : 1;
    openLoops(reduced.drop_back(), /*isParallel=*/false);
    b.forLoop(last / step, [&](Value block) {
      forRow([&](Value i) {
        SmallVector<Value> sums;
        for (Value row : rows)
          sums.push_back(b.create<memref::LoadOp>(row, i));
        for (int64_t repeat = 0; repeat < step; ++repeat) {
          scalars.clear();
          induction[reduced.back()] = b.add(b.mul(block, step), repeat);
          emitElements(/*post=*/false);
          for (auto &&[sum, reduction] : llvm::zip_equal(sums, kernel.reductions))
            sum =
                reduction.emitCombine(b, reduction->getLoc(), sum, scalarOf(reduction->getOperand(0), /*post=*/false));
        }
        for (auto [sum, row] : llvm::zip_equal(sums, rows))
          b.create<memref::StoreOp>(sum, row, i);
      });
    });
  }

  GroupKernel &kernel;
  KernelBuilder b;
  func::FuncOp function;
  ArrayRef<unsigned> inputPlaces, resultPlaces;
  SmallVector<Value> flat;      // places, as memrefs of rank 1
  SmallVector<Value> induction; // of each loop; null outside
  llvm::DenseMap<Operation *, Value> literals;
  llvm::DenseMap<Value, Value> scalars;
};

} // namespace espalier::cg

func::FuncOp GroupKernel::emit(OpBuilder &builder, StringRef name, ArrayRef<unsigned> inputPlaces,
                               ArrayRef<unsigned> resultPlaces) {
  unsigned numPlaces = 0;
  for (unsigned place : llvm::concat<const unsigned>(inputPlaces, resultPlaces))
    if (place != noPlace)
      numPlaces = std::max(numPlaces, place + 1);
  SmallVector<Type> types(numPlaces);
  for (auto [index, place] : llvm::enumerate(inputPlaces))
    if (place != noPlace)
      types[place] = getMemoryType(cast<RankedTensorType>(group.getInputs()[index].getType()), inputLayouts[index]);
  for (auto [index, place] : llvm::enumerate(resultPlaces))
    if (place != noPlace)
      types[place] = getMemoryType(cast<RankedTensorType>(group.getResult(index).getType()), group.getLayout(index));
  types.append(2, builder.getIndexType());

  OpBuilder::InsertionGuard guard(builder);
  auto function = func::FuncOp::create(builder, group.getLoc(), name, builder.getFunctionType(types, {}));
  function.setPrivate();
  function->setAttr(plan::kernelAttrName,
                    plan::KernelAttr::get(builder.getContext(), getParallelExtent(), std::nullopt));
  GroupEmitter(*this, builder, function, inputPlaces, resultPlaces).emit();
  return function;
}
