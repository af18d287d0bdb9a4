//===- WeightStream.h - weights computed part by part -----------*- C++ -*-===//
//
// Expressions of weights are chains of operations over tensors that no cache holds, so that each operation on its own
// would wait for memory. Streams compute a whole chain for one part of its elements after another: what lies between
// two operations stays in a cache, and has no memory of its own.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_LIB_ANALYSIS_WEIGHTSTREAM_H
#define ESPALIER_LIB_ANALYSIS_WEIGHTSTREAM_H

#include "espalier/Analysis/WeightEvaluator.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

namespace espalier::cg {

/// Leaves new elements as they are.
template <typename T> struct RawAllocator : std::allocator<T> {
  template <typename U> struct rebind {
    using other = RawAllocator<U>;
  };
  template <typename U> void construct(U *) {}
};

/// Fresh memory is written for the first time by the threads that fill it: mapping its pages takes longer than that.
using Numbers = std::vector<double, RawAllocator<double>>;

/// Memory for a part, of any content. A thread uses it again: mapping fresh pages takes longer than filling them.
class Scratch {
public:
  explicit Scratch(size_t size);
  ~Scratch();
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;

  double *data() { return numbers.data(); }

private:
  Numbers numbers;
};

/// A tensor of float64, row-major, whose elements are computed where and when they are used.
class WeightStream {
public:
  virtual ~WeightStream() = default;

  /// Elements of the tensor.
  int64_t size() const { return numElements; }
  /// Parts begin at multiples of it, and end there or at the end of the tensor.
  int64_t grain() const { return smallestPart; }
  /// Elements looked at for one of this tensor, about.
  int64_t cost() const { return costOfElement; }
  /// Streams on the longest way to one that needs no computation: numbers in memory, or weights that are read.
  int64_t depth() const { return numBelow; }
  /// All elements, where they are in memory; else null.
  virtual const double *stored() const { return nullptr; }

  /// Computes the elements [begin, begin + part.size()), which are not none. Several threads may do so at once.
  virtual void fill(int64_t begin, llvm::MutableArrayRef<double> part) const = 0;

protected:
  WeightStream(int64_t size, int64_t grain, int64_t cost, int64_t depth)
      : numElements(size), smallestPart(grain), costOfElement(cost), numBelow(depth) {}

private:
  int64_t numElements, smallestPart, costOfElement, numBelow;
};

using StreamPtr = std::shared_ptr<const WeightStream>;

/// Calls `work(begin, count)` for the parts of a stream, on all processors where they are much.
void forParts(const WeightStream &stream, llvm::function_ref<void(int64_t begin, int64_t count)> work);

/// The smallest number of `unit` elements each that ends where a part of `stream` may.
int64_t countUnits(const WeightStream &stream, int64_t unit);

/// Elements of a stream: those in memory, or a copy.
class StreamPart {
public:
  StreamPart(const WeightStream &stream, int64_t begin, int64_t count) {
    if (const double *all = stream.stored()) {
      elements = all + begin;
      return;
    }
    elements = scratch.emplace(static_cast<size_t>(count)).data();
    if (count != 0)
      stream.fill(begin, {scratch->data(), static_cast<size_t>(count)});
  }
  const double *data() const { return elements; }

private:
  std::optional<Scratch> scratch;
  const double *elements;
};

//===----------------------------------------------------------------------===//
// Streams
//===----------------------------------------------------------------------===//

/// Numbers in memory, counted in `alive` for as long as they are there.
class StoredStream final : public WeightStream {
public:
  StoredStream(Numbers numbers, int64_t &alive)
      : WeightStream(static_cast<int64_t>(numbers.size()), 1, 1, 0), numbers(std::move(numbers)), alive(alive) {
    alive += size();
  }
  ~StoredStream() override { alive -= size(); }
  const double *stored() const override { return numbers.data(); }
  void fill(int64_t begin, llvm::MutableArrayRef<double> part) const override {
    std::copy_n(numbers.data() + begin, part.size(), part.data());
  }

private:
  Numbers numbers;
  int64_t &alive;
};

/// Weights that are read.
class SourceStream final : public WeightStream {
public:
  SourceStream(int64_t size, WeightSource source) : WeightStream(size, 1, 1, 0), source(std::move(source)) {}
  void fill(int64_t begin, llvm::MutableArrayRef<double> part) const override { source(begin, part); }

private:
  WeightSource source;
};

/// `input` between elements of one value: `low` before it along each dimension, `shape` of the result.
StreamPtr createPadStream(StreamPtr input, llvm::ArrayRef<int64_t> inputShape, llvm::ArrayRef<int64_t> low,
                          llvm::ArrayRef<int64_t> shape, double value);

/// Sums, `size` ones, each over as many elements that follow each other.
StreamPtr createSumStream(StreamPtr input, int64_t size);

/// The filter of two convolutions: `Conv2dInputGradientOp` of `outer` and `inner`, which is in memory.
StreamPtr createCompositionStream(Conv2dInputGradientOp op, StreamPtr outer, StreamPtr inner);

} // namespace espalier::cg

#endif // ESPALIER_LIB_ANALYSIS_WEIGHTSTREAM_H
