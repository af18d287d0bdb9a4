//===- PrefetcherTest.cpp -------------------------------------------------===//

#include "espalier/Runtime/Data/Prefetcher.h"

#include "TestSupport.h"

#include "espalier/Runtime/Data/Image.h"

#include <atomic>
#include <new>

using namespace espalier::rt;
using namespace espalier::rt::test;

/// Allocations of the whole program.
static std::atomic<int64_t> numAllocations{0};

void *operator new(size_t size) {
  ++numAllocations;
  if (void *memory = std::malloc(size ? size : 1))
    return memory;
  std::abort();
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }

namespace {

BatchLoader loaderOf(const Dataset &dataset, int64_t batch, const AugmentationSettings &settings) {
  std::vector<double> zeros(static_cast<size_t>(dataset.shape().channels)), ones(zeros.size(), 1);
  Expected<View> view = View::create(dataset, {zeros, ones}, settings, View::Use::Training);
  EXPECT_TRUE(view.ok()) << view.status().message();
  Expected<BatchLoader> loader = BatchLoader::forTraining(dataset, *std::move(view), batch, /*seed=*/5);
  EXPECT_TRUE(loader.ok()) << loader.status().message();
  return *std::move(loader);
}

const Dataset &digits() {
  static Dataset dataset = *openDataset(ESPALIER_DIGITS, Split::Train);
  return dataset;
}

const AugmentationSettings everything = {{"crop", {1, 0}},   {"flip", {0.5}},   {"colour_jitter", {0.4, 0.4, 0, 0}},
                                         {"cutout", {3, 1}}, {"mixup", {1, 1}}, {"cutmix", {1, 1}}};

/// What `epochs` epochs give, one after the other.
std::vector<float> valuesOf(Prefetcher &prefetcher, std::vector<int64_t> epochs) {
  std::vector<float> all;
  for (int64_t epoch : epochs) {
    prefetcher.start(epoch);
    for (int64_t i = 0; i < prefetcher.loader().numBatches(); ++i) {
      Expected<const Batch *> batch = prefetcher.next();
      EXPECT_TRUE(batch.ok()) << batch.status().message();
      for (const HostTensor *tensor : {&(*batch)->values, &(*batch)->targets}) {
        Span<const float> span = tensor->elements<float>();
        all.insert(all.end(), span.begin(), span.end());
      }
    }
  }
  return all;
}

TEST(PrefetcherTest, BatchesAreTheSameForEveryNumberOfThreads) {
  Expected<Prefetcher> one = Prefetcher::create(loaderOf(digits(), 32, everything), 1);
  ASSERT_TRUE(one.ok());
  std::vector<float> wanted = valuesOf(*one, {0, 1});
  BatchLoader loader = loaderOf(digits(), 32, everything);
  Batch batch = *loader.createBatch();
  View::Scratch scratch;
  ASSERT_TRUE(loader.read(0, batch, scratch).ok());
  EXPECT_TRUE(std::equal(batch.values.elements<float>().begin(), batch.values.elements<float>().end(), wanted.begin()));
  for (int workers : {2, 3}) {
    Expected<Prefetcher> several = Prefetcher::create(loaderOf(digits(), 32, everything), workers);
    ASSERT_TRUE(several.ok());
    EXPECT_EQ(valuesOf(*several, {0, 1}), wanted) << workers << " threads";
    // Again from the start, and the other way round.
    EXPECT_EQ(valuesOf(*several, {0}), std::vector<float>(wanted.begin(), wanted.begin() + wanted.size() / 2));
  }
}

TEST(PrefetcherTest, AnEpochCanBeLeftAndBegunAheadOfTime) {
  Expected<Prefetcher> prefetcher = Prefetcher::create(loaderOf(digits(), 32, everything), 2);
  ASSERT_TRUE(prefetcher.ok());
  std::vector<float> wanted = valuesOf(*prefetcher, {1});
  prefetcher->start(0);
  ASSERT_TRUE(prefetcher->next().ok());
  prefetcher->start(1);
  prefetcher->start(1);
  EXPECT_EQ(valuesOf(*prefetcher, {1}), wanted);
  // Left in the middle: the destructor stops the threads.
  prefetcher->start(2);
  ASSERT_TRUE(prefetcher->next().ok());
}

TEST(PrefetcherTest, ARunGoesOnFromTheMiddleOfAnEpoch) {
  Expected<Prefetcher> prefetcher = Prefetcher::create(loaderOf(digits(), 32, everything), 2);
  ASSERT_TRUE(prefetcher.ok());
  std::vector<float> wanted = valuesOf(*prefetcher, {1});
  size_t perBatch = wanted.size() / static_cast<size_t>(prefetcher->loader().numBatches());
  prefetcher->start(1, 7);
  for (size_t i = 7; i < 10; ++i) {
    prefetcher->start(1, static_cast<int64_t>(i)); // that is the next one already
    Expected<const Batch *> batch = prefetcher->next();
    ASSERT_TRUE(batch.ok());
    Span<const float> values = (*batch)->values.elements<float>();
    EXPECT_TRUE(std::equal(values.begin(), values.end(), wanted.begin() + static_cast<ptrdiff_t>(i * perBatch)));
  }
}

TEST(PrefetcherTest, FailuresComeInTheirTurn) {
  TempFolder folder;
  std::filesystem::create_directories(folder.file("train/a"));
  for (int i = 0; i < 10; ++i)
    ASSERT_TRUE(writePng(folder.file("train/a/" + std::to_string(i) + ".png"), {1, 1, 1, {uint8_t(i)}}).ok());
  Expected<Dataset> dataset = openDataset(folder.path, Split::Train);
  ASSERT_TRUE(dataset.ok());
  folder.write("train/a/6.png", "no image");
  std::vector<int64_t> order = shuffledOrder(10, 5, 0);
  int64_t place = std::find(order.begin(), order.end(), 6) - order.begin();
  for (int workers : {1, 3}) {
    Expected<Prefetcher> prefetcher = Prefetcher::create(loaderOf(*dataset, 1, {}), workers);
    ASSERT_TRUE(prefetcher.ok());
    prefetcher->start(0);
    for (int64_t i = 0; i < place; ++i)
      ASSERT_TRUE(prefetcher->next().ok()) << "batch " << i;
    expectFailure(prefetcher->next(), StatusCode::InvalidInput, "6.png: not a PNG or JPEG image");
  }
  // Images of another size are found where they are seen.
  ASSERT_TRUE(writePng(folder.file("train/a/6.png"), {2, 1, 1, {1, 2}}).ok());
  Expected<Prefetcher> prefetcher = Prefetcher::create(loaderOf(*dataset, 10, {}), 1);
  ASSERT_TRUE(prefetcher.ok());
  prefetcher->start(0);
  const char *message = "6.png: expected an image of 1x1x1 like the first one, but got 1x2x1; 'resize' or";
  expectFailure(prefetcher->next(), StatusCode::InvalidInput, message);
  expectFailure(prefetcher->loader().view().checkSizes(*dataset), StatusCode::InvalidInput, message);
  EXPECT_TRUE(loaderOf(*dataset, 10, {{"random_resized_crop", {4, 0.5, 1, 1}}}).view().checkSizes(*dataset).ok());
}

TEST(PrefetcherTest, NothingIsAllocatedAfterWarmUp) {
  Expected<Prefetcher> prefetcher = Prefetcher::create(loaderOf(digits(), 32, everything), 2);
  ASSERT_TRUE(prefetcher.ok());
  prefetcher->start(0);
  for (int i = 0; i < 12; ++i)
    ASSERT_TRUE(prefetcher->next().ok());
  int64_t before = numAllocations;
  for (int i = 0; i < 12; ++i)
    ASSERT_TRUE(prefetcher->next().ok());
  EXPECT_EQ(numAllocations - before, 0);
}

} // namespace
