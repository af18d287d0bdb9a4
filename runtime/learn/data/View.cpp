//===- View.cpp - From a sample to what the net sees ----------------------===//

#include "espalier/Runtime/Data/View.h"

#include "espalier/Runtime/Core/Text.h"

#include <algorithm>
#include <cmath>

using namespace espalier::rt;

static constexpr int numByteValues = 256;
/// Names the choices that View makes itself in RandomStream.
static constexpr uint32_t partnerStage = 0x70617274; // "part"

//===----------------------------------------------------------------------===//
// Normalisation
//===----------------------------------------------------------------------===//

static double deviationOf(double squares, double mean) {
  double deviation = std::sqrt(std::max(squares - mean * mean, 0.0));
  return deviation > 0 ? deviation : 1;
}

static Expected<Normalisation> measureImages(const Dataset &dataset) {
  int64_t channels = dataset.shape().channels;
  // Counting the values of the bytes keeps the sums exact, whatever the order.
  std::vector<int64_t> histogram(static_cast<size_t>(channels * numByteValues));
  int64_t numPixels = 0;
  Sample sample;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    if (Status status = dataset.read(i, sample); !status.ok())
      return status;
    int64_t pixelsPerImage = sample.shape.height * sample.shape.width;
    numPixels += pixelsPerImage;
    const uint8_t *pixel = sample.pixels.data();
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t p = 0; p < pixelsPerImage; ++p)
        ++histogram[c * numByteValues + *pixel++];
  }
  Normalisation result;
  double count = static_cast<double>(numPixels);
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0, squares = 0;
    for (int value = 0; value < numByteValues; ++value) {
      double occurrences = static_cast<double>(histogram[c * numByteValues + value]);
      sum += occurrences * value;
      squares += occurrences * value * value;
    }
    double deviation = deviationOf(squares / count, sum / count);
    result.mean.push_back(sum / count / 255);
    result.deviation.push_back(squares / count > sum / count * (sum / count) ? deviation / 255 : 1);
  }
  return result;
}

static Expected<Normalisation> measureFeatures(const Dataset &dataset) {
  size_t numFeatures = static_cast<size_t>(dataset.shape().channels);
  double count = static_cast<double>(dataset.size());
  // Two passes: the squares of large features would lose their deviation.
  Normalisation result{std::vector<double>(numFeatures), std::vector<double>(numFeatures)};
  Sample sample;
  for (bool isFirst : {true, false}) {
    for (int64_t i = 0; i < dataset.size(); ++i) {
      if (Status status = dataset.read(i, sample); !status.ok())
        return status;
      for (size_t f = 0; f < numFeatures; ++f) {
        double offset = sample.features[f] - result.mean[f];
        isFirst ? result.deviation[f] += sample.features[f] : result.deviation[f] += offset * offset;
      }
    }
    if (isFirst)
      for (size_t f = 0; f < numFeatures; ++f)
        result.mean[f] = std::exchange(result.deviation[f], 0) / count;
  }
  for (double &deviation : result.deviation)
    deviation = deviation > 0 ? std::sqrt(deviation / count) : 1;
  return result;
}

Expected<Normalisation> espalier::rt::measureNormalisation(const Dataset &dataset) {
  return dataset.kind() == SampleKind::Image ? measureImages(dataset) : measureFeatures(dataset);
}

//===----------------------------------------------------------------------===//
// View
//===----------------------------------------------------------------------===//

Expected<View> View::create(const ImageShape &stored, SampleKind kind, const Normalisation &normalisation,
                            const AugmentationSettings &settings, Use use) {
  size_t channels = static_cast<size_t>(stored.channels);
  if (normalisation.mean.size() != channels || normalisation.deviation.size() != channels)
    return invalidInput("normalisation expects {} means and deviations, one for each channel, but got {} and {}",
                        channels, normalisation.mean.size(), normalisation.deviation.size());
  View view;
  view.kind = kind;
  view.outputShape = stored;
  view.normaliser = normalisation;
  for (size_t c = 0; c < channels; ++c)
    for (int value = 0; value < numByteValues; ++value)
      view.table.push_back(static_cast<float>((value / 255.0 - normalisation.mean[c]) / normalisation.deviation[c]));
  for (const AugmentationRecord &record : augmentationRecords()) {
    auto setting = settings.find(record.name);
    if (setting == settings.end())
      continue;
    if (use == Use::Evaluation && !record.isDeterministic)
      return invalidInput("'{}' is random and cannot be used for evaluation", record.name);
    if (record.wantsImages && kind != SampleKind::Image)
      return invalidInput("'{}' expects images, but the data set has {} features", record.name, channels);
    Expected<Augmentation> stage = record.create(setting->second);
    if (!stage)
      return stage.takeStatus();
    if (auto *pixels = std::get_if<std::unique_ptr<PixelStage>>(&*stage)) {
      Expected<ImageShape> shape = (*pixels)->shapeAfter(view.outputShape);
      if (!shape)
        return shape.takeStatus();
      view.outputShape = *shape;
      view.pixelStages.push_back({record.stage, std::move(*pixels)});
    } else if (auto *values = std::get_if<std::unique_ptr<ValueStage>>(&*stage)) {
      view.valueStages.push_back({record.stage, std::move(*values)});
    } else {
      view.mixStages.push_back({record.stage, std::move(std::get<std::unique_ptr<MixStage>>(*stage))});
    }
  }
  return view;
}

Expected<View> View::create(const Dataset &dataset, const Normalisation &normalisation,
                            const AugmentationSettings &settings, Use use) {
  return create(dataset.shape(), dataset.kind(), normalisation, settings, use);
}

void View::normalise(const Sample &sample, Span<float> values) const {
  float *target = values.begin();
  if (kind == SampleKind::Features) {
    for (size_t f = 0; f < values.size(); ++f)
      *target++ = static_cast<float>((sample.features[f] - normaliser.mean[f]) / normaliser.deviation[f]);
    return;
  }
  int64_t pixelsPerImage = outputShape.height * outputShape.width;
  const uint8_t *pixel = sample.pixels.data();
  for (int64_t c = 0; c < outputShape.channels; ++c) {
    const float *entries = &table[c * numByteValues];
    for (int64_t p = 0; p < pixelsPerImage; ++p)
      *target++ = entries[*pixel++];
  }
}

Status View::checkShape(const Dataset &dataset, int64_t index, ImageShape shape) const {
  ImageShape stored = shape;
  for (const Named<PixelStage> &named : pixelStages) {
    Expected<ImageShape> next = named.stage->shapeAfter(shape);
    if (!next)
      return next.takeStatus().in(dataset.locate(index));
    shape = *next;
  }
  if (shape == outputShape)
    return {};
  return invalidInput("{}: expected an image of {} like the first one, but got {}; 'resize' or 'random_resized_crop' "
                      "makes all the same size",
                      dataset.locate(index), formatShape(dataset.shape()), formatShape(stored));
}

Status View::checkSizes(const Dataset &dataset) const {
  ImageShape other = dataset.shape();
  other.height += 1;
  other.width += 3;
  if (dataset.hasOneSize() || checkShape(dataset, 0, other).ok())
    return {};
  Sample sample;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    if (Status status = dataset.read(i, sample); !status.ok())
      return status;
    if (Status status = checkShape(dataset, i, sample.shape); !status.ok())
      return status;
  }
  return {};
}

Status View::readAlone(const Dataset &dataset, int64_t index, const ViewKey &key, Span<float> values,
                       Scratch &scratch) const {
  Sample &sample = scratch.sample;
  if (Status status = dataset.read(index, sample); !status.ok())
    return status;
  if (Status status = checkShape(dataset, index, sample.shape); !status.ok())
    return status;
  show(sample, index, key, values, scratch.stages);
  return {};
}

void View::show(Sample &sample, int64_t index, const ViewKey &key, Span<float> values, StageScratch &scratch) const {
  for (const Named<PixelStage> &named : pixelStages) {
    RandomStream random(key.seed, key.epoch, index, named.name);
    named.stage->apply(sample, scratch, random);
  }
  normalise(sample, values);
  for (const Named<ValueStage> &named : valueStages) {
    RandomStream random(key.seed, key.epoch, index, named.name);
    named.stage->apply(values, outputShape, random);
  }
}

Status View::read(const Dataset &dataset, int64_t index, const ViewKey &key, Span<float> values, Span<float> targets,
                  Scratch &scratch) const {
  assert(values.size() == static_cast<size_t>(outputShape.numElements()) && "room for another shape");
  if (Status status = readAlone(dataset, index, key, values, scratch); !status.ok())
    return status;
  std::fill(targets.begin(), targets.end(), 0.0f);
  double share = 1;
  if (!mixStages.empty()) {
    // The partner is seen as it is itself in this epoch, before it is mixed.
    RandomStream choice(key.seed, key.epoch, index, partnerStage);
    const Named<MixStage> &named = mixStages[static_cast<size_t>(choice.below(static_cast<int64_t>(mixStages.size())))];
    int64_t partner = choice.below(dataset.size());
    scratch.partner.resize(values.size());
    if (Status status = readAlone(dataset, partner, key, scratch.partner, scratch); !status.ok())
      return status;
    RandomStream random(key.seed, key.epoch, index, named.name);
    share = named.stage->apply(values, scratch.partner, outputShape, random);
    if (!targets.empty())
      targets[static_cast<size_t>(dataset.label(partner))] = static_cast<float>(1 - share);
  }
  if (!targets.empty())
    targets[static_cast<size_t>(dataset.label(index))] += static_cast<float>(share);
  return {};
}
