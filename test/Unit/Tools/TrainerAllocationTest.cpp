//===- TrainerAllocationTest.cpp - a step of training allocates nothing ---===//

#include "TinyTrainer.h"

#include "../../../tools/common/Allocations.h"

#include <gtest/gtest.h>

using namespace espalier;

TEST(TrainerAllocation, StepsAfterTheFirstAllocateNothing) {
  if (!tools::canCountAllocations())
    GTEST_SKIP() << "a sanitizer has an allocator of its own";
  rt::Dataset data = tiny::makeDataset();
  std::unique_ptr<rt::Trainer> trainer = tiny::makeTrainer(data, {});
  ASSERT_TRUE(trainer);
  ASSERT_TRUE(trainer->initialize({}).ok());

  std::vector<uint64_t> counts;
  counts.reserve(tiny::numSteps);
  for (int64_t i = 0; i < tiny::numSteps; ++i) {
    rt::Status status = trainer->trainStep(i);
    ASSERT_TRUE(status.ok()) << status.message();
    counts.push_back(tools::numAllocations());
  }
  EXPECT_GT(counts.front(), 0u) << "nothing is counted";
  EXPECT_EQ(counts.back(), counts.front());
}
