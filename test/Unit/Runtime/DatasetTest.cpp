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
  Sample sample;
  Status status = dataset.read(index, sample);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(sample.pixels, pixels);
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
  expectInvalid("it has no part 'train'; it has 'test'");
}

TEST_F(DatasetTest, IdxErrorsAreLocated) {
  write("train-images-idx3-ubyte", idx({2, 1, 1}, "ab"));
  expectInvalid("train-images-idx3-ubyte': expected train-labels-idx1-ubyte or train-labels.csv");
  write("train-labels-idx1-ubyte", idx({3}, "aaa"));
  expectInvalid("2 samples in '" + folder.file("train-images-idx3-ubyte") + "', but 3 labels in");
  write("t10k-images-idx3-ubyte", idx({2, 1, 1}, "ab"));
  write("t10k-labels-idx1-ubyte", idx({2}, std::string("\1\3", 2)));
  write("train-labels-idx1-ubyte", idx({2}, std::string("\0\2", 2)));
  expectInvalid("t10k-labels-idx1-ubyte: sample 1 (byte 9): label 3 is out of range: there are 3 classes", Split::Test);

  auto expectImages = [&](const std::string &content, const std::string &text) {
    write("train-images-idx3-ubyte", content);
    expectInvalid("train-images-idx3-ubyte: " + text);
  };
  expectImages("text", "not an IDX file");
  expectImages(idx({2}, "ab"), "expected 3 or 4 dims, but got 1");
  expectImages(idx({2, 1, 1}, "ab").substr(0, 9), "file ends at byte 9, in the middle of the header");
  expectImages(idx({2, 1, 1}, "a"), "sample 1 (byte 17): header promises 2 bytes of data, but 1 follow (truncated?)");
  expectImages(idx({2, 1, 1}, "abc"), "header promises 2 bytes of data, but 3 follow");
  expectImages(idx({0xffffffff, 0xffffffff, 0xffffffff}, "a"), "header promises over 2^64 bytes");
  expectImages(idx({0xffff, 0xffff, 1}, "a"),
               "sample 0 (byte 17): header promises 4294836225 bytes of data, but 1 follow");
  expectImages(idx({2, 1, 1, 2}, "abcd"), "expected 1 or 3 channels, but got 2");
  expectImages(idx({2, 0, 1}, ""), "images of 1x0 are empty");
  write("train-labels-idx1-ubyte", idx({0}, ""));
  write("train-images-idx3-ubyte", idx({0, 2, 2}, ""));
  expectInvalid("the part 'train' has no samples");
  std::string floats = idx({2, 1, 1}, "ab");
  floats[2] = 0x0d;
  write("train-images-idx3-ubyte", floats);
  expectFailure(open(), StatusCode::Unsupported, "expected elements of type 0x08 (unsigned byte), but got 0x0d");
}

TEST_F(DatasetTest, CompressedIdxIsCheckedAgainstItsHeader) {
  write("train-labels-idx1-ubyte", idx({2}, std::string("\0\1", 2)));
  writeGzip("train-images-idx3-ubyte.gz", idx({2, 1, 1}, "abc"));
  expectInvalid("train-images-idx3-ubyte.gz: header promises 2 bytes of data, but 3 follow");
  writeGzip("train-images-idx3-ubyte.gz", idx({2, 1, 1}, "a"));
  expectInvalid(
      "train-images-idx3-ubyte.gz: sample 1 (byte 17): header promises 2 bytes of data, but 1 follow (truncated?)");
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
  expectInvalid("train.bin: sample 1 (byte 3073): label 10 is out of range: there are 10 classes");
  expectInvalid("it has no part 'test' or 'val'; it has 'train'", Split::Test);
  write("train.bin", record("\3", 'a') + "xy");
  expectInvalid("train.bin: sample 1 (byte 3073): 3075 bytes are no whole number of records of 3073 (CIFAR-10)");
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
  expectInvalid("it has no part 'test' or 'val'; it has 'train'", Split::Test);
  writeImage("test/cow/a.png", {1, 1, 1, {5}});
  expectInvalid("test: class 'cow' does not occur in train/", Split::Test);
  write("train/cat/b.png", "\x89PNG\r\n\x1a\n");
  Expected<Dataset> train = open();
  ASSERT_TRUE(train.ok()) << "files are decoded when they are asked for";
  Sample sample;
  EXPECT_TRUE(train->read(0, sample).ok());
  expectFailure(train->read(1, sample), StatusCode::InvalidInput, "train/cat/b.png: damaged PNG image at byte 8");
  writeImage("train/cat/b.png", {1, 1, 3, {5, 6, 7}});
  expectFailure(train->read(1, sample), StatusCode::InvalidInput,
                "train/cat/b.png: expected a grey image like the first one, but got colour; set loading.channels");
  std::filesystem::remove_all(folder.file("test"));
  std::filesystem::remove_all(folder.file("train/cat"));
  expectInvalid("train' holds no images");
}

TEST_F(DatasetTest, ImagesOfAFolderAreConverted) {
  writeImage("train/a/1.png", {1, 1, 1, {9}});
  writeImage("train/a/2.png", {1, 2, 3, {0, 10, 20, 20, 30, 40}});
  DatasetOptions options;
  options.channels = 3;
  Expected<Dataset> train = open(Split::Train, options);
  ASSERT_TRUE(train.ok()) << train.status().message();
  expectImage(*train, 0, 0, {9, 9, 9});
  expectImage(*train, 1, 0, {0, 20, 10, 30, 20, 40});
  options.channels = 1;
  train = open(Split::Train, options);
  ASSERT_TRUE(train.ok());
  expectImage(*train, 1, 0, {8, 28});
}

/// Bytes that gzip cannot shrink, so that an index has many points.
std::string noise(size_t size) {
  std::string bytes(size, 0);
  uint32_t state = 1;
  for (char &byte : bytes)
    byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

/// Every sample, in an order that jumps to and fro.
void expectSameSamples(const Dataset &a, const Dataset &b) {
  ASSERT_EQ(a.size(), b.size());
  Sample x, y;
  for (int64_t i = 0; i < a.size(); ++i) {
    int64_t index = i * 37 % a.size();
    ASSERT_TRUE(a.read(index, x).ok());
    Status status = b.read(index, y);
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_EQ(x.pixels, y.pixels) << "sample " << index;
    ASSERT_EQ(a.label(index), b.label(index));
  }
}

TEST_F(DatasetTest, SetsBeyondTheBudgetAreReadFromTheirFiles) {
  // 3 MiB in two members of a gzip file: the second read begins in the middle of either.
  constexpr uint32_t count = 768;
  std::string images = idx({count, 64, 64}, noise(count * 4096));
  std::string labels = idx({count}, std::string(count, '\1'));
  write("train-images-idx3-ubyte", images);
  write("train-labels-idx1-ubyte", labels);
  TempFolder compressed;
  std::string path = compressed.file("train-images-idx3-ubyte.gz");
  for (auto [part, mode] : {std::pair(images.substr(0, 1000001), "wb"), std::pair(images.substr(1000001), "ab")}) {
    gzFile file = gzopen(path.c_str(), mode);
    gzwrite(file, part.data(), static_cast<unsigned>(part.size()));
    gzclose(file);
  }
  compressed.write("train-labels-idx1-ubyte", labels);
  Expected<Dataset> held = open();
  ASSERT_TRUE(held.ok());
  DatasetOptions options;
  options.memoryBudget = 1 << 20;
  Expected<Dataset> plain = open(Split::Train, options);
  ASSERT_TRUE(plain.ok()) << plain.status().message();
  expectSameSamples(*held, *plain);
  Expected<Dataset> streamed = openDataset(compressed.path, Split::Train, options);
  ASSERT_TRUE(streamed.ok()) << streamed.status().message();
  expectSameSamples(*held, *streamed);
  options.memoryBudget = 1 << 16;
  expectFailure(openDataset(compressed.path, Split::Train, options), StatusCode::InvalidInput,
                "takes more than the memory budget of 64.0 KiB; decompress the file, or raise the budget");
}

TEST_F(DatasetTest, FilesThatChangeAfterOpeningAreErrors) {
  write("train-images-idx3-ubyte", idx({2, 1, 2}, "abcd"));
  write("train-labels-idx1-ubyte", idx({2}, std::string("\0\1", 2)));
  DatasetOptions options;
  options.memoryBudget = 2;
  Expected<Dataset> train = open(Split::Train, options);
  ASSERT_TRUE(train.ok());
  std::filesystem::resize_file(folder.file("train-images-idx3-ubyte"), 18);
  Sample sample;
  EXPECT_TRUE(train->read(0, sample).ok());
  expectFailure(train->read(1, sample), StatusCode::InvalidInput, "file ends at byte 18, expected 2 more");
}

TEST_F(DatasetTest, DecodedSamplesAreKeptWithinTheBudget) {
  writeImage("train/a/1.png", {1, 2, 1, {1, 2}});
  writeImage("train/a/2.png", {1, 2, 1, {3, 4}});
  DatasetOptions options;
  options.memoryBudget = 3;
  Expected<Dataset> train = open(Split::Train, options);
  ASSERT_TRUE(train.ok());
  expectImage(*train, 0, 0, {1, 2});
  expectImage(*train, 1, 0, {3, 4});
  std::filesystem::remove_all(folder.file("train"));
  expectImage(*train, 0, 0, {1, 2});
  Sample sample;
  expectFailure(train->read(1, sample), StatusCode::InvalidInput, "2.png': No such file");
}

TEST_F(DatasetTest, DamagedSamplesAreSkippedAndCounted) {
  DatasetOptions options;
  options.skipDamaged = true;
  auto expectSkipped = [&](int64_t size, int64_t skipped, const std::string &first) {
    Expected<Dataset> train = open(Split::Train, options);
    ASSERT_TRUE(train.ok()) << train.status().message();
    EXPECT_EQ(train->size(), size);
    EXPECT_EQ(train->info().numSkipped, skipped);
    EXPECT_NE(train->info().firstSkipped.find(first), std::string::npos) << train->info().firstSkipped;
  };
  // A label out of range, and images that end too early.
  write("classes.txt", "a\nb\n");
  write("train-images-idx3-ubyte", idx({4, 1, 1}, "abc"));
  write("train-labels-idx1-ubyte", idx({4}, std::string("\1\7\0\0", 4)));
  expectSkipped(2, 2, "sample 3 (byte 19): header promises 4 bytes of data, but 3 follow");
  Expected<Dataset> train = open(Split::Train, options);
  expectImage(*train, 0, 1, {'a'});
  expectImage(*train, 1, 0, {'c'});
  // Two whole files that differ are no damage of a sample.
  write("train-images-idx3-ubyte", idx({3, 1, 1}, "abc"));
  expectInvalid("3 samples in", Split::Train, options);
  std::filesystem::remove(folder.file("train-images-idx3-ubyte"));

  // A gzip file that is cut.
  write("classes.txt", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
  std::string records, pixels = noise(40 * 3072);
  for (int i = 0; i < 40; ++i)
    records += std::string(1, '\3') + pixels.substr(static_cast<size_t>(i) * 3072, 3072);
  writeGzip("train.bin.gz", records);
  expectSkipped(40, 0, "");
  std::filesystem::resize_file(folder.file("train.bin.gz"),
                               std::filesystem::file_size(folder.file("train.bin.gz")) / 2);
  Expected<Dataset> cut = open();
  expectFailure(cut, StatusCode::InvalidInput, "train.bin.gz: gzip data ends at byte");
  train = open(Split::Train, options);
  ASSERT_TRUE(train.ok()) << train.status().message();
  EXPECT_GT(train->size(), 0);
  EXPECT_LT(train->size(), 40);
  EXPECT_EQ(train->info().numSkipped, 1);
  std::filesystem::remove(folder.file("train.bin.gz"));

  // Images that cannot be decoded are found on opening.
  writeImage("train/a/1.png", {1, 1, 1, {1}});
  write("train/a/2.png", "\x89PNG\r\n\x1a\n");
  writeImage("train/b/3.png", {1, 1, 1, {3}});
  expectSkipped(2, 1, "2.png: damaged PNG image at byte 8");
  train = open(Split::Train, options);
  expectImage(*train, 1, 1, {3});
  write("train/a/1.png", "no image");
  write("train/b/3.png", "no image");
  expectInvalid("all 3 samples of 'train' are damaged; the first:", Split::Train, options);
}

//===----------------------------------------------------------------------===//
// npy
//===----------------------------------------------------------------------===//

/// An npy file of version 1.
std::string npy(const std::string &descr, const std::string &shape, const std::string &data) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
  return std::string("\x93NUMPY\1\0", 8) + static_cast<char>(header.size()) + std::string(1, 0) + header + data;
}

TEST_F(DatasetTest, ReadsNpyPairs) {
  write("coil1_2x1_u8.npy", npy("|u1", "(2, 2, 1)", "abcd"));
  write("coil1_labels_u8.npy", npy("|u1", "(2,)", std::string("\1\0", 2)));
  writeGzip("coil2_rgb.npy.gz", npy("|u1", "(1, 1, 2, 3)", "rgbRGB"));
  writeGzip("coil2_labels.npy.gz", npy("<i4", "(1,)", std::string("\2\0\0\0", 4)));
  write("x_f.npy", npy(">f4", "(1, 2)", std::string("\x3f\x80\0\0\xc0\0\0\0", 8)));
  write("y_f.npy", npy("<i8", "(1,)", std::string(8, 0)));
  Expected<std::vector<std::string>> parts = datasetParts(folder.path);
  ASSERT_TRUE(parts.ok()) << parts.status().message();
  EXPECT_EQ(*parts, (std::vector<std::string>{"coil1", "coil2", "f"}));
  Expected<Dataset> grey = openDataset(folder.path, "coil1");
  ASSERT_TRUE(grey.ok()) << grey.status().message();
  EXPECT_EQ(grey->shape(), (ImageShape{1, 2, 1}));
  expectImage(*grey, 0, 1, {'a', 'b'});
  Expected<Dataset> colour = openDataset(folder.path, "coil2");
  ASSERT_TRUE(colour.ok()) << colour.status().message();
  EXPECT_EQ(colour->classNames().size(), 3u);
  expectImage(*colour, 0, 2, {'r', 'R', 'g', 'G', 'b', 'B'});
  Expected<Dataset> features = openDataset(folder.path, "f");
  ASSERT_TRUE(features.ok()) << features.status().message();
  EXPECT_EQ(features->kind(), SampleKind::Features);
  Sample sample;
  ASSERT_TRUE(features->read(0, sample).ok());
  EXPECT_EQ(sample.features, (std::vector<float>{1, -2}));
  expectInvalid("it has no part 'train'; it has 'coil1', 'coil2', 'f'");
}

TEST_F(DatasetTest, NpyErrorsAreLocated) {
  auto expectSamples = [&](const std::string &content, const std::string &text) {
    write("train_x.npy", content);
    expectInvalid(text);
  };
  write("train_labels.npy", npy("|u1", "(2,)", std::string("\0\1", 2)));
  expectInvalid("part 'train' expects one .npy file of samples and one of labels, but got '' and 'train_labels.npy'");
  expectSamples(npy("|u1", "(3, 1, 1)", "abc"), "3 samples in '" + folder.file("train_x.npy") + "', but 2 labels in");
  expectSamples(npy("|u1", "(2, 1, 1)", "a"), "train_x.npy: sample 1 (byte ");
  expectSamples(npy("|u1", "(2, 1, 1)", "abc"), "train_x.npy: u8[2, 1, 1] takes 2 bytes, but 3 follow the header");
  expectSamples(npy("|u1", "(2, 2, 2, 2)", std::string(16, 'a')), "train_x.npy: expected images [N, H, W]");
  expectSamples(npy("|u1", "()", "a"), "expected an array with a dim of samples, but got a scalar");
  expectSamples("text", "train_x.npy: not an npy file");
  expectSamples(npy("|u1", "(9223372036854775807, 9223372036854775807)", ""), "overflows");
  write("train_x.npy", npy("<f4", "(2, 1)", std::string("\0\0\x80\x7f\0\0\0\0", 8)));
  Expected<Dataset> infinite = open();
  ASSERT_TRUE(infinite.ok()) << infinite.status().message();
  Sample sample;
  expectFailure(infinite->read(0, sample), StatusCode::InvalidInput, "feature 0 is no finite f32: inf");
  write("train_labels.npy", npy("<f4", "(2,)", std::string(8, 0)));
  expectInvalid("train_labels.npy: expected labels u8, i8, i32 or i64 of shape [N], but got f32[2]");
  write("classes.txt", "only\n");
  write("train_labels.npy", npy("|i1", "(2,)", std::string("\0\xff", 2)));
  expectInvalid("label -1 is out of range: there are 1 classes");
}

TEST_F(DatasetTest, DamagedNpyNeverCrashes) {
  write("train_labels.npy", npy("|u1", "(2,)", std::string("\0\1", 2)));
  forEachDamage(npy("|u1", "(2, 1, 2, 3)", "abcdefghijkl"), [&](const std::string &content) {
    write("train_x.npy", content);
    Expected<Dataset> train = open();
    Sample sample;
    if (train)
      (void)train->read(0, sample).ok();
  });
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

void expectFeatures(const Dataset &dataset, int64_t index, int32_t label, const std::vector<float> &features) {
  Sample sample;
  Status status = dataset.read(index, sample);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(sample.features, features);
  EXPECT_EQ(dataset.label(index), label);
}

TEST_F(DatasetTest, ReadsTables) {
  write("train.csv",
        "\xef\xbb\xbfwidth,\"class\",\"height, \"\"m\"\"\"\r\n1.5,\"dog\r\nor wolf\",-2e1\r\n\r\n +3 ,cat,4");
  writeGzip("test.tsv.gz", "width\tclass\theight\n5\tcat\t6\n");
  for (uint64_t budget : {uint64_t(1) << 30, uint64_t(0)}) {
    DatasetOptions options;
    options.memoryBudget = budget;
    Expected<Dataset> train = open(Split::Train, options);
    ASSERT_TRUE(train.ok()) << train.status().message();
    EXPECT_EQ(train->shape(), (ImageShape{2, 1, 1}));
    EXPECT_EQ(train->classNames(), (std::vector<std::string>{"cat", "dog\r\nor wolf"}));
    ASSERT_EQ(train->size(), 2);
    expectFeatures(*train, 1, 0, {3, 4});
    expectFeatures(*train, 0, 1, {1.5, -20});
  }
  Expected<Dataset> test = open(Split::Test);
  ASSERT_TRUE(test.ok()) << test.status().message();
  expectFeatures(*test, 0, 0, {5, 6});
}

TEST_F(DatasetTest, TablesWithoutHeaderHaveTheClassLast) {
  write("iris.csv", "1,2,10\n3,4,9\n");
  Expected<Dataset> iris = openDataset(folder.path, "iris");
  ASSERT_TRUE(iris.ok()) << iris.status().message();
  EXPECT_EQ(iris->classNames(), (std::vector<std::string>{"9", "10"})) << "numbers are ordered as numbers";
  expectFeatures(*iris, 0, 1, {1, 2});
  write("iris.csv", "a,b,kind\n1,9,2\n");
  DatasetOptions options;
  options.labelColumn = "b";
  Expected<Dataset> chosen = openDataset(folder.path, "iris", options);
  ASSERT_TRUE(chosen.ok()) << chosen.status().message();
  expectFeatures(*chosen, 0, 0, {1, 2});
  options.labelColumn = "c";
  expectFailure(openDataset(folder.path, "iris", options), StatusCode::InvalidInput,
                "iris.csv: it has no column 'c'; it has 'a', 'b', 'kind'");
}

TEST_F(DatasetTest, TableErrorsAreLocated) {
  auto expectTable = [&](const std::string &content, const std::string &text) {
    write("train.csv", content);
    expectInvalid("train.csv" + text);
  };
  expectTable("", ": the table is empty");
  expectTable("label\n1\n", ": expected columns of features and one of classes, but got 1 column");
  expectTable("a,label\n1,x\n2\n", ":3: sample 1 (byte 12): expected 2 fields, but got 1");
  expectTable("a,label\n1,x\ntwo,y\n", ":3: sample 1 (byte 12): column 'a' expects a finite number, but got 'two'");
  expectTable("a,label\nnan,x\n", ":2: sample 0 (byte 8): column 'a' expects a finite number, but got 'nan'");
  expectTable("a,label\n1e39,x\n", ":2: sample 0 (byte 8): column 'a' expects a finite number, but got '1e39'");
  expectTable("a,label\n1,\"x\n", ":2: byte 13: the file ends inside quotes");
  expectTable("a,label\n1,\"x\"y\n", ":2: byte 13: expected a separator or the end of the line after a closing quote");
  expectTable("a,label\n1,x\"y\n", ":2: byte 11: a quote inside a field that is not quoted");
  write("train.csv", "a,label\n1,x\ntwo,y\n3,\"z\"z\n4,x\n");
  DatasetOptions options;
  options.skipDamaged = true;
  Expected<Dataset> train = open(Split::Train, options);
  ASSERT_TRUE(train.ok()) << train.status().message();
  EXPECT_EQ(train->size(), 2);
  EXPECT_EQ(train->info().numSkipped, 2);
  expectFeatures(*train, 1, 0, {4});
  write("train.csv", "a,label\n1,x\n");
  write("test.csv", "a,label\n1,q\n");
  expectInvalid("test.csv: sample 0 (byte 8): class 'q' does not occur in", Split::Test);
}

TEST_F(DatasetTest, UnknownFoldersSayWhatIsExpected) {
  expectInvalid("it holds no known data set; expected IDX (train-images-idx3-ubyte), CIFAR binary (train.bin),");
  expectFailure(openDataset(folder.file("absent"), Split::Train), StatusCode::InvalidInput,
                "absent': No such file or directory");
  expectFailure(openDataset(folder.write("file", ""), Split::Train), StatusCode::InvalidInput, "Not a directory");
}

} // namespace
