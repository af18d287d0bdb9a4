//===- BranchWeights.cpp - the weights of blocks that are edited ----------===//

#include "BranchWeights.h"

#include "../common/Compile.h"

#include "espalier/Analysis/WeightEvaluator.h"
#include "espalier/Transforms/ParameterPaths.h"

#include <cmath>

using namespace espalier;
using namespace espalier::tools;

rt::Span<const float> espalier::tools::elements(const rt::TensorMap &tensors, llvm::StringRef path) {
  return tensors.at(path.str()).elements<float>();
}

rt::Span<float> espalier::tools::elements(rt::TensorMap &tensors, llvm::StringRef path) {
  return tensors.at(path.str()).elements<float>();
}

rt::Expected<FoldedFilter> espalier::tools::evaluateBlock(mlir::ModuleOp folded, const rt::TensorMap &tensors) {
  cg::GraphOp graph = *folded.getOps<cg::GraphOp>().begin();
  auto sizeOf = [&](unsigned index) {
    return static_cast<size_t>(llvm::cast<mlir::RankedTensorType>(graph.getResultTypes()[index]).getNumElements());
  };
  FoldedFilter result{std::vector<double>(sizeOf(0)), std::vector<double>(sizeOf(1))};
  auto read = [&](mlir::Operation *op) -> mlir::FailureOr<cg::WeightSource> {
    return cg::WeightSource(
        [from = elements(tensors, cg::pathOf(op->getResult(0)))](int64_t offset, llvm::MutableArrayRef<double> values) {
          std::copy_n(from.data() + offset, values.size(), values.begin());
        });
  };
  auto write = [&](unsigned index, int64_t offset, llvm::ArrayRef<double> values) {
    llvm::copy(values, (index == 0 ? result.filter : result.bias).begin() + offset);
  };
  if (failed(cg::evaluateWeights(graph, read, write)))
    return reported();
  return result;
}

/// What the norm of the main convolution multiplies each channel by.
static std::vector<double> factorsOf(cg::BranchBlock &block, const rt::TensorMap &tensors) {
  rt::Span<const float> scale = elements(tensors, cg::pathOf(block.norm.getScale())),
                        variance = elements(tensors, cg::pathOf(block.norm.getVariance()));
  double epsilon = block.norm.getEpsilon().convertToDouble();
  std::vector<double> factors(scale.size());
  for (size_t o = 0; o < factors.size(); ++o)
    factors[o] = scale[o] / std::sqrt(variance[o] + epsilon);
  return factors;
}

std::vector<size_t> espalier::tools::findDeadChannels(cg::BranchBlock &block, const FoldedFilter &before,
                                                      const FoldedFilter &after, const rt::TensorMap &tensors) {
  constexpr double maxGrowth = 1000;
  std::vector<double> factors = factorsOf(block, tensors);
  double largest = 0;
  for (float weight : elements(tensors, block.filter.getPath()))
    largest = std::max(largest, double(std::abs(weight)));
  std::vector<size_t> dead;
  size_t window = before.filter.size() / factors.size();
  for (size_t o = 0; o < factors.size(); ++o) {
    double change = 0;
    for (size_t i = o * window; i < (o + 1) * window; ++i)
      change = std::max(change, std::abs(before.filter[i] - after.filter[i]));
    // Not finite counts as dead, too.
    if (!(change == 0 || change / std::abs(factors[o]) <= maxGrowth * largest))
      dead.push_back(o);
  }
  return dead;
}

void espalier::tools::makeUpFor(cg::BranchBlock &block, const FoldedFilter &before, const FoldedFilter &after,
                                rt::TensorMap &tensors) {
  std::vector<double> factors = factorsOf(block, tensors);
  rt::Span<float> filter = elements(tensors, block.filter.getPath()),
                  shift = elements(tensors, cg::pathOf(block.norm.getShift()));
  size_t window = filter.size() / factors.size();
  for (size_t o = 0; o < factors.size(); ++o) {
    for (size_t i = o * window; i < (o + 1) * window; ++i)
      if (double change = before.filter[i] - after.filter[i]; change != 0)
        filter[i] = static_cast<float>(filter[i] + change / factors[o]);
    shift[o] = static_cast<float>(shift[o] + before.bias[o] - after.bias[o]);
  }
}

double espalier::tools::meanMagnitude(rt::Span<const float> values) {
  double sum = 0;
  for (float value : values)
    sum += std::abs(value);
  return sum / static_cast<double>(values.size());
}

void espalier::tools::averageBatches(cg::BatchNormOp norm, const rt::TensorMap &running, int64_t count,
                                     rt::TensorMap &tensors) {
  double kept = std::pow(1 - norm.getMomentum().convertToDouble(), static_cast<double>(count));
  for (mlir::Value state : {norm.getMean(), norm.getVariance()}) {
    rt::Span<const float> after = elements(running, cg::pathOf(state));
    rt::Span<float> statistics = elements(tensors, cg::pathOf(state));
    for (size_t i = 0; i < statistics.size() && kept < 1; ++i)
      statistics[i] = static_cast<float>((after[i] - kept * statistics[i]) / (1 - kept));
  }
  for (float &variance : elements(tensors, cg::pathOf(norm.getVariance())))
    variance = std::max(variance, 0.0f); // which rounding may pass
}

void espalier::tools::renormalise(cg::BatchNormOp norm, const rt::TensorMap &running, int64_t count,
                                  rt::TensorMap &tensors) {
  auto copy = [&](mlir::Value stored) {
    rt::Span<const float> values = elements(tensors, cg::pathOf(stored));
    return std::vector<double>(values.begin(), values.end());
  };
  std::vector<double> mean = copy(norm.getMean()), variance = copy(norm.getVariance());
  averageBatches(norm, running, count, tensors);
  rt::Span<float> scale = elements(tensors, cg::pathOf(norm.getScale())),
                  shift = elements(tensors, cg::pathOf(norm.getShift()));
  rt::Span<const float> newMean = elements(tensors, cg::pathOf(norm.getMean())),
                        newVariance = elements(tensors, cg::pathOf(norm.getVariance()));
  double epsilon = norm.getEpsilon().convertToDouble();
  for (size_t o = 0; o < scale.size(); ++o) {
    double factor = scale[o] / std::sqrt(variance[o] + epsilon);
    scale[o] = static_cast<float>(factor * std::sqrt(newVariance[o] + epsilon));
    shift[o] = static_cast<float>(shift[o] + factor * (newMean[o] - mean[o]));
  }
}
