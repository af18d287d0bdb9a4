//===- Candidates.cpp - how a CPU runs a group ----------------------------===//

#include "espalier/Conversion/CGToPlan/Candidate.h"

#include "RowBuilder.h"

#include "espalier/Conversion/CGToPlan/Contraction.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace espalier::cg;

static RankedTensorType getTensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

static SmallVector<Operation *> getOps(GroupOp group) {
  SmallVector<Operation *> ops;
  for (Operation &op : group.getBody().front().without_terminator())
    if (!isa<ConstantOp>(op))
      ops.push_back(&op);
  return ops;
}

std::optional<std::string> Candidate::whyNot(GroupOp group) const { return whyNotOps(getOps(group)); }

static FailureOr<GroupKernel> analyze(GroupOp group, KernelStyle style) {
  return GroupKernel::analyze(group, llvm::map_to_vector(group.getInputs(), getMemoryOrder), style);
}

namespace {

/// Is the padding of one side as wide as the window? oneDNN 2.6 then gets positions wrong that meet padding alone.
bool hasWindowInPadding(Operation *op) {
  WindowAttrs window = getConvolutionWindow(op);
  Value filter = isa<Conv2dFilterGradientOp>(op) ? op->getResult(0) : op->getOperand(1);
  for (unsigned dim : {0u, 1u}) {
    int64_t reach = window.dilations[dim] * (getTensorType(filter).getDimSize(2 + dim) - 1) + 1;
    if (window.padBefore(dim) >= reach || window.padAfter(dim) >= reach)
      return true;
  }
  return false;
}

/// Is the left padding wider than the result, to which a residual is added? oneDNN 2.6 then adds it wrongly.
bool hasResidualBesidePadding(const ContractionChain &chain) {
  if (!chain.residual || isa<MatmulOp>(chain.contraction))
    return false;
  return getConvolutionWindow(chain.contraction).padBefore(1) >
         getTensorType(chain.contraction->getResult(0)).getDimSize(3);
}

/// One call of oneDNN, which takes f32 and bf16 and sums in f32.
class OneDNN final : public Candidate {
public:
  StringRef getName() const override { return "onednn"; }

  std::optional<std::string> whyNotOps(ArrayRef<Operation *> ops) const override {
    std::optional<ContractionChain> chain = matchContractionChain(ops);
    if (!chain)
      return "the library computes one contraction and what it can add to it";
    Operation *op = chain->contraction;
    Type element = getElementTypeOrSelf(op->getOperand(0)), result = getElementTypeOrSelf(op->getResult(0));
    if ((!element.isF32() && !element.isBF16()) || (result != element && !result.isF32()))
      return "the library computes in f32 and bf16";
    for (Type type : llvm::concat<const Type>(op->getOperandTypes(), op->getResultTypes()))
      if (cast<RankedTensorType>(type).getNumElements() == 0)
        return "a tensor has no elements";
    if (!isa<MatmulOp>(op) && hasWindowInPadding(op))
      return "a window lies in padding alone, which the library gets wrong";
    if (hasResidualBesidePadding(*chain))
      return "the padding is wider than the result, to which the library adds wrongly";
    if (auto matmul = dyn_cast<MatmulOp>(op)) {
      int64_t rank = getTensorType(matmul.getLhs()).getRank();
      if (rank > 3 || getTensorType(matmul.getRhs()).getRank() != rank)
        return "the library multiplies operands of one rank, 2 or 3";
    }
    return std::nullopt;
  }

  std::optional<std::string> whyNot(GroupOp group) const override {
    if (std::optional<std::string> why = Candidate::whyNot(group))
      return why;
    return whyNotLibraryLayout(group);
  }

  /// Without it the library has, if anything, slow reference code for bf16.
  StringRef getRequiredExtension(Operation *contraction) const override {
    return getElementTypeOrSelf(contraction->getOperand(0)).isBF16() ? "avx512bf16" : "";
  }

  LogicalResult emitRows(GroupOp group, RowBuilder &rows) const override { return emitLibraryRow(group, rows); }
};

/// Generated register tiles, with what follows the contraction in the same kernel.
class Tile final : public Candidate {
public:
  StringRef getName() const override { return "tile"; }

  std::optional<std::string> whyNotOps(ArrayRef<Operation *> ops) const override {
    std::optional<ContractionChain> chain = matchContractionChain(ops);
    if (!chain)
      return "tiles compute one contraction, a bias, a residual and a clamp";
    std::string why;
    return TileNest::analyze(chain->contraction, why) ? std::nullopt : std::optional(why);
  }

  std::optional<std::string> whyNot(GroupOp group) const override {
    if (std::optional<std::string> why = Candidate::whyNot(group))
      return why;
    // The layouts of images are what they are; operand 1 will be packed.
    Operation *op = findContraction(group);
    SmallVector<StridedAccess> operands;
    for (Value operand : op->getOperands().take_front(2)) {
      auto argument = dyn_cast<BlockArgument>(operand);
      bool isPacked = operands.size() == 1 && !getPackedOrder(op).empty();
      Layout order = isPacked ? Layout(getPackedOrder(op))
                              : (argument ? getMemoryOrder(group.getInputs()[argument.getArgNumber()]) : Layout());
      operands.push_back({nullptr, 0, getStrides(getTensorType(operand).getShape(), order)});
    }
    StridedAccess result{nullptr, 0, getStrides(getTensorType(op->getResult(0)).getShape(), group.getLayout(0))};
    std::string why;
    return TileNest::analyze(op, operands, result, why) ? std::nullopt : std::optional(why);
  }

  SmallVector<int64_t> getPackedOrder(Operation *contraction) const override {
    return TileNest::getPackedOrder(contraction);
  }

  LogicalResult emitRows(GroupOp group, RowBuilder &rows) const override {
    FailureOr<GroupKernel> kernel = analyze(group, KernelStyle::Tiles);
    return failed(kernel) ? failure() : rows.dispatch(group, *kernel);
  }
};

/// Generated loops over scalars: everything that is no contraction, and contractions that nothing else takes.
class Loops final : public Candidate {
public:
  StringRef getName() const override { return loopsCandidateName; }

  std::optional<std::string> whyNotOps(ArrayRef<Operation *> ops) const override {
    if (ops.size() > 1 && llvm::any_of(ops, isContraction))
      return "loops fuse nothing with a contraction";
    for (Operation *op : ops)
      if (isContraction(op) &&
          getScalarType(getElementTypeOrSelf(op->getResult(0))) != getElementTypeOrSelf(op->getResult(0)))
        return "loops sum in the result, whose numbers are too short for that";
    return std::nullopt;
  }

  bool canOverwrite(GroupOp group, unsigned input, unsigned result) const override {
    FailureOr<GroupKernel> kernel = analyze(group, KernelStyle::Loops);
    return succeeded(kernel) && kernel->canOverwrite(input, result);
  }

  LogicalResult emitRows(GroupOp group, RowBuilder &rows) const override {
    FailureOr<GroupKernel> kernel = analyze(group, KernelStyle::Loops);
    return failed(kernel) ? failure() : rows.dispatch(group, *kernel);
  }
};

} // namespace

ArrayRef<const Candidate *> espalier::cg::getCPUCandidates() {
  static const OneDNN oneDNN;
  static const Tile tile;
  static const Loops loops;
  static const Candidate *const candidates[] = {&oneDNN, &tile, &loops};
  return candidates;
}

const Candidate *espalier::cg::findCPUCandidate(StringRef name) {
  for (const Candidate *candidate : getCPUCandidates())
    if (candidate->getName() == name)
      return candidate;
  return nullptr;
}
