//===- Stages.h - The records of the augmentations --------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_LEARN_DATA_AUGMENT_STAGES_H
#define ESPALIER_RUNTIME_LEARN_DATA_AUGMENT_STAGES_H

#include "espalier/Runtime/Data/Augmentation.h"

namespace espalier::rt {

AugmentationRecord resizeRecord();
AugmentationRecord randomResizedCropRecord();
AugmentationRecord centreCropRecord();
AugmentationRecord cropRecord();
AugmentationRecord flipRecord();
AugmentationRecord colourJitterRecord();
AugmentationRecord cutoutRecord();
AugmentationRecord mixupRecord();
AugmentationRecord cutmixRecord();

/// The name of a stage in RandomStream: four letters.
constexpr uint32_t stageName(const char (&letters)[5]) {
  return uint32_t(letters[0]) << 24 | uint32_t(letters[1]) << 16 | uint32_t(letters[2]) << 8 | uint32_t(letters[3]);
}

constexpr double maxImageSize = 16384;

/// The key `probability` that several augmentations have.
constexpr AugmentationKey probabilityKey(double defaultValue) {
  return {"probability", "share of the samples that it changes", defaultValue, 0, 1};
}

/// `std::unique_ptr<Base>(new Stage(...))` as an Augmentation.
template <typename Base, typename Stage> Expected<Augmentation> makeStage(Stage stage) {
  return Augmentation(std::unique_ptr<Base>(std::make_unique<Stage>(std::move(stage))));
}

/// Copies the pixels inside `box` to the front of a buffer and makes them the sample's.
void cropTo(Sample &sample, const Box &box, StageScratch &scratch);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_LEARN_DATA_AUGMENT_STAGES_H
