//===- ArenaPlanner.cpp - places in one block of memory -------------------===//

#include "ArenaPlanner.h"

#include "espalier/Dialect/Plan/IR/PlanDialect.h"

#include "llvm/Support/MathExtras.h"

using namespace espalier::cg;

int64_t ArenaPlanner::roundUp(int64_t bytes) {
  return llvm::alignTo(std::max<int64_t>(bytes, 1), plan::placeAlignment);
}

int64_t ArenaPlanner::allocate(int64_t bytes) {
  bytes = roundUp(bytes);
  auto best = gapsBySize.lower_bound({bytes, 0});
  if (best != gapsBySize.end()) {
    auto [size, offset] = *best;
    gapsBySize.erase(best);
    gaps.erase(offset);
    if (size > bytes)
      addGap(offset + bytes, size - bytes);
    return offset;
  }
  // Grow, from the start of a last gap that is too small.
  int64_t offset = end;
  if (!gaps.empty()) {
    auto [lastOffset, lastBytes] = *gaps.rbegin();
    if (lastOffset + lastBytes == end) {
      offset = lastOffset;
      gapsBySize.erase({lastBytes, lastOffset});
      gaps.erase(lastOffset);
    }
  }
  end = offset + bytes;
  return offset;
}

void ArenaPlanner::release(int64_t offset, int64_t bytes) {
  bytes = roundUp(bytes);
  auto next = gaps.lower_bound(offset);
  if (next != gaps.end() && next->first == offset + bytes) {
    bytes += next->second;
    gapsBySize.erase({next->second, next->first});
    next = gaps.erase(next);
  }
  if (next != gaps.begin()) {
    auto previous = std::prev(next);
    if (previous->first + previous->second == offset) {
      offset = previous->first;
      bytes += previous->second;
      gapsBySize.erase({previous->second, previous->first});
      gaps.erase(previous);
    }
  }
  addGap(offset, bytes);
}

void ArenaPlanner::addGap(int64_t offset, int64_t bytes) {
  gaps.emplace(offset, bytes);
  gapsBySize.emplace(bytes, offset);
}
