//===- Augmentation.h - What happens to a sample before the net -*- C++ -*-===//
//
// Each augmentation is one record with its keys, and one class. Images pass through pixel stages (bytes), are
// normalised, pass through value stages, and may then be mixed with another sample. All random numbers come from a
// RandomStream of the sample.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_RUNTIME_DATA_AUGMENTATION_H
#define ESPALIER_RUNTIME_DATA_AUGMENTATION_H

#include "espalier/Runtime/Data/Dataset.h"
#include "espalier/Runtime/Data/RandomStream.h"
#include "espalier/Runtime/Data/Resizer.h"

#include <map>
#include <variant>

namespace espalier::rt {

/// Memory that stages use; one for each thread.
struct StageScratch {
  Resizer resizer;
  std::vector<uint8_t> bytes;
  std::vector<float> values;
};

/// Changes the bytes of an image.
class PixelStage {
public:
  virtual ~PixelStage() = default;
  /// The shape that images of `shape` get; a failure if they cannot pass.
  virtual Expected<ImageShape> shapeAfter(const ImageShape &shape) const { return shape; }
  /// `sample.shape` passes shapeAfter().
  virtual void apply(Sample &sample, StageScratch &scratch, RandomStream &random) const = 0;
};

/// Changes normalised values, CHW.
class ValueStage {
public:
  virtual ~ValueStage() = default;
  virtual void apply(Span<float> values, const ImageShape &shape, RandomStream &random) const = 0;
};

/// Mixes the normalised values of another sample into those of one.
class MixStage {
public:
  virtual ~MixStage() = default;
  /// Returns the share of the first sample: the weight of its class.
  virtual double apply(Span<float> values, Span<const float> partner, const ImageShape &shape,
                       RandomStream &random) const = 0;
};

using Augmentation = std::variant<std::unique_ptr<PixelStage>, std::unique_ptr<ValueStage>, std::unique_ptr<MixStage>>;

/// A number that sets an augmentation up.
struct AugmentationKey {
  std::string_view name;
  std::string_view summary;
  double defaultValue;
  double min;
  double max;
  bool isInteger = false;
  bool openMin = false; ///< min itself is not allowed
};

/// Values of the keys of a record, in their order.
using AugmentationValues = std::vector<double>;

/// Everything about one augmentation.
struct AugmentationRecord {
  std::string_view name;
  std::string_view summary;
  std::vector<AugmentationKey> keys;
  /// Names the stage in RandomStream.
  uint32_t stage;
  /// Whether test images may pass through it: it is not random.
  bool isDeterministic;
  /// Whether it needs images; others work on features too.
  bool wantsImages;
  /// Fails on values that do not go together.
  Expected<Augmentation> (*create)(Span<const double> values);

  AugmentationValues defaults() const;
};

/// All augmentations, in the order in which a sample passes through them.
const std::vector<AugmentationRecord> &augmentationRecords();

/// The augmentations that are switched on, by name.
using AugmentationSettings = std::map<std::string, AugmentationValues, std::less<>>;

/// Whether a setting mixes samples: the loss then needs targets that are probabilities.
bool mixesSamples(const AugmentationSettings &settings);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_DATA_AUGMENTATION_H
