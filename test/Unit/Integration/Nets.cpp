//===- Nets.cpp - networks of the zoo, ready to be trained in float64 -----===//

#include "Nets.h"
#include "../TestRegistry.h"

#include "espalier/Frontend/DSL.h"

#include "llvm/Support/MemoryBuffer.h"

#include <cmath>

using namespace espalier;
using namespace mlir;

integration::LoadedNet::LoadedNet(const Net &net, double smoothing)
    : name(net.name), classes(net.classes), context(makeRegistry(), MLIRContext::Threading::DISABLED) {
  context.loadAllAvailableDialects();
  SourceMgrDiagnosticHandler handler(sources, &context);
  std::string path = std::string(ESPALIER_SOURCE_DIR "/") + net.folder + "/" + name + ".esp";
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!file)
    return;
  sources.AddNewSourceBuffer(std::move(*file), llvm::SMLoc());
  ArchitectureOptions options;
  options.losses = {"cross_entropy"};
  options.lossNumbers = {{"smoothing", smoothing}};
  module = parseArchitecture(sources, &context, options);
  if (!module)
    return;
  // Dropout draws numbers of its own in each framework.
  module->walk([](cg::DropoutOp dropout) { dropout.setRateAttr(Builder(dropout).getF64FloatAttr(0.0)); });
}

TrainingOptions integration::LoadedNet::trainingOptions(const golden::Golden &golden) const {
  TrainingOptions options;
  options.network = name;
  options.loss = name + ".cross_entropy";
  options.precision = Precision::F64;
  // Gradients at 224 would take minutes in the reference evaluator.
  std::string size = std::to_string(golden.size);
  options.sizes = {"N=" + std::to_string(golden.batch), "H=" + size, "W=" + size};
  return options;
}

double integration::norm(const std::vector<double> &values) {
  double square = 0.0;
  for (double value : values)
    square += value * value;
  return std::sqrt(square);
}

double integration::relativeError(const std::vector<double> &a, const std::vector<double> &b) {
  std::vector<double> difference(b.size());
  for (size_t i = 0; i < b.size(); ++i)
    difference[i] = a.at(i) - b[i];
  return norm(difference) / norm(b);
}
