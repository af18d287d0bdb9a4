//===- SafetensorsTest.cpp ------------------------------------------------===//

#include "espalier/Runtime/Core/Safetensors.h"

#include "TestSupport.h"

using namespace espalier::rt;
using namespace espalier::rt::test;

namespace {

/// A file with the given JSON header and data.
std::string safetensors(const std::string &header, const std::string &data) {
  std::string length(8, '\0');
  for (size_t i = 0; i < 8; ++i)
    length[i] = static_cast<char>(header.size() >> (8 * i));
  return length + header + data;
}

class SafetensorsTest : public testing::Test {
protected:
  Expected<SafetensorsFile> open(const std::string &content) {
    return SafetensorsFile::open(folder.write("w.safetensors", content));
  }
  void expectInvalid(const std::string &header, const std::string &data, const std::string &text) {
    Expected<SafetensorsFile> result = open(safetensors(header, data));
    expectFailure(result, StatusCode::InvalidInput, "w.safetensors: ");
    expectFailure(result, StatusCode::InvalidInput, text);
  }

  TempFolder folder;
};

TEST_F(SafetensorsTest, WritesAndReads) {
  Expected<HostTensor> bytes = HostTensor::create(DType::U8, {3}), wide = HostTensor::create(DType::F64, {}),
                       weight = HostTensor::create(DType::F32, {1, 2}), none = HostTensor::create(DType::BF16, {0});
  bytes->bytes()[2] = 9;
  wide->elements<double>()[0] = 2.5;
  weight->elements<float>()[1] = -1.0f;
  std::string path = folder.file("w.safetensors");
  ASSERT_TRUE(writeSafetensors(path, {{"a.bytes", &*bytes}, {"b.wide", &*wide}, {"c.weight", &*weight}, {"d", &*none}},
                               {{"classes", "cat\ndog"}, {"size", "8x8"}})
                  .ok());

  std::string content = contentOf(path);
  // Widest elements first, data at a multiple of 8 bytes.
  std::string header = R"({"__metadata__":{"classes":"cat\ndog","size":"8x8"},)"
                       R"("b.wide":{"dtype":"F64","shape":[],"data_offsets":[0,8]},)"
                       R"("c.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]},)"
                       R"("d":{"dtype":"BF16","shape":[0],"data_offsets":[16,16]},)"
                       R"("a.bytes":{"dtype":"U8","shape":[3],"data_offsets":[16,19]}})";
  EXPECT_EQ(content.substr(8, header.size()), header);
  EXPECT_EQ((content.size() - 19) % 8, 0u);

  Expected<SafetensorsFile> file = SafetensorsFile::open(path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->metadata(), (Metadata{{"classes", "cat\ndog"}, {"size", "8x8"}}));
  EXPECT_EQ(file->entries().size(), 4u);
  Expected<HostTensor> back = file->read("c.weight");
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->shape(), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(back->elements<float>()[1], -1.0f);
  EXPECT_EQ(file->read("a.bytes")->bytes()[2], 9);
  EXPECT_EQ(file->read("b.wide")->elements<double>()[0], 2.5);
  expectFailure(file->read("c.bias"), StatusCode::InvalidInput, "w.safetensors has no tensor 'c.bias'");
}

TEST_F(SafetensorsTest, RefusesToWriteBadNames) {
  Expected<HostTensor> tensor = HostTensor::create(DType::F32, {});
  std::string path = folder.file("w.safetensors");
  expectFailure(writeSafetensors(path, {{"__metadata__", &*tensor}}), StatusCode::InvalidInput, "cannot be named");
  expectFailure(writeSafetensors(path, {{"a\xff", &*tensor}}), StatusCode::InvalidInput, "not valid UTF-8");
  EXPECT_EQ(folder.numFiles(), 0u);
}

TEST_F(SafetensorsTest, HeaderLengthIsChecked) {
  expectFailure(open("short"), StatusCode::InvalidInput, "expected at least 8 bytes, but got 5");
  expectFailure(open(std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10)), StatusCode::InvalidInput,
                "header says 18446744073709551615 bytes, file has 2");
}

TEST_F(SafetensorsTest, HeaderGrammar) {
  auto tensor = [](const std::string &fields) { return "{\"t\": {" + fields + "}}"; };
  std::string good = R"("dtype": "U8", "shape": [1], "data_offsets": [0, 1])";
  EXPECT_TRUE(open(safetensors(tensor(good) + "   ", "x")).ok());
  expectInvalid("", "", "header is not valid JSON at byte 9");
  expectInvalid("{\"t\": }", "", "header is not valid JSON at byte 15");
  expectInvalid(std::string(100'000, '['), "", "header: expected an object, but got a list");
  expectInvalid("{\"t\":" + std::string(100'000, '['), "",
                "header: expected an object with dtype, shape and data_offsets, but got a list");
  expectInvalid(R"({"__metadata__": 1})", "", "header: expected an object of strings, but got a number");
  expectInvalid(R"({"__metadata__": {"a": {}}})", "", "metadata: expected a string, but got an object");
  expectInvalid(R"({"__metadata__": {"a": "1", "a": "2"}})", "", "metadata: 'a' appears twice");
  expectInvalid(R"({"__metadata__": {}, "__metadata__": {}})", "", "header: '__metadata__' appears twice");
  expectInvalid("{\"t\": {" + good + "}, \"t\": {" + good + "}}", "x", "header: 't' appears twice");
  expectInvalid(tensor(good + ", \"x\": 1"), "x", "tensor 't': unknown key 'x'");
  expectInvalid(tensor(good + ", \"dtype\": \"U8\""), "x", "tensor 't': 'dtype' appears twice");
  expectInvalid(tensor(R"("dtype": "U8", "shape": [1])"), "x", "tensor 't' lacks 'data_offsets'");
  expectInvalid(tensor(R"("dtype": 8)"), "x", "tensor 't': expected a string as dtype, but got a number");
  expectInvalid(tensor(R"("shape": "8")"), "x", "tensor 't': expected a list as shape, but got a string");
  expectInvalid(tensor(R"("data_offsets": {})"), "x", "tensor 't': expected a list as data_offsets, but got an object");
  expectInvalid(tensor(R"("shape": [-1])"), "x", "tensor 't': expected a non-negative integer that fits in 63 bits");
  expectInvalid(tensor(R"("shape": [1.0])"), "x", "but got a fraction");
  expectInvalid(tensor(R"("shape": [true])"), "x", "but got a boolean");
  expectInvalid(tensor(R"("shape": [null])"), "x", "but got null");
  expectInvalid(tensor(R"("shape": [18446744073709551615])"), "x", "but got 18446744073709551615");
  expectInvalid(tensor(R"("data_offsets": [0, 1, 2])"), "x", "tensor 't': more than 2 data_offsets");
  expectInvalid(tensor(R"("dtype": "U8", "shape": [1], "data_offsets": [0])"), "x",
                "expected 2 data_offsets, but got 1");
  expectFailure(open(safetensors(tensor(R"("dtype": "F8_E4M3")"), "")), StatusCode::Unsupported,
                "tensor 't': dtype 'F8_E4M3' is not supported");
  std::string manyDims = "1";
  for (int i = 0; i < 64; ++i)
    manyDims += ",1";
  expectInvalid(tensor("\"shape\": [" + manyDims + "]"), "", "tensor 't': more than 64 dims");
}

TEST_F(SafetensorsTest, RangesFitTheTensorsAndTheFile) {
  auto one = [](const std::string &shape, const std::string &offsets) {
    return "{\"t\": {\"dtype\": \"F32\", \"shape\": " + shape + ", \"data_offsets\": " + offsets + "}}";
  };
  expectInvalid(one("[2]", "[0, 4]"), "1234", "tensor 't': f32[2] takes 8 bytes, but data_offsets [0, 4] hold 4");
  expectInvalid(one("[1]", "[4, 0]"), "1234", "tensor 't': data_offsets [4, 0] run backwards");
  expectInvalid(one("[4611686018427387904, 4]", "[0, 0]"), "", "tensor 't': the size of f32");
  expectInvalid(one("[1]", "[0, 4]"), "123", "tensor 't' ends at byte 4 of the data, but the file has 3 (truncated?)");
  expectInvalid(one("[1]", "[0, 4]"), "12345", "bytes 4 to 5 of the data belong to no tensor");
  expectInvalid(one("[1]", "[1, 5]"), "12345", "bytes 0 to 1 of the data belong to no tensor");
  auto two = [](const std::string &a, const std::string &b) {
    return "{\"a\": {\"dtype\": \"U8\", \"shape\": [2], \"data_offsets\": " + a +
           "}, \"b\": {\"dtype\": \"U8\", \"shape\": [2], \"data_offsets\": " + b + "}}";
  };
  expectInvalid(two("[0, 2]", "[1, 3]"), "123", "tensors 'a' and 'b' overlap");
  expectInvalid(two("[0, 2]", "[0, 2]"), "12", "tensors 'a' and 'b' overlap");
  expectInvalid(two("[0, 2]", "[3, 5]"), "12345", "bytes 2 to 3 of the data belong to no tensor");
  EXPECT_TRUE(open(safetensors(two("[2, 4]", "[0, 2]"), "1234")).ok());
}

TEST_F(SafetensorsTest, DamageNeverCrashes) {
  std::string content = safetensors(R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                                    R"("b":{"dtype":"BOOL","shape":[2],"data_offsets":[4,6]}})",
                                    "123456");
  auto readAll = [&](const std::string &content) {
    Expected<SafetensorsFile> file = open(content);
    if (!file)
      return false;
    for (const auto &[name, entry] : file->entries())
      EXPECT_TRUE(file->read(name).ok());
    return true;
  };
  ASSERT_TRUE(readAll(content));
  forEachDamage(content, readAll);
}

} // namespace
