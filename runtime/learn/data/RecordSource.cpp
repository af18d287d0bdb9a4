//===- RecordSource.cpp - Samples of one size in files --------------------===//

#include "RecordSource.h"

#include "espalier/Runtime/Data/Image.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace espalier::rt;

template <typename T> static double load(const uint8_t *elements, int64_t index) {
  T value;
  std::memcpy(&value, elements + static_cast<size_t>(index) * sizeof(T), sizeof(T));
  return static_cast<double>(value);
}

double espalier::rt::elementAsDouble(DType dtype, const uint8_t *elements, int64_t index) {
  switch (dtype) {
  case DType::F32:
    return load<float>(elements, index);
  case DType::F64:
    return load<double>(elements, index);
  case DType::I8:
    return load<int8_t>(elements, index);
  case DType::I32:
    return load<int32_t>(elements, index);
  case DType::I64:
    return load<int64_t>(elements, index);
  default:
    return load<uint8_t>(elements, index);
  }
}

bool RecordSource::isResident() const {
  return layout.kind == SampleKind::Image &&
         std::all_of(files.begin(), files.end(), [](const RecordFile &file) { return file.file.isResident(); });
}

std::pair<const RecordFile *, int64_t> RecordSource::find(int64_t index) const {
  const RecordFile *record = files.data();
  for (; index >= record->count; ++record)
    index -= record->count;
  return {record, index};
}

uint64_t RecordSource::offsetOf(const RecordFile &record, int64_t inFile) const {
  return record.start + static_cast<uint64_t>(inFile) * layout.recordBytes + layout.sampleOffset;
}

std::string RecordSource::locate(int64_t index) const {
  auto [record, inFile] = find(index);
  return fmt::format("{}: sample {} (byte {})", record->file.path(), inFile, offsetOf(*record, inFile));
}

Status RecordSource::read(int64_t index, Sample &sample) const {
  auto [record, inFile] = find(index);
  uint64_t offset = offsetOf(*record, inFile);
  size_t size = static_cast<size_t>(layout.sampleBytes());
  sample.shape = layout.shape;
  if (layout.kind == SampleKind::Image && !layout.isInterleaved) {
    sample.pixels.resize(size);
    return record->file.readAt(offset, sample.pixels);
  }
  std::vector<uint8_t> &bytes = sample.stored;
  bytes.resize(size);
  if (Status status = record->file.readAt(offset, bytes); !status.ok())
    return status;
  if (layout.kind == SampleKind::Image) {
    sample.pixels.resize(size);
    toPlanar(bytes.data(), layout.shape, sample.pixels.data());
    return {};
  }
  size_t width = byteWidth(layout.dtype);
  if (layout.isBigEndian)
    for (size_t start = 0; start < size; start += width)
      std::reverse(bytes.begin() + static_cast<ptrdiff_t>(start),
                   bytes.begin() + static_cast<ptrdiff_t>(start + width));
  sample.features.resize(static_cast<size_t>(layout.shape.channels));
  for (int64_t i = 0; i < layout.shape.channels; ++i) {
    double value = elementAsDouble(layout.dtype, bytes.data(), i);
    sample.features[static_cast<size_t>(i)] = static_cast<float>(value);
    if (!std::isfinite(sample.features[static_cast<size_t>(i)]))
      return invalidInput("{}: feature {} is no finite f32: {}", locate(index), i, value);
  }
  return {};
}
