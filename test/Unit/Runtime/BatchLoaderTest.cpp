//===- BatchLoaderTest.cpp ------------------------------------------------===//

#include "espalier/Runtime/Data/BatchLoader.h"

#include "TestSupport.h"

#include <algorithm>
#include <numeric>

using namespace espalier::rt;
using namespace espalier::rt::test;

namespace {

/// `size` images of one pixel in two channels: sample i is (i, 10 i), its class i.
Dataset counting(int size) {
  std::vector<uint8_t> images;
  std::vector<int32_t> labels(size);
  std::iota(labels.begin(), labels.end(), 0);
  for (int i = 0; i < size; ++i)
    images.insert(images.end(), {static_cast<uint8_t>(i), static_cast<uint8_t>(10 * i)});
  return Dataset({2, 1, 1}, images, labels, std::vector<std::string>(size, "class"));
}

const Normalisation plain = {{0, 0}, {1 / 255.0, 1 / 255.0}};

struct Buffers {
  explicit Buffers(size_t batch) : images(2 * batch, -1), labels(batch, -1), mask(batch, -1) {}
  int64_t read(const BatchLoader &loader, int64_t index) { return loader.read(index, images, labels, mask); }

  std::vector<float> images;
  std::vector<int64_t> labels;
  std::vector<float> mask;
};

TEST(BatchLoaderTest, EvaluationCountsEverySampleOnce) {
  Dataset dataset = counting(5);
  Expected<BatchLoader> loader = BatchLoader::forEvaluation(dataset, plain, 2);
  ASSERT_TRUE(loader.ok());
  EXPECT_EQ(loader->numBatches(), 3);
  EXPECT_EQ(loader->numSamples(), 5);
  Buffers buffers(2);
  EXPECT_EQ(buffers.read(*loader, 1), 2);
  EXPECT_EQ(buffers.images, (std::vector<float>{2, 20, 3, 30}));
  EXPECT_EQ(buffers.labels, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(buffers.mask, (std::vector<float>{1, 1}));
  EXPECT_EQ(buffers.read(*loader, 2), 1);
  EXPECT_EQ(buffers.images, (std::vector<float>{4, 40, 0, 0}));
  EXPECT_EQ(buffers.labels, (std::vector<int64_t>{4, 0}));
  EXPECT_EQ(buffers.mask, (std::vector<float>{1, 0}));
}

TEST(BatchLoaderTest, TrainingShufflesAndDropsTheLastBatch) {
  Dataset dataset = counting(21);
  Expected<BatchLoader> loader = BatchLoader::forTraining(dataset, plain, 5, /*seed=*/3);
  ASSERT_TRUE(loader.ok());
  EXPECT_EQ(loader->numBatches(), 4);
  EXPECT_EQ(loader->numSamples(), 20);
  auto epochLabels = [&] {
    std::vector<int64_t> labels;
    Buffers buffers(5);
    for (int64_t i = 0; i < loader->numBatches(); ++i) {
      EXPECT_EQ(buffers.read(*loader, i), 5);
      labels.insert(labels.end(), buffers.labels.begin(), buffers.labels.end());
      for (int k = 0; k < 5; ++k)
        EXPECT_EQ(buffers.images[2 * k], static_cast<float>(buffers.labels[k]));
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
  expectFailure(BatchLoader::forTraining(dataset, plain, 22, 3), StatusCode::InvalidInput,
                "the training set has 21 images, fewer than one batch of 22");
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

TEST(BatchLoaderTest, Normalises) {
  Dataset dataset({2, 1, 2}, {0, 255, 51, 51}, {0}, {"only"});
  Normalisation measured = measureNormalisation(dataset);
  EXPECT_DOUBLE_EQ(measured.mean[0], 0.5);
  EXPECT_DOUBLE_EQ(measured.deviation[0], 0.5);
  EXPECT_DOUBLE_EQ(measured.mean[1], 0.2);
  EXPECT_DOUBLE_EQ(measured.deviation[1], 1) << "a constant channel is not scaled";
  Expected<BatchLoader> loader = BatchLoader::forEvaluation(dataset, measured, 1);
  ASSERT_TRUE(loader.ok());
  std::vector<float> images(4), mask(1);
  std::vector<int64_t> labels(1);
  loader->read(0, images, labels, mask);
  EXPECT_EQ(images, (std::vector<float>{-1, 1, 0, 0}));
}

TEST(BatchLoaderTest, ArgumentsAreChecked) {
  Dataset dataset = counting(3);
  expectFailure(BatchLoader::forEvaluation(dataset, {{0}, {1}}, 2), StatusCode::InvalidInput,
                "normalisation expects 2 means and deviations, one for each channel, but got 1 and 1");
  expectFailure(BatchLoader::forEvaluation(dataset, plain, 0), StatusCode::InvalidInput,
                "batch size expects at least 1, but got 0");
}

} // namespace
