//===- RecordSource.h - Samples of one size in files ------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_LEARN_DATA_RECORDSOURCE_H
#define ESPALIER_RUNTIME_LEARN_DATA_RECORDSOURCE_H

#include "DataFile.h"

#include "espalier/Runtime/Core/HostTensor.h"
#include "espalier/Runtime/Data/Dataset.h"

namespace espalier::rt {

/// How a sample lies in its record.
struct RecordLayout {
  uint64_t recordBytes = 0;  ///< from one sample to the next
  uint64_t sampleOffset = 0; ///< inside the record
  ImageShape shape;
  bool isInterleaved = false; ///< HWC instead of CHW
  SampleKind kind = SampleKind::Image;
  DType dtype = DType::U8; ///< of features; images are bytes
  bool isBigEndian = false;

  uint64_t sampleBytes() const { return static_cast<uint64_t>(shape.numElements()) * byteWidth(dtype); }
};

/// A file of records from `start` on.
struct RecordFile {
  DataFile file;
  uint64_t start = 0;
  int64_t count = 0;
};

/// Reads samples of one size out of files of records.
class RecordSource final : public SampleSource {
public:
  RecordSource(std::vector<RecordFile> files, RecordLayout layout)
      : files(std::move(files)), layout(std::move(layout)) {}

  Status read(int64_t index, Sample &sample) const override;
  std::string locate(int64_t index) const override;
  bool isResident() const override;
  bool canFail() const override { return layout.kind == SampleKind::Features; }

private:
  /// The file of a sample, and its number there.
  std::pair<const RecordFile *, int64_t> find(int64_t index) const;
  uint64_t offsetOf(const RecordFile &record, int64_t inFile) const;

  std::vector<RecordFile> files;
  RecordLayout layout;
};

/// Element `index` of values of `dtype`, of the machine's byte order.
double elementAsDouble(DType dtype, const uint8_t *elements, int64_t index);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_LEARN_DATA_RECORDSOURCE_H
