//===- StatusTest.cpp -----------------------------------------------------===//

#include "espalier/Runtime/Core/Status.h"

#include <gtest/gtest.h>

using namespace espalier::rt;

namespace {

Status bind(bool fails) {
  if (fails)
    return invalidInput("tensor '{}' has {} elements, expected {}", "stem.bn.mean", 64, 32);
  return {};
}

TEST(StatusTest, SuccessIsEmptyAndExitsWithZero) {
  Status status = bind(false);
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.message(), "");
  EXPECT_EQ(status.exitCode(), 0);
  EXPECT_TRUE(std::move(status).in("loading").ok());
}

TEST(StatusTest, ContextIsAddedOutermostFirst) {
  Status status = bind(true).in("loading parameters").in("net.esp");
  EXPECT_EQ(status.message(), "net.esp: loading parameters: tensor 'stem.bn.mean' has 64 elements, expected 32");
  EXPECT_EQ(status.code(), StatusCode::InvalidInput);
}

TEST(StatusTest, CodesAreTheExitCodesOfTheCommandLine) {
  EXPECT_EQ(invalidInput("x").exitCode(), 1);
  EXPECT_EQ(usageError("x").exitCode(), 2);
  EXPECT_EQ(unsupported("x").exitCode(), 3);
  EXPECT_EQ(environmentError("x").exitCode(), 4);
}

TEST(StatusTest, ExpectedHoldsAValueOrAFailure) {
  Expected<std::unique_ptr<int>> value = std::make_unique<int>(7);
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(**value, 7);
  EXPECT_EQ(*std::move(value).operator*(), 7);

  Expected<std::unique_ptr<int>> failure = unsupported("no such device");
  ASSERT_FALSE(failure);
  EXPECT_EQ(failure.takeStatus().in("cuda").message(), "cuda: no such device");
}

} // namespace
