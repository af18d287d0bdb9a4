//===- View.h - From a sample to what the net sees --------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_DATA_VIEW_H
#define ESPALIER_RUNTIME_DATA_VIEW_H

#include "espalier/Runtime/Data/Augmentation.h"

namespace espalier::rt {

/// Per channel. Of images on pixels scaled to 0..1: a net sees (pixel / 255 - mean) / deviation. Of features as they
/// are.
struct Normalisation {
  std::vector<double> mean;
  std::vector<double> deviation;
};

/// Mean and population deviation of each channel over the whole set, as it is stored; the deviation of a constant
/// channel is 1. Reads every sample.
Expected<Normalisation> measureNormalisation(const Dataset &dataset);

/// Which version of a sample: with the seed, everything that its random numbers depend on.
struct ViewKey {
  uint64_t seed = 0;
  int64_t epoch = 0;
};

/// How samples of a set become values for a net: pixel stages, normalisation, value stages, mixing.
class View {
public:
  enum class Use { Training, Evaluation };

  /// Memory that reading uses; one for each thread.
  struct Scratch {
    Sample sample;
    StageScratch stages;
    std::vector<float> partner;
  };

  /// A view of samples that are stored in one shape. InvalidInput if a stage does not fit them, or if a random stage is
  /// to be used for evaluation.
  static Expected<View> create(const ImageShape &stored, SampleKind kind, const Normalisation &normalisation,
                               const AugmentationSettings &settings, Use use);
  /// A view of samples like those of `dataset`.
  static Expected<View> create(const Dataset &dataset, const Normalisation &normalisation,
                               const AugmentationSettings &settings, Use use);

  /// Of every sample that a net sees.
  const ImageShape &shape() const { return outputShape; }
  const Normalisation &normalisation() const { return normaliser; }
  /// Whether samples are mixed, so that a sample has more than one class.
  bool mixes() const { return !mixStages.empty(); }

  /// Fails on the first sample of a size that cannot be seen. Reads all samples, but only where they may differ in size
  /// and no stage makes them the same.
  Status checkSizes(const Dataset &dataset) const;

  /// Writes sample `index` of `dataset`, which is like the one of create(), as `key` lets it be seen: `values`, CHW,
  /// and the probability of each class to `targets`, unless that is empty.
  Status read(const Dataset &dataset, int64_t index, const ViewKey &key, Span<float> values, Span<float> targets,
              Scratch &scratch) const;

  /// Turns one sample into values, CHW, without mixing. The sample, whose pixels are changed, is of the shape and kind
  /// of create(); `index` stands for it in random numbers.
  void show(Sample &sample, int64_t index, const ViewKey &key, Span<float> values, StageScratch &scratch) const;

private:
  template <typename Stage> struct Named {
    uint32_t name;
    std::shared_ptr<const Stage> stage;
  };

  /// The shape that an image of `shape` is seen in, which must be outputShape; `dataset` and `index` are for the
  /// message.
  Status checkShape(const Dataset &dataset, int64_t index, ImageShape shape) const;
  Status readAlone(const Dataset &dataset, int64_t index, const ViewKey &key, Span<float> values,
                   Scratch &scratch) const;
  void normalise(const Sample &sample, Span<float> values) const;

  SampleKind kind = SampleKind::Image;
  ImageShape outputShape;
  Normalisation normaliser;
  std::vector<float> table; ///< the normalised value of each byte, 256 entries per channel
  std::vector<Named<PixelStage>> pixelStages;
  std::vector<Named<ValueStage>> valueStages;
  std::vector<Named<MixStage>> mixStages;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_DATA_VIEW_H
