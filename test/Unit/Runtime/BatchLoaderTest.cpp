//===- BatchLoaderTest.cpp ------------------------------------------------===//

#include "espalier/Runtime/Data/BatchLoader.h"

#include "TestSupport.h"

#include <algorithm>
#include <numeric>

using namespace espalier::rt;
using namespace espalier::rt::test;

namespace {

/// `size` images of one grey pixel: sample i is i, its class i.
Dataset counting(int size) {
  std::vector<uint8_t> images(size);
  std::iota(images.begin(), images.end(), uint8_t(0));
  std::vector<int32_t> labels(images.begin(), images.end());
  return Dataset::fromMemory({1, 1, 1}, images, labels, std::vector<std::string>(size, "class"));
}

const Normalisation plain = {{0}, {1 / 255.0}};

View viewOf(const Dataset &dataset, const Normalisation &normalisation = plain,
            const AugmentationSettings &settings = {}) {
  Expected<View> view = View::create(dataset, normalisation, settings, View::Use::Training);
  EXPECT_TRUE(view.ok()) << view.status().message();
  return *std::move(view);
}

struct Reader {
  explicit Reader(const BatchLoader &loader) : loader(loader), batch(*loader.createBatch()) {}

  const Batch &read(int64_t index) {
    Status status = loader.read(index, batch, scratch);
    EXPECT_TRUE(status.ok()) << status.message();
    return batch;
  }

  const BatchLoader &loader;
  Batch batch;
  View::Scratch scratch;
};

template <typename T> std::vector<T> elements(const HostTensor &tensor) {
  Span<const T> span = tensor.elements<T>();
  return {span.begin(), span.end()};
}

TEST(BatchLoaderTest, EvaluationCountsEverySampleOnce) {
  Dataset dataset = counting(5);
  Expected<BatchLoader> loader = BatchLoader::forEvaluation(dataset, viewOf(dataset), 2);
  ASSERT_TRUE(loader.ok());
  EXPECT_EQ(loader->numBatches(), 3);
  EXPECT_EQ(loader->numSamples(), 5);
  Reader reader(*loader);
  EXPECT_EQ(reader.read(1).count, 2);
  EXPECT_EQ(reader.batch.values.shape(), (std::vector<int64_t>{2, 1, 1, 1}));
  EXPECT_EQ(elements<float>(reader.batch.values), (std::vector<float>{2, 3}));
  EXPECT_EQ(elements<int64_t>(reader.batch.labels), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(elements<float>(reader.batch.targets), (std::vector<float>{0, 0, 1, 0, 0, 0, 0, 0, 1, 0})) << "one-hot";
  EXPECT_EQ(reader.read(2).count, 1);
  EXPECT_EQ(elements<float>(reader.batch.values), (std::vector<float>{4, 0}));
  EXPECT_EQ(elements<int64_t>(reader.batch.labels), (std::vector<int64_t>{4, 0}));
}

TEST(BatchLoaderTest, TrainingShufflesAndDropsTheLastBatch) {
  Dataset dataset = counting(21);
  Expected<BatchLoader> loader = BatchLoader::forTraining(dataset, viewOf(dataset), 5, /*seed=*/3);
  ASSERT_TRUE(loader.ok());
  EXPECT_EQ(loader->numBatches(), 4);
  EXPECT_EQ(loader->numSamples(), 20);
  auto epochLabels = [&] {
    std::vector<int64_t> labels;
    Reader reader(*loader);
    for (int64_t i = 0; i < loader->numBatches(); ++i) {
      const Batch &batch = reader.read(i);
      EXPECT_EQ(batch.count, 5);
      for (int64_t label : elements<int64_t>(batch.labels))
        labels.push_back(label);
      for (size_t k = 0; k < 5; ++k)
        EXPECT_EQ(elements<float>(batch.values)[k], static_cast<float>(elements<int64_t>(batch.labels)[k]));
    }
    return labels;
  };
  std::vector<int64_t> first = epochLabels();
  loader->startEpoch(1);
  std::vector<int64_t> second = epochLabels();
  loader->startEpoch(0);
  EXPECT_EQ(epochLabels(), first);
  EXPECT_NE(first, second);
  std::sort(first.begin(), first.end());
  EXPECT_EQ(std::unique(first.begin(), first.end()), first.end()) << "a sample came twice";
  expectFailure(BatchLoader::forTraining(dataset, viewOf(dataset), 22, 3), StatusCode::InvalidInput,
                "the training set has 21 samples, fewer than one batch of 22");
}

TEST(BatchLoaderTest, ShuffleIsAPermutationOfSeedAndEpoch) {
  std::vector<int64_t> order = shuffledOrder(1000, 1, 0), sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (int64_t i = 0; i < 1000; ++i)
    ASSERT_EQ(sorted[i], i);
  EXPECT_EQ(shuffledOrder(1000, 1, 0), order);
  EXPECT_NE(shuffledOrder(1000, 2, 0), order);
  EXPECT_NE(shuffledOrder(1000, 1, 1), order);
  EXPECT_NE(shuffledOrder(1000, uint64_t(1) << 32, 0), shuffledOrder(1000, 0, 0));
  // Every element reaches the first place about equally often.
  std::vector<int> counts(4);
  for (int64_t epoch = 0; epoch < 4000; ++epoch)
    ++counts[shuffledOrder(4, 9, epoch)[0]];
  for (int count : counts)
    EXPECT_NEAR(count, 1000, 150);
}

TEST(ViewTest, NormalisesImages) {
  Dataset dataset = Dataset::fromMemory({3, 1, 2}, {0, 255, 51, 51, 0, 0}, {0}, {"only"});
  Expected<Normalisation> measured = measureNormalisation(dataset);
  ASSERT_TRUE(measured.ok());
  EXPECT_DOUBLE_EQ(measured->mean[0], 0.5);
  EXPECT_DOUBLE_EQ(measured->deviation[0], 0.5);
  EXPECT_DOUBLE_EQ(measured->mean[1], 0.2);
  EXPECT_DOUBLE_EQ(measured->deviation[1], 1) << "a constant channel is not scaled";
  std::vector<float> values(6);
  View::Scratch scratch;
  ASSERT_TRUE(viewOf(dataset, *measured).read(dataset, 0, {}, values, {}, scratch).ok());
  EXPECT_EQ(values, (std::vector<float>{-1, 1, 0, 0, 0, 0}));
}

TEST(ViewTest, NormalisesFeatures) {
  // Large features whose squares would hide their deviation.
  Dataset dataset = Dataset::fromMemory(2, {1e6f, 7, 1e6f + 2, 7}, {0, 1}, {"a", "b"});
  Expected<Normalisation> measured = measureNormalisation(dataset);
  ASSERT_TRUE(measured.ok());
  EXPECT_DOUBLE_EQ(measured->mean[0], 1e6 + 1);
  EXPECT_DOUBLE_EQ(measured->deviation[0], 1);
  EXPECT_DOUBLE_EQ(measured->deviation[1], 1);
  Expected<BatchLoader> loader = BatchLoader::forEvaluation(dataset, viewOf(dataset, *measured), 2);
  ASSERT_TRUE(loader.ok());
  Reader reader(*loader);
  EXPECT_EQ(elements<float>(reader.read(0).values), (std::vector<float>{-1, 0, 1, 0}));
  EXPECT_EQ(reader.batch.values.shape(), (std::vector<int64_t>{2, 2}));
}

TEST(ViewTest, StagesFollowEachOther) {
  Dataset dataset = Dataset::fromMemory({1, 1, 4}, {10, 20, 30, 40}, {0}, {"only"});
  AugmentationSettings settings = {{"flip", {1}}, {"crop", {0, 1}}, {"cutout", {1, 1}}};
  View view = viewOf(dataset, {{0.5}, {1}}, settings);
  EXPECT_EQ(view.shape(), (ImageShape{1, 1, 1}));
  std::vector<float> values(1, 7);
  View::Scratch scratch;
  ASSERT_TRUE(view.read(dataset, 0, {}, values, {}, scratch).ok());
  EXPECT_EQ(values[0], 0) << "cutout sets the mean after normalisation";
}

TEST(ViewTest, MixedSamplesHaveTwoClasses) {
  Dataset dataset = counting(50);
  View view = viewOf(dataset, plain, {{"mixup", {1, 1}}});
  ASSERT_TRUE(view.mixes());
  View::Scratch scratch;
  std::vector<float> value(1), targets(50);
  int numMixed = 0;
  for (int64_t i = 0; i < 50; ++i) {
    ASSERT_TRUE(view.read(dataset, i, {4, 2}, value, targets, scratch).ok());
    double sum = 0, mean = 0;
    for (size_t c = 0; c < 50; ++c) {
      sum += targets[c];
      mean += targets[c] * static_cast<double>(c);
      numMixed += targets[c] > 0;
    }
    EXPECT_NEAR(sum, 1, 1e-6);
    EXPECT_NEAR(value[0], mean, 1e-4) << "the classes weigh as the values";
  }
  EXPECT_GT(numMixed, 90);
  // Both kinds of mixing: each takes about half of the samples. Cutmix of one pixel takes all or nothing.
  View both = viewOf(dataset, plain, {{"mixup", {1, 1}}, {"cutmix", {1, 1}}});
  int numPure = 0;
  for (int64_t epoch = 0; epoch < 40; ++epoch)
    for (int64_t i = 0; i < 50; ++i) {
      ASSERT_TRUE(both.read(dataset, i, {4, epoch}, value, targets, scratch).ok());
      numPure += *std::max_element(targets.begin(), targets.end()) == 1;
    }
  EXPECT_NEAR(numPure, 1000, 150);
}

TEST(ViewTest, SamplesDependOnSeedEpochAndIndexAlone) {
  Expected<Dataset> digits = openDataset(ESPALIER_DIGITS, Split::Train);
  ASSERT_TRUE(digits.ok());
  AugmentationSettings settings;
  for (const char *name : {"crop", "flip", "colour_jitter", "cutout", "mixup"})
    for (const AugmentationRecord &record : augmentationRecords())
      if (record.name == name)
        settings[name] = record.defaults();
  settings["cutout"] = {3, 0.5};
  View view = viewOf(*digits, plain, settings);
  View::Scratch scratch, other;
  std::vector<float> a(64), b(64);
  auto read = [&](int64_t index, ViewKey key, std::vector<float> &values, View::Scratch &memory) {
    ASSERT_TRUE(view.read(*digits, index, key, values, {}, memory).ok());
  };
  for (int64_t index : {0, 9, 500}) {
    read(index, {1, 1}, a, scratch);
    read(index + 1, {1, 1}, b, other); // what came before does not matter
    read(index, {1, 1}, b, other);
    EXPECT_EQ(a, b);
    read(index, {2, 1}, b, other);
    EXPECT_NE(a, b);
    read(index, {1, 2}, b, other);
    EXPECT_NE(a, b);
  }
}

TEST(ViewTest, ArgumentsAreChecked) {
  Dataset dataset = counting(3), features = Dataset::fromMemory(1, {1, 2}, {0, 0}, {"a"});
  expectFailure(View::create(dataset, {{0, 0}, {1, 1}}, {}, View::Use::Training), StatusCode::InvalidInput,
                "normalisation expects 1 means and deviations, one for each channel, but got 2 and 2");
  expectFailure(View::create(dataset, plain, {{"flip", {1}}}, View::Use::Evaluation), StatusCode::InvalidInput,
                "'flip' is random and cannot be used for evaluation");
  expectFailure(View::create(features, plain, {{"flip", {1}}}, View::Use::Training), StatusCode::InvalidInput,
                "'flip' expects images, but the data set has 1 features");
  expectFailure(View::create(dataset, plain, {{"centre_crop", {4}}}, View::Use::Training), StatusCode::InvalidInput,
                "'centre_crop' of 4 expects images at least as large, but got 1x1");
  expectFailure(BatchLoader::forEvaluation(dataset, viewOf(dataset), 0), StatusCode::InvalidInput,
                "batch size expects at least 1, but got 0");
}

} // namespace
