//===- DatasetTest.cpp ----------------------------------------------------===//

#include "espalier/Runtime/Data/Dataset.h"

#include "TestSupport.h"

#include "espalier/Runtime/Data/Image.h"

#include <zlib.h>

using namespace espalier::rt;
using namespace espalier::rt::test;

namespace {

/// An IDX file of bytes.
std::string idx(const std::vector<uint32_t> &dims, const std::string &data) {
  std::string content = {0, 0, 8, static_cast<char>(dims.size())};
  for (uint32_t dim : dims)
    for (int shift = 24; shift >= 0; shift -= 8)
      content += static_cast<char>(dim >> shift);
  return content + data;
}

/// A CIFAR record whose pixels are all `value`.
std::string record(const std::string &labels, char value) { return labels + std::string(3072, value); }

class DatasetTest : public testing::Test {
protected:
  void write(const std::string &name, const std::string &content) { folder.write(name, content); }
  void writeGzip(const std::string &name, const std::string &content) {
    gzFile file = gzopen(folder.file(name).c_str(), "wb");
    gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
    gzclose(file);
  }
  void writeImage(const std::string &name, Image image) {
    std::filesystem::create_directories(std::filesystem::path(folder.file(name)).parent_path());
    ASSERT_TRUE(writePng(folder.file(name), image).ok());
  }
  Expected<Dataset> open(Split split = Split::Train, const DatasetOptions &options = {}) {
    return openDataset(folder.path, split, options);
  }
  void expectInvalid(const std::string &text, Split split = Split::Train, const DatasetOptions &options = {}) {
    expectFailure(open(split, options), StatusCode::InvalidInput, text);
  }

  TempFolder folder;
};

void expectImage(const Dataset &dataset, int64_t index, int32_t label, const std::vector<uint8_t> &pixels) {
  Span<const uint8_t> image = dataset.image(index);
  EXPECT_EQ(std::vector<uint8_t>(image.begin(), image.end()), pixels);
  EXPECT_EQ(dataset.label(index), label);
}

TEST_F(DatasetTest, ReadsIdx) {
  write("train-images-idx3-ubyte", idx({2, 1, 2}, "abcd"));
  write("train-labels-idx1-ubyte", idx({2}, std::string("\2\0", 2)));
  writeGzip("t10k-images-idx3-ubyte.gz", idx({1, 1, 2}, "ef"));
  writeGzip("t10k-labels-idx1-ubyte.gz", idx({1}, "\1"));
  Expected<Dataset> train = open();
  ASSERT_TRUE(train.ok()) << train.status().message();
  EXPECT_EQ(train->size(), 2);
  EXPECT_EQ(train->shape(), (ImageShape{1, 1, 2}));
  EXPECT_EQ(train->classNames(), (std::vector<std::string>{"0", "1", "2"}));
  expectImage(*train, 0, 2, {'a', 'b'});
  expectImage(*train, 1, 0, {'c', 'd'});
  // The classes of the test set are those of the training set.
  Expected<Dataset> test = open(Split::Test);
  ASSERT_TRUE(test.ok()) << test.status().message();
  EXPECT_EQ(test->classNames().size(), 3u);
  expectImage(*test, 0, 1, {'e', 'f'});
}

TEST_F(DatasetTest, ReadsColourIdxAndClassNames) {
  write("test-images-idx4-ubyte", idx({1, 1, 2, 3}, "rgbRGB"));
  write("test-labels-idx1-ubyte", idx({1}, "\1"));
  write("classes.txt", "cat\r\nhot dog\n");
  Expected<Dataset> test = open(Split::Test);
  ASSERT_TRUE(test.ok()) << test.status().message();
  EXPECT_EQ(test->shape(), (ImageShape{3, 1, 2}));
  EXPECT_EQ(test->classNames(), (std::vector<std::string>{"cat", "hot dog"}));
  expectImage(*test, 0, 1, {'r', 'R', 'g', 'G', 'b', 'B'});
  expectInvalid("no images: expected train-images-idx3-ubyte");
}

TEST_F(DatasetTest, IdxErrorsAreLocated) {
  write("train-images-idx3-ubyte", idx({2, 1, 1}, "ab"));
  expectInvalid("no labels: expected train-labels-idx1-ubyte");
  write("train-labels-idx1-ubyte", idx({3}, "aaa"));
  expectInvalid("2 images in '" + folder.file("train-images-idx3-ubyte") + "', but 3 labels in");
  write("t10k-images-idx3-ubyte", idx({2, 1, 1}, "ab"));
  write("t10k-labels-idx1-ubyte", idx({2}, std::string("\1\3", 2)));
  write("train-labels-idx1-ubyte", idx({2}, std::string("\0\2", 2)));
  expectInvalid("t10k-labels-idx1-ubyte: label 3 of sample 1 is out of range: there are 3 classes", Split::Test);

  DatasetOptions options;
  options.memoryBudget = 1 << 30;
  auto expectImages = [&](const std::string &content, const std::string &text) {
    write("train-images-idx3-ubyte", content);
    expectInvalid("train-images-idx3-ubyte: " + text, Split::Train, options);
  };
  expectImages("text", "not an IDX file");
  expectImages(idx({2}, "ab"), "expected 3 or 4 dims, but got 1");
  expectImages(idx({2, 1, 1}, "ab").substr(0, 9), "file ends at byte 9, in the middle of the header");
  expectImages(idx({2, 1, 1}, "a"), "header promises 2 bytes of data, but 1 follow (truncated?)");
  expectImages(idx({2, 1, 1}, "abc"), "header promises 2 bytes of data, but 3 follow");
  expectImages(idx({0xffffffff, 0xffffffff, 0xffffffff}, "a"),
               "header promises over 2^64 bytes, more than the memory budget");
  expectImages(idx({0xffff, 0xffff, 1}, "a"), "header promises 4.0 GiB, more than the memory budget of 1.0 GiB");
  expectImages(idx({2, 1, 1, 2}, "abcd"), "expected 1 or 3 channels, but got 2");
  expectImages(idx({2, 0, 1}, ""), "images of 1x0 are empty");
  write("train-labels-idx1-ubyte", idx({0}, ""));
  expectImages(idx({0, 2, 2}, ""), "the data set has no samples");
  std::string floats = idx({2, 1, 1}, "ab");
  floats[2] = 0x0d;
  write("train-images-idx3-ubyte", floats);
  expectFailure(open(), StatusCode::Unsupported, "expected elements of type 0x08 (unsigned byte), but got 0x0d");
}

TEST_F(DatasetTest, CompressedIdxIsCheckedAgainstItsHeader) {
  write("train-labels-idx1-ubyte", idx({2}, std::string("\0\1", 2)));
  writeGzip("train-images-idx3-ubyte.gz", idx({2, 1, 1}, "abc"));
  expectInvalid("train-images-idx3-ubyte.gz: decompressed content exceeds the limit of 18 bytes");
  writeGzip("train-images-idx3-ubyte.gz", idx({2, 1, 1}, "a"));
  expectInvalid("train-images-idx3-ubyte.gz: header promises 2 bytes of data, but 1 follow (truncated?)");
  writeGzip("train-images-idx3-ubyte.gz", "");
  expectInvalid("train-images-idx3-ubyte.gz: not an IDX file");
}

TEST_F(DatasetTest, DamagedIdxNeverCrashes) {
  write("train-labels-idx1-ubyte", idx({2}, std::string("\0\1", 2)));
  forEachDamage(idx({2, 1, 2, 3}, "abcdefghijkl"), [&](const std::string &content) {
    write("train-images-idx4-ubyte", content);
    (void)open().ok();
  });
}

TEST_F(DatasetTest, ReadsCifar10InBothNamings) {
  write("data_batch_1.bin", record("\3", 'a'));
  write("data_batch_2.bin", record("\4", 'b'));
  writeGzip("test.bin.gz", record("\5", 'c'));
  Expected<Dataset> train = open();
  ASSERT_TRUE(train.ok()) << train.status().message();
  EXPECT_EQ(train->size(), 2);
  EXPECT_EQ(train->shape(), (ImageShape{3, 32, 32}));
  EXPECT_EQ(train->classNames().size(), 10u);
  expectImage(*train, 1, 4, std::vector<uint8_t>(3072, 'b'));
  Expected<Dataset> test = open(Split::Test);
  ASSERT_TRUE(test.ok()) << test.status().message();
  expectImage(*test, 0, 5, std::vector<uint8_t>(3072, 'c'));
}

TEST_F(DatasetTest, ReadsCifar100ByItsFineLabel) {
  write("train.bin", record("\1\x63", 'a'));
  Expected<Dataset> train = open();
  ASSERT_TRUE(train.ok()) << train.status().message();
  EXPECT_EQ(train->classNames().size(), 100u);
  EXPECT_EQ(train->label(0), 99);
  std::string names;
  for (int i = 0; i < 100; ++i)
    names += "fine" + std::to_string(i) + " coarse\n";
  write("classes.txt", names);
  train = open();
  ASSERT_TRUE(train.ok());
  EXPECT_EQ(train->classNames()[99], "fine99");
}

TEST_F(DatasetTest, CifarErrorsAreLocated) {
  write("train.bin", record("\3", 'a') + record("\x0a", 'b'));
  expectInvalid("train.bin: label 10 of sample 1 is out of range: there are 10 classes");
  expectInvalid("no test samples: expected test.bin or test_batch.bin", Split::Test);
  write("train.bin", record("\3", 'a') + "xy");
  expectInvalid("train.bin: 3075 bytes are no whole number of records of 3073 (CIFAR-10)");
  write("classes.txt", "\n");
  expectInvalid("classes.txt' names no class");
}

TEST_F(DatasetTest, ReadsImageFolders) {
  writeImage("train/dog/b.png", {1, 2, 1, {1, 2}});
  writeImage("train/dog/a.PNG", {1, 2, 1, {3, 4}});
  writeImage("train/cat/x.png", {1, 2, 1, {5, 6}});
  write("train/cat/notes.txt", "");
  writeImage("val/dog/y.png", {1, 2, 1, {7, 8}});
  Expected<Dataset> train = open();
  ASSERT_TRUE(train.ok()) << train.status().message();
  EXPECT_EQ(train->classNames(), (std::vector<std::string>{"cat", "dog"}));
  ASSERT_EQ(train->size(), 3);
  expectImage(*train, 0, 0, {5, 6});
  expectImage(*train, 1, 1, {3, 4});
  expectImage(*train, 2, 1, {1, 2});
  Expected<Dataset> test = open(Split::Test);
  ASSERT_TRUE(test.ok()) << test.status().message();
  expectImage(*test, 0, 1, {7, 8});
}

TEST_F(DatasetTest, ImageFolderErrorsAreLocated) {
  writeImage("train/cat/a.png", {1, 1, 1, {5}});
  expectInvalid("no folder test/ or val/", Split::Test);
  writeImage("test/cow/a.png", {1, 1, 1, {5}});
  expectInvalid("test: class 'cow' does not occur in train/", Split::Test);
  writeImage("train/cat/b.png", {1, 2, 1, {5, 6}});
  expectInvalid("train/cat/b.png: expected an image of 1x1x1 like the first one, but got 1x1x2");
  write("train/cat/b.png", "\x89PNG\r\n\x1a\n");
  expectInvalid("train/cat/b.png: damaged PNG image at byte 8");
  std::filesystem::remove_all(folder.file("train/cat"));
  expectInvalid("train' holds no images");
}

TEST_F(DatasetTest, ImagesAreScaledAndConverted) {
  writeImage("train/a/1.png", {1, 1, 1, {9}});
  writeImage("train/a/2.png", {1, 2, 3, {0, 10, 20, 20, 30, 40}});
  DatasetOptions options;
  options.shape = ImageShape{3, 1, 1};
  Expected<Dataset> train = open(Split::Train, options);
  ASSERT_TRUE(train.ok()) << train.status().message();
  expectImage(*train, 0, 0, {9, 9, 9});
  expectImage(*train, 1, 0, {10, 20, 30});

  TempFolder idxFolder;
  idxFolder.write("train-images-idx3-ubyte", idx({1, 2, 2}, std::string("\0\x14\0\x14", 4)));
  idxFolder.write("train-labels-idx1-ubyte", idx({1}, std::string("\0", 1)));
  Expected<Dataset> scaled = openDataset(idxFolder.path, Split::Train, options);
  ASSERT_TRUE(scaled.ok()) << scaled.status().message();
  expectImage(*scaled, 0, 0, {10, 10, 10});
}

TEST_F(DatasetTest, TheMemoryBudgetHolds) {
  write("train-images-idx3-ubyte", idx({2, 2, 2}, "abcdefgh"));
  write("train-labels-idx1-ubyte", idx({2}, std::string("\0\1", 2)));
  DatasetOptions options;
  options.memoryBudget = 24;
  EXPECT_TRUE(open(Split::Train, options).ok());
  options.memoryBudget = 23;
  expectInvalid("file has 24 bytes, the limit is 23 bytes", Split::Train, options);
  options.memoryBudget = 1000;
  options.shape = ImageShape{1, 23, 23};
  expectInvalid("2 images of 1x23x23 take more than the memory budget of 1000 bytes", Split::Train, options);
}

TEST_F(DatasetTest, UnknownFoldersSayWhatIsExpected) {
  expectInvalid("it holds no known data set; expected IDX files");
  expectFailure(openDataset(folder.file("absent"), Split::Train), StatusCode::InvalidInput,
                "absent': No such file or directory");
  expectFailure(openDataset(folder.write("file", ""), Split::Train), StatusCode::InvalidInput, "Not a directory");
}

} // namespace
