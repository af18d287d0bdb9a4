//===- Parallel.h - One pool of threads, libgomp's --------------*- C++ -*-===//
//
// Our kernels and oneDNN share the threads of libgomp: two pools in one process would fight for the cores. The
// floating-point environment is left as it is: denormals are kept, as in the reference evaluator and in PyTorch's
// default.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_RUNTIME_CPU_PARALLEL_H
#define ESPALIER_RUNTIME_CPU_PARALLEL_H

#include <cstdint>

namespace espalier::rt {

/// A compiled kernel: computes iterations `[begin, end)` on `places`.
using KernelFunction = void (*)(void *const *places, int64_t begin, int64_t end);

/// More threads than that are a slip, and libgomp dies of them.
constexpr int maxThreads = 1024;

/// Processors that this process may use; at least 1.
int availableProcessors();

/// Sets how many threads the pool has for regions that the calling thread opens, here and in oneDNN.
void useThreads(int threads);

/// Runs `kernel` over `[0, extent)` in pieces of `grain` iterations, on at most `threads` threads. The pieces are the
/// same for every number of threads, and so are the results. Allocates nothing.
void parallelFor(KernelFunction kernel, void *const *places, int64_t extent, int64_t grain, int threads);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_CPU_PARALLEL_H
