//===- ProgramProvider.h - Networks that change while they train -*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_TRAIN_PROGRAMPROVIDER_H
#define ESPALIER_RUNTIME_TRAIN_PROGRAMPROVIDER_H

#include "espalier/Runtime/Train/Trainer.h"

namespace espalier::rt {

/// Makes the programs of a network that changes between two epochs: the runtime compiles nothing itself.
class ProgramProvider {
public:
  virtual ~ProgramProvider() = default;

  /// Called before the first step of each epoch for which the recipe wants that (Recipe::growsBranches). May replace
  /// the trainer's programs and tensors. Then it adds to `position.edits` what a run that goes on from a later
  /// checkpoint has to do to the network first, and `identity` says what computes from now on. Depends on the trainer's
  /// tensors, the recipe and the position alone, so that a run which is stopped before or after it comes to the same
  /// network. On failure the run ends.
  virtual Status edit(Trainer &trainer, RunPosition &position, RunIdentity &identity) = 0;

  /// Writes what people need to read weights from step `step` on.
  virtual Status save(int64_t step) const = 0;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_TRAIN_PROGRAMPROVIDER_H
