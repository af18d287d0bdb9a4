//===- NpyTest.cpp --------------------------------------------------------===//

#include "espalier/Runtime/Core/Npy.h"

#include "TestSupport.h"

#include <cstring>

using namespace espalier::rt;
using namespace espalier::rt::test;

namespace {

/// An npy file of version `major` with the given dictionary and data.
std::string npy(const std::string &dictionary, const std::string &data, char major = 1) {
  std::string length = {static_cast<char>(dictionary.size() & 0xff), static_cast<char>(dictionary.size() >> 8)};
  if (major > 1)
    length += std::string(2, '\0');
  return "\x93NUMPY" + std::string({major, 0}) + length + dictionary + data;
}

class NpyTest : public testing::Test {
protected:
  Expected<HostTensor> read(const std::string &content) { return readNpy(folder.write("x.npy", content)); }
  void expectError(const std::string &content, StatusCode code, const std::string &text) {
    Expected<HostTensor> result = read(content);
    expectFailure(result, code, "x.npy: ");
    expectFailure(result, code, text);
  }
  void expectInvalid(const std::string &dictionary, const std::string &data, const std::string &text) {
    expectError(npy(dictionary, data), StatusCode::InvalidInput, text);
  }

  TempFolder folder;
};

TEST_F(NpyTest, WritesWhatNumPyWrites) {
  Expected<HostTensor> tensor = HostTensor::create(DType::F32, {2, 1});
  ASSERT_TRUE(tensor.ok());
  tensor->elements<float>()[1] = 1.0f;
  ASSERT_TRUE(writeNpy(folder.file("x.npy"), *tensor).ok());
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }";
  header.append(118 - header.size() - 1, ' ');
  EXPECT_EQ(contentOf(folder.file("x.npy")), npy(header + "\n", std::string("\0\0\0\0\0\0\x80\x3f", 8)));
}

TEST_F(NpyTest, RoundTripsEveryTypeAndRank) {
  for (DType dtype : {DType::F32, DType::F64, DType::F16, DType::I1, DType::U8, DType::I8, DType::I32, DType::I64}) {
    for (const std::vector<int64_t> &shape : {std::vector<int64_t>{}, {3}, {2, 2}, {0, 5}, {1, 2, 3}}) {
      Expected<HostTensor> tensor = HostTensor::create(dtype, shape);
      ASSERT_TRUE(tensor.ok());
      for (size_t i = 0; i < tensor->byteSize(); ++i)
        tensor->bytes()[i] = dtype == DType::I1 ? i % 2 : static_cast<uint8_t>(7 * i + 1);
      ASSERT_TRUE(writeNpy(folder.file("x.npy"), *tensor).ok());
      Expected<HostTensor> back = readNpy(folder.file("x.npy"));
      ASSERT_TRUE(back.ok()) << back.status().message();
      EXPECT_EQ(back->dtype(), dtype);
      EXPECT_EQ(back->shape(), shape);
      ASSERT_EQ(back->byteSize(), tensor->byteSize());
      EXPECT_EQ(std::memcmp(back->bytes().data(), tensor->bytes().data(), tensor->byteSize()), 0);
    }
  }
  expectFailure(writeNpy(folder.file("y.npy"), *HostTensor::create(DType::BF16, {1})), StatusCode::Unsupported,
                "npy has no bf16");
  EXPECT_EQ(folder.numFiles(), 1u);
}

TEST_F(NpyTest, ReadsVersionsTwoAndThree) {
  for (char major : {1, 2, 3}) {
    Expected<HostTensor> tensor =
        read(npy("{\"shape\": (2L,), 'fortran_order':False,'descr':'|u1'}  \n", "\x05\x06", major));
    ASSERT_TRUE(tensor.ok()) << tensor.status().message();
    EXPECT_EQ(tensor->elements<uint8_t>()[1], 6);
  }
  expectError(npy("{}", "", 4), StatusCode::Unsupported, "npy version 4.0 is not supported");
}

TEST_F(NpyTest, ConvertsByteOrderAndFortranOrder) {
  Expected<HostTensor> tensor = read(npy("{'descr': '>i4', 'fortran_order': True, 'shape': (2, 3)}",
                                         std::string("\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5\0\0\1\0", 24)));
  ASSERT_TRUE(tensor.ok()) << tensor.status().message();
  Span<int32_t> elements = tensor->elements<int32_t>();
  EXPECT_EQ(std::vector<int32_t>(elements.begin(), elements.end()), (std::vector<int32_t>{1, 3, 5, 2, 4, 256}));
}

TEST_F(NpyTest, BooleansBecomeZeroOrOne) {
  Expected<HostTensor> tensor = read(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", "\x02\x01"));
  ASSERT_TRUE(tensor.ok());
  EXPECT_EQ(tensor->bytes()[0], 1);
}

TEST_F(NpyTest, LocatesErrorsInTheHeader) {
  expectError("", StatusCode::InvalidInput, "not an npy file");
  expectError("\x89PNG\r\n\x1a\n....", StatusCode::InvalidInput, "not an npy file");
  expectError(std::string("\x93NUMPY\1\0\x10", 9), StatusCode::InvalidInput, "file ends at byte 9");
  expectError(std::string("\x93NUMPY\1\0\x10\0{}", 12), StatusCode::InvalidInput, "header says 16 bytes, file has 2");
  expectError(std::string("\x93NUMPY\2\0\xff\xff\xff\xff", 12), StatusCode::InvalidInput,
              "header length 4294967295 exceeds");
  std::string rest = ", 'fortran_order': False, 'shape': (1,)}";
  expectInvalid("x", "", "header at byte 10: expected '{'");
  expectInvalid("{'descr': '|u1'" + rest + " x", "", "expected nothing after '}'");
  expectInvalid("{'descr': '|u1' 'shape'", "", "header at byte 26: expected ',' or '}'");
  expectInvalid("{'descr' '|u1'" + rest, "", "expected ':'");
  expectInvalid("{'descr': 1" + rest, "", "header at byte 20: expected a quoted string");
  expectInvalid("{'kind': '|u1'" + rest, "", "header at byte 11: unknown key 'kind'");
  expectInvalid("{'descr': '|u1', 'descr': '|u1'" + rest, "", "key 'descr' appears twice");
  expectInvalid("{'descr': '|u1', 'shape': (1,)}", "", "header lacks the key 'fortran_order'");
  expectInvalid("{'fortran_order': No", "", "expected True or False");
  expectInvalid("{'shape': [1]", "", "expected '('");
  expectInvalid("{'shape': (-1,)", "", "expected a dim or ')'");
  expectInvalid("{'shape': (1 2)", "", "expected ',' or ')'");
  expectInvalid("{'shape': (9223372036854775808,)", "", "header at byte 21: dim does not fit in 64 bits");
  std::string manyDims = "{'shape': (";
  for (int i = 0; i < 65; ++i)
    manyDims += "1,";
  expectInvalid(manyDims, "", "header at byte 149: more than 64 dims");
}

TEST_F(NpyTest, SizesMustAgree) {
  std::string tail = "'fortran_order': False, 'shape': (4611686018427387904, 2)}";
  expectInvalid("{'descr': '<f8', " + tail, "", "the size of f64[4611686018427387904, 2] overflows");
  expectInvalid("{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846975,)}", "",
                "f64[1152921504606846975] takes 9223372036854775800 bytes, but the file has 0 after the header "
                "(truncated?)");
  expectInvalid("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", "abc",
                "u8[2] takes 2 bytes, but the file has 3 after the header");
}

TEST_F(NpyTest, NamesUnsupportedTypes) {
  std::string rest = ", 'fortran_order': False, 'shape': (1,)}";
  expectError(npy("{'descr': '<c8'" + rest, ""), StatusCode::Unsupported, "element type '<c8' is not supported");
  expectError(npy("{'descr': [('x', '<f4')]" + rest, ""), StatusCode::Unsupported, "structured arrays");
}

TEST_F(NpyTest, DamageNeverCrashes) {
  std::string content = npy("{'descr': '>f4', 'fortran_order': True, 'shape': (1, 2), }\n", "12345678");
  ASSERT_TRUE(read(content).ok());
  forEachDamage(content, [&](const std::string &damaged) { (void)read(damaged).ok(); });
}

} // namespace
