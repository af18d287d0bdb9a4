//===- WeightStream.cpp - weights computed part by part -------------------===//

#include "WeightStream.h"

#include "llvm/Support/Parallel.h"

#include <numeric>

using namespace espalier::cg;
using llvm::ArrayRef;
using llvm::MutableArrayRef;

/// What this thread has for parts.
static thread_local std::vector<Numbers> spare;

Scratch::Scratch(size_t size) {
  if (!spare.empty()) {
    numbers = std::move(spare.back());
    spare.pop_back();
  }
  if (numbers.capacity() < size)
    numbers = Numbers(); // so that nothing is copied
  numbers.resize(size);
}

Scratch::~Scratch() {
  constexpr size_t largest = 1 << 20; // threads outlive evaluations
  if (numbers.capacity() <= largest)
    spare.push_back(std::move(numbers));
}

void espalier::cg::forParts(const WeightStream &stream, llvm::function_ref<void(int64_t, int64_t)> work) {
  // What a part needs should stay in a cache of the second level; several for each processor are even work.
  constexpr int64_t largest = 1 << 16, smallest = 1 << 14, numParts = 16;
  int64_t size = stream.size(), grain = stream.grain();
  if (size == 0)
    return;
  int64_t step = std::clamp(size / numParts, std::max<int64_t>(1, smallest / stream.cost()), largest);
  step = std::max(grain, step / grain * grain);
  if (size <= step)
    return work(0, size);
  llvm::parallelFor(0, static_cast<size_t>((size + step - 1) / step), [&](size_t part) {
    int64_t begin = static_cast<int64_t>(part) * step;
    work(begin, std::min(step, size - begin));
  });
}

int64_t espalier::cg::countUnits(const WeightStream &stream, int64_t unit) {
  return unit == 0 ? 1 : stream.grain() / std::gcd(stream.grain(), unit);
}

//===----------------------------------------------------------------------===//
// Padding
//===----------------------------------------------------------------------===//

namespace {

/// Each plane of `from` elements becomes one of `to`; `rows` of `extent` elements lie in it at `places`.
class PadStream final : public WeightStream {
public:
  PadStream(StreamPtr input, int64_t planes, int64_t from, int64_t to, int64_t extent, std::vector<int64_t> places,
            double value)
      : WeightStream(planes * to, countUnits(*input, from) * std::max<int64_t>(1, to), input->cost(),
                     input->depth() + 1),
        input(std::move(input)), from(from), to(to), extent(extent), places(std::move(places)), value(value) {}

  void fill(int64_t begin, MutableArrayRef<double> part) const override {
    int64_t first = begin / to, planes = static_cast<int64_t>(part.size()) / to;
    StreamPart elements(*input, first * from, planes * from);
    llvm::fill(part, value);
    const double *row = elements.data();
    for (int64_t plane = 0; plane < planes; ++plane)
      for (int64_t place : places) {
        std::copy_n(row, extent, part.data() + plane * to + place);
        row += extent;
      }
  }

private:
  StreamPtr input;
  int64_t from, to, extent;
  std::vector<int64_t> places;
  double value;
};

} // namespace

StreamPtr espalier::cg::createPadStream(StreamPtr input, ArrayRef<int64_t> from, ArrayRef<int64_t> low,
                                        ArrayRef<int64_t> to, double value) {
  // Planes are the dimensions that lie behind the leading ones without padding.
  int64_t planes = 1;
  for (; from.size() > 1 && from.front() == to.front();
       from = from.drop_front(), to = to.drop_front(), low = low.drop_front())
    planes *= from.front();
  auto product = [](ArrayRef<int64_t> shape) {
    return std::accumulate(shape.begin(), shape.end(), int64_t(1), std::multiplies<int64_t>());
  };
  int64_t extent = from.back(), rows = planes == 0 ? 0 : product(from.drop_back());
  std::vector<int64_t> places(extent == 0 ? 0 : static_cast<size_t>(rows));
  for (auto [row, place] : llvm::enumerate(places)) {
    int64_t left = static_cast<int64_t>(row), stride = to.back();
    place = low.back();
    for (size_t axis = from.size() - 1; axis-- > 0;) {
      place += (left % from[axis] + low[axis]) * stride;
      left /= from[axis];
      stride *= to[axis];
    }
  }
  return std::make_shared<PadStream>(std::move(input), planes, product(from), product(to), extent, std::move(places),
                                     value);
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

namespace {

class SumStream final : public WeightStream {
public:
  SumStream(StreamPtr input, int64_t size, int64_t count)
      : WeightStream(size, countUnits(*input, count), std::max<int64_t>(1, count) * input->cost(), input->depth() + 1),
        input(std::move(input)), count(count) {}

  void fill(int64_t begin, MutableArrayRef<double> part) const override {
    constexpr int64_t enough = 1 << 15; // elements that stay in a cache
    int64_t step = std::max<int64_t>(1, enough / std::max<int64_t>(1, count * grain())) * grain();
    auto end = static_cast<int64_t>(part.size());
    for (int64_t first = 0; first < end; first += step) {
      int64_t sums = std::min(step, end - first);
      StreamPart elements(*input, (begin + first) * count, sums * count);
      for (int64_t i = 0; i < sums; ++i)
        part[static_cast<size_t>(first + i)] =
            std::accumulate(elements.data() + i * count, elements.data() + (i + 1) * count, 0.0);
    }
  }

private:
  StreamPtr input;
  int64_t count;
};

} // namespace

StreamPtr espalier::cg::createSumStream(StreamPtr input, int64_t size) {
  int64_t count = size == 0 ? 0 : input->size() / size;
  return std::make_shared<SumStream>(std::move(input), size, count);
}
