//===- Augmentations.cpp - The table of augmentations ---------------------===//

#include "Stages.h"

#include <algorithm>

using namespace espalier::rt;

AugmentationValues AugmentationRecord::defaults() const {
  AugmentationValues values;
  for (const AugmentationKey &key : keys)
    values.push_back(key.defaultValue);
  return values;
}

const std::vector<AugmentationRecord> &espalier::rt::augmentationRecords() {
  static const std::vector<AugmentationRecord> records = {
      resizeRecord(), randomResizedCropRecord(), centreCropRecord(), cropRecord(),
      flipRecord(),   colourJitterRecord(),      cutoutRecord(),     mixupRecord(),
      cutmixRecord(),
  };
  return records;
}

bool espalier::rt::mixesSamples(const AugmentationSettings &settings) {
  return std::any_of(augmentationRecords().begin(), augmentationRecords().end(), [&](const AugmentationRecord &record) {
    auto setting = settings.find(record.name);
    if (setting == settings.end())
      return false;
    Expected<Augmentation> stage = record.create(setting->second);
    return stage && std::holds_alternative<std::unique_ptr<MixStage>>(*stage);
  });
}

void espalier::rt::cropTo(Sample &sample, const Box &box, StageScratch &scratch) {
  const ImageShape &shape = sample.shape;
  scratch.bytes.resize(static_cast<size_t>(shape.channels * box.height * box.width));
  uint8_t *target = scratch.bytes.data();
  for (int64_t c = 0; c < shape.channels; ++c)
    for (int64_t y = 0; y < box.height; ++y) {
      const uint8_t *row = sample.pixels.data() + (c * shape.height + box.top + y) * shape.width + box.left;
      target = std::copy_n(row, box.width, target);
    }
  std::swap(sample.pixels, scratch.bytes);
  sample.shape = {shape.channels, box.height, box.width};
}
