//===- BranchedConvolution.cpp - one convolution, or a sum of them --------===//

#include "BranchedConvolution.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace espalier::test;

std::vector<double> espalier::test::draw(Generator &random, size_t count, double low, double high) {
  std::uniform_real_distribution<double> distribution(low, high);
  std::vector<double> values(count);
  for (double &value : values)
    value = distribution(random);
  return values;
}

std::vector<Branch> espalier::test::drawBranches(Generator &random, const Window &window) {
  int64_t k = window.extent, middle = k / 2;
  std::vector<Branch> branches = {
      {0, 0, k, k, {}}, {middle, 0, 1, k, {}}, {0, middle, k, 1, {}}, {middle, middle, 1, 1, {}}};
  for (int i = 0; i < 2; ++i)
    branches.push_back({static_cast<int64_t>(random() % static_cast<uint64_t>(k)),
                        static_cast<int64_t>(random() % static_cast<uint64_t>(k)),
                        1,
                        1,
                        {}});
  for (Branch &branch : branches)
    branch.factors = draw(random, static_cast<size_t>(window.outputs), 0.5, 1.5);
  return branches;
}

/// A literal of all values of a tensor.
static std::string literal(const std::vector<double> &values, const std::vector<int64_t> &shape) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "dense<";
  for (size_t i = 0; i < values.size(); ++i) {
    size_t block = 1;
    for (auto extent = shape.rbegin(); extent != shape.rend(); ++extent)
      if (block *= static_cast<size_t>(*extent); i % block == 0)
        os << '[';
    os << llvm::format("%.17e", values[i]);
    block = 1;
    for (auto extent = shape.rbegin(); extent != shape.rend(); ++extent)
      if (block *= static_cast<size_t>(*extent); (i + 1) % block == 0)
        os << ']';
    if (i + 1 < values.size())
      os << ", ";
  }
  os << '>';
  return text;
}

static std::string tensorType(const std::vector<int64_t> &shape) {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text + "f64>";
}

namespace {
/// Writes a graph, from its arguments to its loss.
class GraphWriter {
public:
  explicit GraphWriter(const Window &window) : window(window), os(text) {
    os << "cg.graph @net(%x: " << imageType() << ", %target: " << resultType() << ") -> tensor<f64> {\n";
  }

  std::string imageType() const { return tensorType({2, window.channels, window.size, window.size}); }
  std::string resultType() const { return tensorType({2, window.outputs, window.resultSize(), window.resultSize()}); }
  std::string filterType(int64_t rows, int64_t columns) const {
    return tensorType({window.outputs, window.inputs(), rows, columns});
  }

  void convolve(const std::string &result, const std::string &filter, int64_t rows, int64_t columns) {
    int64_t d = window.dilation, padRows = window.pad + d * (rows - 1) / 2,
            padColumns = window.pad + d * (columns - 1) / 2;
    os << llvm::formatv("%{0} = cg.conv2d %x, %{1} strides [{2}, {2}] pads [{3}, {4}, {3}, {4}] dilations [{5}, {5}] "
                        "groups {6} : {7}, {8}\n",
                        result, filter, window.stride, padRows, padColumns, d, window.groups, imageType(),
                        filterType(rows, columns));
  }

  std::string finish(const std::string &sum) {
    std::string type = resultType();
    os << "%n = cg.tanh %" << sum << " : " << type << "\n"
       << "%difference = cg.sub %n, %target : " << type << ", " << type << "\n"
       << "%square = cg.mul %difference, %difference : " << type << ", " << type << "\n"
       << "%loss = cg.reduce_sum %square {axes = array<i64: 0, 1, 2, 3>} : " << type << "\n"
       << "cg.return %loss : tensor<f64>\n}\n";
    return text;
  }

private:
  Window window;
  std::string text;

public:
  llvm::raw_string_ostream os;
};
} // namespace

std::string espalier::test::plainGraph(const Window &window, const std::vector<double> &scale) {
  GraphWriter writer(window);
  std::vector<int64_t> shape = {window.outputs, 1, window.extent, window.extent};
  writer.os << "%w = cg.parameter \"w\" {cg.gradient_scale = " << literal(scale, shape) << " : " << tensorType(shape)
            << "} : " << writer.filterType(window.extent, window.extent) << "\n";
  writer.convolve("y", "w", window.extent, window.extent);
  return writer.finish("y");
}

std::string espalier::test::branchedGraph(const Window &window, const std::vector<Branch> &branches,
                                          bool trainFactors) {
  GraphWriter writer(window);
  std::vector<int64_t> factorShape = {window.outputs, 1, 1};
  std::string factorType = tensorType(factorShape), type = writer.resultType(), sum;
  for (size_t i = 0; i < branches.size(); ++i) {
    const Branch &branch = branches[i];
    std::string n = std::to_string(i);
    writer.os << "%w" << n << " = cg.parameter \"branch" << n
              << "\" : " << writer.filterType(branch.rows, branch.columns) << "\n";
    int64_t below = window.extent - branch.top - branch.rows, right = window.extent - branch.left - branch.columns;
    if (branch.top == below && branch.left == right) {
      writer.convolve("c" + n, "w" + n, branch.rows, branch.columns);
    } else { // padding on one side more than on the other might have to be negative
      writer.os << llvm::formatv("%p{0} = cg.pad %w{0} {{low = array<i64: 0, 0, {1}, {2}>, high = array<i64: 0, 0, "
                                 "{3}, {4}>, value = 0.0 : f64} "
                                 ": {5}\n",
                                 n, branch.top, branch.left, below, right,
                                 writer.filterType(branch.rows, branch.columns));
      writer.convolve("c" + n, "p" + n, window.extent, window.extent);
    }
    if (trainFactors)
      writer.os << "%a" << n << " = cg.parameter \"factor" << n << "\" : " << factorType << "\n";
    else
      writer.os << "%a" << n << " = cg.constant " << literal(branch.factors, factorShape) << " : " << factorType
                << "\n";
    writer.os << "%y" << n << " = cg.mul %c" << n << ", %a" << n << " : " << type << ", " << factorType << "\n";
    if (i > 0)
      writer.os << "%s" << n << " = cg.add %" << sum << ", %y" << n << " : " << type << ", " << type << "\n";
    sum = (i > 0 ? "s" : "y") + n;
  }
  return writer.finish(sum);
}

/// Calls `visit` with each branch that covers a tap of the window of an output, and the tap.
template <typename Visit>
static void forEachTap(const Window &window, const std::vector<Branch> &branches, Visit visit) {
  for (size_t b = 0; b < branches.size(); ++b)
    for (int64_t o = 0; o < window.outputs; ++o)
      for (int64_t i = 0; i < window.extent; ++i)
        for (int64_t j = 0; j < window.extent; ++j)
          if (branches[b].covers(i, j))
            visit(b, o, i, j);
}

std::vector<double> espalier::test::gradientScale(const Window &window, const std::vector<Branch> &branches,
                                                  int power) {
  std::vector<double> scale(static_cast<size_t>(window.outputs) * window.numTaps());
  forEachTap(window, branches, [&](size_t b, int64_t o, int64_t i, int64_t j) {
    scale[static_cast<size_t>((o * window.extent + i) * window.extent + j)] +=
        branches[b].rate * std::pow(branches[b].factors[static_cast<size_t>(o)], power);
  });
  return scale;
}

std::vector<double> espalier::test::collapse(const Window &window, const std::vector<Branch> &branches,
                                             const std::vector<std::vector<double>> &filters) {
  std::vector<double> filter(static_cast<size_t>(window.outputs * window.inputs()) * window.numTaps());
  forEachTap(window, branches, [&](size_t b, int64_t o, int64_t i, int64_t j) {
    const Branch &branch = branches[b];
    for (int64_t c = 0; c < window.inputs(); ++c) {
      int64_t row = o * window.inputs() + c;
      filter[static_cast<size_t>((row * window.extent + i) * window.extent + j)] +=
          branch.factors[static_cast<size_t>(o)] *
          filters[b][static_cast<size_t>((row * branch.rows + i - branch.top) * branch.columns + j - branch.left)];
    }
  });
  return filter;
}
