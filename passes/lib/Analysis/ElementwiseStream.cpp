//===- ElementwiseStream.cpp - arithmetic on parts of weights -------------===//

#include "ElementwiseStream.h"

using namespace espalier::cg;
using llvm::ArrayRef;
using llvm::SmallVector;

SmallVector<ElementwiseAxis> espalier::cg::findAxes(ArrayRef<int64_t> result, ArrayRef<int64_t> lhs,
                                                    ArrayRef<int64_t> rhs) {
  SmallVector<ElementwiseAxis> axes; // innermost first
  int64_t lhsStride = 1, rhsStride = 1;
  auto next = [](ArrayRef<int64_t> &shape, int64_t &stride) {
    int64_t extent = shape.empty() ? 1 : shape.back(), step = extent == 1 ? 0 : stride;
    shape = shape.drop_back(shape.empty() ? 0 : 1);
    stride *= extent;
    return step;
  };
  for (int64_t extent : llvm::reverse(result)) {
    ElementwiseAxis axis{extent, next(lhs, lhsStride), next(rhs, rhsStride)};
    if (extent == 1)
      continue;
    if (!axes.empty() && axis.lhs == axes.back().lhs * axes.back().extent &&
        axis.rhs == axes.back().rhs * axes.back().extent)
      axes.back().extent *= extent;
    else
      axes.push_back(axis);
  }
  if (axes.empty())
    axes.push_back({1, 0, 0});
  std::reverse(axes.begin(), axes.end());
  return axes;
}
