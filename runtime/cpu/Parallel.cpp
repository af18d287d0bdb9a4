//===- Parallel.cpp - One pool of threads, libgomp's ----------------------===//

#include "espalier/Runtime/CPU/Parallel.h"

#include <algorithm>
#include <atomic>

// The entry points that g++ emits calls to for `#pragma omp`. They are called by name because clang's own OpenMP would
// bring a second runtime.
extern "C" {
void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
void omp_set_num_threads(int threads);
int omp_get_num_procs(void);
}

using namespace espalier::rt;

int espalier::rt::availableProcessors() { return std::max(1, omp_get_num_procs()); }

void espalier::rt::useThreads(int threads) { omp_set_num_threads(std::max(1, threads)); }

namespace {
struct Region {
  KernelFunction kernel;
  void *const *places;
  int64_t extent, grain, pieces;
  std::atomic<int64_t> next{0};
};
} // namespace

/// Takes pieces until none is left. Which thread computes a piece does not matter to its result.
static void work(void *data) {
  auto &region = *static_cast<Region *>(data);
  for (int64_t piece; (piece = region.next.fetch_add(1, std::memory_order_relaxed)) < region.pieces;) {
    int64_t begin = piece * region.grain;
    region.kernel(region.places, begin, std::min(begin + region.grain, region.extent));
  }
}

void espalier::rt::parallelFor(KernelFunction kernel, void *const *places, int64_t extent, int64_t grain, int threads) {
  int64_t pieces = (extent + grain - 1) / grain;
  Region region{kernel, places, extent, grain, pieces};
  if (threads <= 1 || pieces <= 1)
    return work(&region);
  GOMP_parallel(&work, &region, static_cast<unsigned>(std::min<int64_t>(threads, pieces)), 0);
}
