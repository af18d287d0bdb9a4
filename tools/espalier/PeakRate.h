//===- PeakRate.h - what the processor can compute at best ------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_PEAKRATE_H
#define ESPALIER_TOOLS_ESPALIER_PEAKRATE_H

namespace espalier::tools {

/// Floating-point operations in a nanosecond that `threads` threads reach together: the best of several short loops of
/// independent multiply-adds in registers, on the widest vectors that this processor has. Elements are f32, or f64.
double measurePeakGflops(bool float64, int threads);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_PEAKRATE_H
