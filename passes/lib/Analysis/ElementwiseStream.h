//===- ElementwiseStream.h - arithmetic on parts of weights -----*- C++ -*-===//

#ifndef ESPALIER_LIB_ANALYSIS_ELEMENTWISESTREAM_H
#define ESPALIER_LIB_ANALYSIS_ELEMENTWISESTREAM_H

#include "WeightStream.h"

#include <numeric>

namespace espalier::cg {

/// One loop of a nest over a result, row-major, and how far two operands go on in it.
struct ElementwiseAxis {
  int64_t extent, lhs, rhs;
};

/// The loops over `result` with operands that broadcast to it: as few as there can be, and at least one. Along the last
/// one operands go on by 1 or 0.
llvm::SmallVector<ElementwiseAxis> findAxes(llvm::ArrayRef<int64_t> result, llvm::ArrayRef<int64_t> lhs,
                                            llvm::ArrayRef<int64_t> rhs);

/// `combine` of the elements of two operands; one with fewer elements than the result is in memory.
template <typename Combine> class ElementwiseStream final : public WeightStream {
public:
  ElementwiseStream(int64_t size, StreamPtr lhs, StreamPtr rhs, llvm::SmallVector<ElementwiseAxis> axes,
                    Combine combine)
      : WeightStream(size, std::lcm(grainOf(*lhs, size), grainOf(*rhs, size)), std::max(lhs->cost(), rhs->cost()),
                     std::max(lhs->depth(), rhs->depth()) + 1),
        lhs(std::move(lhs)), rhs(std::move(rhs)), axes(std::move(axes)), combine(combine) {}

  void fill(int64_t begin, llvm::MutableArrayRef<double> part) const override {
    bool isPartUsed = false;
    std::optional<Scratch> scratch;
    // Where the elements of an operand are, and which is the first of them.
    auto locate = [&](const WeightStream &operand) -> std::pair<const double *, int64_t> {
      if (const double *stored = operand.stored())
        return {stored, 0};
      double *place = std::exchange(isPartUsed, true) ? scratch.emplace(part.size()).data() : part.data();
      operand.fill(begin, {place, part.size()});
      return {place, begin};
    };
    auto left = locate(*lhs), right = lhs == rhs ? left : locate(*rhs);
    int64_t extent = axes.back().extent, end = begin + static_cast<int64_t>(part.size());
    for (int64_t index = begin; index < end;) {
      int64_t column = index % extent, row = index / extent, count = std::min(extent - column, end - index);
      int64_t lhsOffset = column * axes.back().lhs - left.second, rhsOffset = column * axes.back().rhs - right.second;
      for (const ElementwiseAxis &axis : llvm::reverse(llvm::ArrayRef(axes).drop_back())) {
        lhsOffset += row % axis.extent * axis.lhs;
        rhsOffset += row % axis.extent * axis.rhs;
        row /= axis.extent;
      }
      combineRow(part.data() + (index - begin), left.first + lhsOffset, right.first + rhsOffset, count);
      index += count;
    }
  }

private:
  static int64_t grainOf(const WeightStream &operand, int64_t size) {
    return operand.size() == size ? operand.grain() : 1;
  }

  /// `out` may be one of the operands.
  void combineRow(double *out, const double *a, const double *b, int64_t count) const {
    const ElementwiseAxis &axis = axes.back();
    if (axis.lhs && axis.rhs)
      for (int64_t i = 0; i < count; ++i)
        out[i] = combine(a[i], b[i]);
    else if (double same = axis.lhs ? *b : *a; axis.lhs)
      for (int64_t i = 0; i < count; ++i)
        out[i] = combine(a[i], same);
    else if (axis.rhs)
      for (int64_t i = 0; i < count; ++i)
        out[i] = combine(same, b[i]);
    else
      std::fill_n(out, count, combine(*a, *b));
  }

  StreamPtr lhs, rhs;
  llvm::SmallVector<ElementwiseAxis> axes;
  Combine combine;
};

} // namespace espalier::cg

#endif // ESPALIER_LIB_ANALYSIS_ELEMENTWISESTREAM_H
