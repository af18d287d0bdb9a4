//===- BranchSite.cpp - convolutions that blocks can replace --------------===//

#include "BranchSite.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace espalier::cg;

StoragePaths::StoragePaths(GraphOp graph) {
  for (Operation &op : graph.getBody().front())
    if (isa<ParameterOp, StateOp>(op))
      uses[pathOf(&op)] += static_cast<unsigned>(llvm::range_size(op.getUses()));
}

BlockSite BranchSite::describe(bool preserve) {
  ArrayRef<int64_t> extents = filter.getType().getShape();
  WindowAttrs window = conv.getWindow();
  BlockSite site;
  site.input = conv.getInput().getType();
  site.channels = extents[0];
  site.kernel = {extents[2], extents[3]};
  site.strides = window.strides;
  site.pads = {window.padBefore(0), window.padBefore(1)};
  site.dilations = window.dilations;
  site.groups = window.groups;
  site.preserve = preserve;
  return site;
}

std::optional<std::string> espalier::cg::findBranchSite(Conv2dOp conv, const StoragePaths &paths, BranchSite &site) {
  site.conv = conv;
  site.filter = conv.getFilter().getDefiningOp<ParameterOp>();
  if (!site.filter)
    return "its filter is not a parameter";
  ArrayRef<int64_t> extents = site.filter.getType().getShape();
  auto isLarge = [](int64_t size) { return size >= 3 && size % 2 == 1; };
  if (!isLarge(extents[2]) || !isLarge(extents[3]))
    return llvm::formatv("its window is {0}x{1}, not of odd numbers of at least 3", extents[2], extents[3]).str();
  if (paths.uses.lookup(site.filter.getPath()) != 1)
    return "its filter has other uses";
  WindowAttrs window = conv.getWindow();
  for (unsigned dim : {0u, 1u})
    if (window.padBefore(dim) != window.padAfter(dim))
      return "its padding is not the same on opposite sides";
  if (conv.getInput().getType().isDynamicDim(1))
    return "the channels of its input are not known";
  return findBranchNorm(site);
}

std::optional<std::string> espalier::cg::findBranchNorm(BranchSite &site) {
  if (!site.conv->hasOneUse())
    return {};
  Value normalised = site.conv.getResult();
  Operation *user = *site.conv->user_begin();
  if (auto add = dyn_cast<AddOp>(user); add && add->hasOneUse() && add.getType() == site.conv.getType()) {
    Value other = add.getLhs() == normalised ? add.getRhs() : add.getLhs();
    auto reshape = other.getDefiningOp<ReshapeOp>();
    if (!reshape || !reshape.getInput().getDefiningOp<ParameterOp>())
      return {};
    user = *add->user_begin();
    normalised = add.getResult();
    if (!isa<BatchNormOp>(user))
      return {}; // the bias of a convolution without a norm stays behind the block
    site.biased = add;
    site.bias = other;
  }
  if (isa<BatchNormTrainingOp, BatchNormInferenceOp>(user))
    return "its norm is specialised already";
  auto norm = dyn_cast<BatchNormOp>(user);
  if (!norm)
    return {};
  if (!norm.getScale().getDefiningOp<ParameterOp>() || !norm.getShift().getDefiningOp<ParameterOp>() ||
      !norm.getMean().getDefiningOp<StateOp>() || !norm.getVariance().getDefiningOp<StateOp>())
    return "the operands of its norm are not two parameters and two states";
  site.norm = norm;
  return {};
}
