//===- ArenaPlanner.h - places in one block of memory -----------*- C++ -*-===//

#ifndef ESPALIER_LIB_CONVERSION_CGTOPLAN_ARENAPLANNER_H
#define ESPALIER_LIB_CONVERSION_CGTOPLAN_ARENAPLANNER_H

#include <cstdint>
#include <map>
#include <set>

namespace espalier::cg {

/// Hands out places of an arena that grows as needed, in order of time: best fit among the gaps, lowest offset among
/// equals. O(log n) for each place.
class ArenaPlanner {
public:
  /// Offset of a place of this size, a multiple of the places' alignment.
  int64_t allocate(int64_t bytes);
  /// Gives a place back.
  void release(int64_t offset, int64_t bytes);

private:
  static int64_t roundUp(int64_t bytes);
  void addGap(int64_t offset, int64_t bytes);

  int64_t end = 0;
  std::map<int64_t, int64_t> gaps;                  // offset -> bytes; never adjacent
  std::set<std::pair<int64_t, int64_t>> gapsBySize; // (bytes, offset)
};

} // namespace espalier::cg

#endif // ESPALIER_LIB_CONVERSION_CGTOPLAN_ARENAPLANNER_H
