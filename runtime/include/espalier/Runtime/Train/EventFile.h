//===- EventFile.h - Scalars for TensorBoard --------------------*- C++ -*-===//
//
// A file of TFRecords (length, masked CRC-32C of it, data, masked CRC-32C of that; little-endian), each of which holds
// a protocol buffer `Event`:
// https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_RUNTIME_TRAIN_EVENTFILE_H
#define ESPALIER_RUNTIME_TRAIN_EVENTFILE_H

#include <cstdint>
#include <map>
#include <string>

namespace espalier::rt {

/// The name that TensorBoard looks for, with a time in seconds since 1970.
std::string eventFileName(int64_t time);

/// The record that every event file begins with.
std::string eventFileHeader(double time);

/// A record of scalars by tag ("test/accuracy") at one step.
std::string scalarEvent(double time, int64_t step, const std::map<std::string, double> &scalars);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_TRAIN_EVENTFILE_H
