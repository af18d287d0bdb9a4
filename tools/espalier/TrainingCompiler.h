//===- TrainingCompiler.h - the programs of a training run ------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_TRAININGCOMPILER_H
#define ESPALIER_TOOLS_ESPALIER_TRAININGCOMPILER_H

#include "Console.h"
#include "Network.h"
#include "TrainingProgram.h"

#include "espalier/Runtime/Train/Trainer.h"

namespace espalier::tools {

/// What the graphs of a training run were compiled to.
struct CompiledTraining {
  rt::TrainingPrograms programs;
  TrainingArtifact artifact; ///< of the step
};

/// Compiles all programs of a training run, again whenever its network changes.
class TrainingCompiler {
public:
  TrainingCompiler(const rt::Recipe &recipe, const std::string &loss, const NetworkFlags &network,
                   const TargetFlags &target, const Console &console)
      : recipe(recipe), loss(loss), network(network), target(target), console(console) {}

  /// Sizes for a batch of images that the network sees in the shape `image`.
  rt::Expected<SizeBindings> bindSizes(cg::GraphOp graph, int64_t batch, const rt::ImageShape &image) const;

  /// `graph`, with the graphs of its loss and its metrics beside it.
  rt::Expected<CompiledTraining> compile(cg::GraphOp graph) const;

  /// \name Of the data, once that is known.
  /// @{
  rt::ImageShape trainShape, testShape; ///< that the network sees, after augmentation
  int64_t testSize = 0;                 ///< samples
  /// @}

private:
  const rt::Recipe &recipe;
  const std::string &loss;
  const NetworkFlags &network;
  const TargetFlags &target;
  const Console &console;
};

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_TRAININGCOMPILER_H
