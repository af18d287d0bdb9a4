//===- DataFoldersTest.cpp ------------------------------------------------===//
//
// Opens real data sets, those of the folder that ESPALIER_DATA names, and compares them with what is known of them.
//
//===----------------------------------------------------------------------===//

#include "espalier/Runtime/Data/View.h"

#include "TestSupport.h"

using namespace espalier::rt;
using namespace espalier::rt::test;

namespace {

struct Known {
  const char *folder;
  const char *part;
  const char *format;
  int64_t size;
  ImageShape shape;
  size_t numClasses;
  std::vector<int64_t> perClass; ///< one number if all classes have as many samples; none if it is not known
};

void PrintTo(const Known &known, std::ostream *stream) { *stream << known.folder << "/" << known.part; }

class DataFoldersTest : public testing::TestWithParam<Known> {};

TEST_P(DataFoldersTest, OpensAsItLiesThere) {
  const char *root = std::getenv("ESPALIER_DATA");
  if (!root)
    GTEST_SKIP() << "ESPALIER_DATA names no folder of data sets";
  const Known &known = GetParam();
  std::string path = std::string(root) + "/" + known.folder;
  Expected<Dataset> dataset = openDataset(path, std::string(known.part));
  ASSERT_TRUE(dataset.ok()) << dataset.status().message();
  EXPECT_EQ(dataset->info().format, known.format);
  EXPECT_EQ(dataset->size(), known.size);
  EXPECT_EQ(dataset->shape(), known.shape);
  ASSERT_EQ(dataset->classNames().size(), known.numClasses);
  std::vector<int64_t> counts(known.numClasses);
  for (int64_t i = 0; i < dataset->size(); ++i)
    ++counts[static_cast<size_t>(dataset->label(i))];
  for (size_t c = 0; c < counts.size() && !known.perClass.empty(); ++c)
    EXPECT_EQ(counts[c], known.perClass.size() == 1 ? known.perClass[0] : known.perClass[c]) << "class " << c;
  Sample sample;
  for (int64_t i : {int64_t(0), dataset->size() / 2, dataset->size() - 1}) {
    Status status = dataset->read(i, sample);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(sample.shape, known.shape);
  }
  // A small part of the set in memory, the rest from the file: the same samples.
  DatasetOptions options;
  options.memoryBudget = 8 << 20;
  Expected<Dataset> streamed = openDataset(path, std::string(known.part), options);
  ASSERT_TRUE(streamed.ok()) << streamed.status().message();
  Sample other;
  for (int64_t i = 0; i < 20; ++i) {
    int64_t index = i * 7919 % dataset->size();
    ASSERT_TRUE(dataset->read(index, sample).ok());
    Status status = streamed->read(index, other);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(sample.pixels, other.pixels);
    EXPECT_EQ(sample.features, other.features);
  }
}

const std::vector<int64_t> uspsCounts = {1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644};

INSTANTIATE_TEST_SUITE_P(All, DataFoldersTest,
                         testing::Values(Known{"mnist", "train", "IDX", 20000, {1, 28, 28}, 10, {}},
                                         Known{"mnist", "test", "IDX", 10000, {1, 28, 28}, 10, {}},
                                         Known{"fashion-mnist", "train", "IDX", 15000, {1, 28, 28}, 10, {1500}},
                                         Known{"fashion-mnist", "test", "IDX", 5000, {1, 28, 28}, 10, {}},
                                         Known{"mnist-m", "train", "IDX", 3500, {3, 32, 32}, 10, {}},
                                         Known{"mnist-m", "test", "IDX", 1000, {3, 32, 32}, 10, {}},
                                         Known{"emnist-letters", "train", "IDX", 5200, {1, 28, 28}, 26, {200}},
                                         Known{"emnist-letters", "test", "IDX", 1300, {1, 28, 28}, 26, {50}},
                                         Known{"cifar10", "train", "CIFAR binary", 16000, {3, 32, 32}, 10, {1600}},
                                         Known{"cifar10", "test", "CIFAR binary", 4000, {3, 32, 32}, 10, {400}},
                                         Known{"cifar100", "train", "CIFAR binary", 10000, {3, 32, 32}, 100, {100}},
                                         Known{"cifar100", "test", "CIFAR binary", 2500, {3, 32, 32}, 100, {25}},
                                         Known{"coil100-10view", "all", "IDX", 800, {1, 64, 64}, 100, {}},
                                         Known{"coil20-domains", "coil1", "npy pair", 720, {1, 32, 32}, 20, {36}},
                                         Known{"coil20-domains", "coil2", "npy pair", 720, {1, 32, 32}, 20, {36}},
                                         Known{"usps", "train", "IDX", 7291, {1, 16, 16}, 10, uspsCounts},
                                         Known{"usps", "test", "IDX", 2007, {1, 16, 16}, 10, {}},
                                         Known{"omniglot", "all", "IDX", 4000, {1, 105, 105}, 200, {20}},
                                         Known{"office-caltech10-surf", "amazon", "npy pair", 958, {800, 1, 1}, 10, {}},
                                         Known{
                                             "office-caltech10-surf", "caltech", "npy pair", 1123, {800, 1, 1}, 10, {}},
                                         Known{"office-caltech10-surf", "webcam", "npy pair", 295, {800, 1, 1}, 10, {}},
                                         Known{"office-caltech10-surf", "dslr", "npy pair", 157, {800, 1, 1}, 10, {}}),
                         [](const testing::TestParamInfo<Known> &info) {
                           std::string name = std::string(info.param.folder) + "_" + info.param.part;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
