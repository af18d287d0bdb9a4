//===- PhiloxTest.cpp -----------------------------------------------------===//

#include "espalier/Runtime/Core/Philox.h"

#include <gtest/gtest.h>

using namespace espalier::rt;

namespace {

// The known answers published with Random123 (file kat_vectors, lines "philox4x32 10").
TEST(PhiloxTest, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(PhiloxTest, SeedFillsBothKeyWords) {
  EXPECT_EQ(philoxKey(0x299f31d0a4093822), (PhiloxKey{0xa4093822, 0x299f31d0}));
}

} // namespace
