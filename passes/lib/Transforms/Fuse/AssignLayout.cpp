//===- AssignLayout.cpp - the order of dimensions in memory ---------------===//

#include "espalier/Transforms/FusePasses.h"

#include "espalier/Conversion/CGToPlan/Candidate.h"
#include "espalier/Conversion/CGToPlan/Contraction.h"
#include "espalier/Conversion/CGToPlan/Lowering.h"

#include "llvm/ADT/EquivalenceClasses.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_ASSIGNLAYOUT
#include "espalier/Transforms/FusePasses.h.inc"
} // namespace espalier::cg

static constexpr int64_t channelsLast[] = {0, 2, 3, 1};

static RankedTensorType getTensorType(Value value) { return cast<RankedTensorType>(value.getType()); }
static bool isImage(Value value) { return getTensorType(value).getRank() == 4; }

/// Is NHWC the same memory as NCHW? Then one channel, or one pixel, is all there is.
static bool isOrderIrrelevant(Value value) {
  RankedTensorType type = getTensorType(value);
  return type.getDimSize(1) == 1 || (type.getDimSize(2) == 1 && type.getDimSize(3) == 1);
}

namespace {
class LayoutAssignment {
public:
  explicit LayoutAssignment(GraphOp graph) : body(graph.getBody().front()) {}

  void run() {
    SmallVector<GroupOp> groups(body.getOps<GroupOp>());
    for (GroupOp group : groups)
      relate(group);
    for (Value seed : seeds)
      channelsLastClasses.insert(classes.getLeaderValue(seed.getAsOpaquePointer()));
    for (GroupOp group : groups)
      setLayouts(group);
    for (GroupOp group : groups)
      if (isContractionGroup(group) || readsPlanes(group))
        convertOperands(group);
    for (Operation &op : llvm::make_early_inc_range(body))
      if (isa<ReshapeOp, ReturnOp>(op))
        for (OpOperand &operand : op.getOpOperands())
          if (isImage(operand.get()))
            convert(operand, /*toChannelsLast=*/false);
  }

private:
  /// Does the group run as a contraction that cares for the order of its images, as loops do not?
  static bool isContractionGroup(GroupOp group) {
    return findContraction(group) && group.getChosenCandidate() != loopsCandidateName;
  }

  /// A matrix product writes rows and the gradient of a filter is a filter, whatever reads them.
  static bool writesPlain(GroupOp group) {
    return group && isa_and_present<MatmulOp, Conv2dFilterGradientOp>(findContraction(group));
  }

  /// Does the group go over one channel at a time, many times?
  static bool readsPlanes(GroupOp group) { return isa<MutualInformationOp>(group.getBody().front().front()); }

  /// The images of a group that must, or had better, lie in memory in one order.
  static SmallVector<Value> findImages(GroupOp group) {
    SmallVector<Value> images;
    Block &body = group.getBody().front();
    auto outside = [&](Value value) -> Value {
      if (auto argument = dyn_cast<BlockArgument>(value))
        return group.getInputs()[argument.getArgNumber()];
      for (auto [yielded, result] : llvm::zip_equal(group.getYield()->getOperands(), group.getResults()))
        if (yielded == value)
          return result;
      return nullptr;
    };
    auto add = [&](Value inside) {
      if (Value value = outside(inside); value && isImage(value))
        images.push_back(value);
    };
    for (Operation &op : body.without_terminator()) {
      if (isa<ConstantOp, MatmulOp, MutualInformationOp>(op) || isa<ViewLoweringOpInterface>(op))
        continue;                                     // a matrix product reads and writes rows
      if (isa<Conv2dOp, Conv2dInputGradientOp>(op)) { // operand 1 is the filter
        add(op.getOperand(0));
        add(op.getResult(0));
      } else if (isa<Conv2dFilterGradientOp>(op)) {
        add(op.getOperand(0));
        add(op.getOperand(1));
      } else {
        for (Value operand : op.getOperands())
          if (isImage(operand) && sharesLoops(operand, op))
            add(operand);
        if (isImage(op.getResult(0)))
          add(op.getResult(0));
      }
    }
    return images;
  }

  /// Elementwise ops run over one shape; an operand that is broadcast may lie as it likes.
  static bool sharesLoops(Value operand, Operation &op) {
    return !isa<PointwiseLoweringOpInterface>(op) ||
           getTensorType(operand).getShape() == getTensorType(op.getResult(0)).getShape();
  }

  void relate(GroupOp group) {
    SmallVector<Value> images = findImages(group);
    for (Value image : images)
      classes.unionSets(images.front().getAsOpaquePointer(), image.getAsOpaquePointer());
    bool isConvolution = isContractionGroup(group) && !images.empty();
    if (isConvolution)
      seeds.push_back(images.front());
  }

  bool isChannelsLast(Value value) {
    if (!isImage(value) || isa<BlockArgument>(value) || writesPlain(value.getDefiningOp<GroupOp>()))
      return false;
    auto it = classes.findLeader(value.getAsOpaquePointer());
    return it != classes.member_end() && channelsLastClasses.contains(*it);
  }

  void setLayouts(GroupOp group) {
    Builder builder(group);
    SmallVector<Attribute> layouts;
    bool any = false;
    for (Value result : group.getResults()) {
      bool last = isChannelsLast(result);
      layouts.push_back(builder.getDenseI64ArrayAttr(last ? ArrayRef<int64_t>(channelsLast) : ArrayRef<int64_t>()));
      any |= last;
    }
    if (any)
      group.setLayoutsAttr(builder.getArrayAttr(layouts));
  }

  static bool hasChannelsLast(Value value) {
    auto group = value.getDefiningOp<GroupOp>();
    return group && !group.getLayout(cast<OpResult>(value).getResultNumber()).empty();
  }

  void convertOperands(GroupOp group) {
    SmallVector<Value> images = findImages(group);
    for (OpOperand &operand : group->getOpOperands())
      if (isImage(operand.get()))
        convert(operand, llvm::is_contained(images, operand.get()));
  }

  /// Puts a copying group before the user, once for each value and order.
  void convert(OpOperand &operand, bool toChannelsLast) {
    Value value = operand.get();
    if (hasChannelsLast(value) == toChannelsLast || isOrderIrrelevant(value))
      return;
    Value &copy = copies[toChannelsLast][value];
    if (!copy) {
      OpBuilder builder(operand.getOwner());
      if (Operation *def = value.getDefiningOp())
        builder.setInsertionPointAfter(def);
      else
        builder.setInsertionPointToStart(cast<BlockArgument>(value).getOwner());
      Attribute layout =
          builder.getDenseI64ArrayAttr(toChannelsLast ? ArrayRef<int64_t>(channelsLast) : ArrayRef<int64_t>());
      auto group = GroupOp::create(builder, value.getLoc(), value.getType(), value, StringRef(loopsCandidateName),
                                   toChannelsLast ? builder.getArrayAttr(layout) : ArrayAttr());
      Block *block = builder.createBlock(&group.getBody());
      block->addArgument(value.getType(), value.getLoc());
      YieldOp::create(builder, value.getLoc(), block->getArguments());
      copy = group.getResult(0);
    }
    operand.set(copy);
  }

  Block &body;
  llvm::EquivalenceClasses<void *> classes; // of images that had better lie in one order
  SmallVector<Value> seeds;
  llvm::DenseSet<void *> channelsLastClasses;
  std::array<llvm::DenseMap<Value, Value>, 2> copies; // plain, and channels last
};

struct AssignLayout final : espalier::cg::impl::AssignLayoutBase<AssignLayout> {
  using Base::Base;
  void runOnOperation() override { LayoutAssignment(getOperation()).run(); }
};
} // namespace
