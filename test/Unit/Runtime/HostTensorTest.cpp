//===- HostTensorTest.cpp -------------------------------------------------===//

#include "espalier/Runtime/Core/HostTensor.h"

#include "TestSupport.h"

using namespace espalier::rt;
using namespace espalier::rt::test;

namespace {

TEST(HostTensorTest, IsZeroAlignedAndOwned) {
  Expected<HostTensor> tensor = HostTensor::create(DType::I64, {2, 3});
  ASSERT_TRUE(tensor.ok());
  EXPECT_EQ(tensor->numElements(), 6);
  EXPECT_EQ(tensor->byteSize(), 48u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor->bytes().data()) % HostTensor::alignment, 0u);
  for (int64_t element : tensor->elements<int64_t>())
    EXPECT_EQ(element, 0);

  tensor->elements<int64_t>()[5] = 7;
  Expected<HostTensor> copy = tensor->clone();
  ASSERT_TRUE(copy.ok());
  tensor->elements<int64_t>()[5] = 8;
  EXPECT_EQ(copy->elements<int64_t>()[5], 7);
  EXPECT_EQ(copy->shape(), (std::vector<int64_t>{2, 3}));
}

TEST(HostTensorTest, ScalarsAndEmptyTensors) {
  Expected<HostTensor> scalar = HostTensor::create(DType::F32, {});
  ASSERT_TRUE(scalar.ok());
  EXPECT_EQ(scalar->numElements(), 1);
  // The product of the other dims overflows, but nothing is stored.
  Expected<HostTensor> empty = HostTensor::create(DType::F32, {INT64_MAX, 4, 0});
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(empty->byteSize(), 0u);
}

TEST(HostTensorTest, ImpossibleSizesAreErrors) {
  expectFailure(HostTensor::create(DType::F32, {2, -1}), StatusCode::InvalidInput, "f32[2, -1]");
  expectFailure(HostTensor::create(DType::I8, {1LL << 62, 4}), StatusCode::InvalidInput, "overflows");
  expectFailure(HostTensor::create(DType::F64, {1LL << 61}), StatusCode::InvalidInput, "overflows");
  expectFailure(HostTensor::create(DType::I8, {1LL << 62}), StatusCode::Environment,
                "i8[4611686018427387904]: it needs 4.0 EiB");
}

TEST(HostTensorTest, DTypeNamesRoundTrip) {
  for (DType dtype :
       {DType::F32, DType::F64, DType::BF16, DType::F16, DType::I1, DType::U8, DType::I8, DType::I32, DType::I64})
    EXPECT_EQ(parseDType(name(dtype)), dtype);
  EXPECT_EQ(parseDType("f8"), std::nullopt);
  EXPECT_EQ(byteWidth(DType::BF16), 2u);
}

} // namespace
