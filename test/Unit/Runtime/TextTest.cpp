//===- TextTest.cpp -------------------------------------------------------===//

#include "espalier/Runtime/Core/Text.h"

#include <gtest/gtest.h>

using namespace espalier::rt;

namespace {

TEST(TextTest, QuoteKeepsAMessageOnOneLine) {
  EXPECT_EQ(quote("conv1.weight"), "'conv1.weight'");
  EXPECT_EQ(quote(std::string_view("a\n\0\x7f", 4)), "'a\\x0a\\x00\\x7f'");
  EXPECT_EQ(quote(std::string(1000, 'x')).size(), 125u);
}

TEST(TextTest, FormatBytes) {
  EXPECT_EQ(formatBytes(1), "1 byte");
  EXPECT_EQ(formatBytes(1023), "1023 bytes");
  EXPECT_EQ(formatBytes(1536), "1.5 KiB");
  EXPECT_EQ(formatBytes(UINT64_MAX), "16.0 EiB");
}

TEST(TextTest, ClosestMatch) {
  std::vector<std::string_view> keys = {"learning_rate", "momentum", "seed"};
  EXPECT_EQ(closestMatch("learn_rate", keys), "learning_rate");
  EXPECT_EQ(closestMatch("momnetum", keys), "momentum");
  EXPECT_EQ(closestMatch("sede", keys), "seed");
  EXPECT_EQ(closestMatch("banana", keys), "");
  EXPECT_EQ(closestMatch("", keys), "");
  EXPECT_EQ(closestMatch(std::string(1'000'000, 's'), keys), "");
}

} // namespace
