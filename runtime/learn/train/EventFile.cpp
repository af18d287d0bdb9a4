//===- EventFile.cpp - Scalars for TensorBoard ----------------------------===//

#include "espalier/Runtime/Train/EventFile.h"

#include "espalier/Runtime/Core/Digest.h"

#include <fmt/format.h>

#include <cstring>

using namespace espalier::rt;

template <typename T> static void appendLittleEndian(std::string &text, T value) {
  for (size_t i = 0; i < sizeof(T); ++i)
    text += static_cast<char>(value >> 8 * i & 0xff);
}

/// CRC as TFRecord stores it: rotated and offset, so that the CRC of data that holds CRCs stays meaningful.
static uint32_t maskedCrc(std::string_view data) {
  uint32_t crc = crc32c(data);
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static std::string frame(std::string_view data) {
  std::string record;
  appendLittleEndian(record, static_cast<uint64_t>(data.size()));
  appendLittleEndian(record, maskedCrc(record));
  record += data;
  appendLittleEndian(record, maskedCrc(data));
  return record;
}

namespace {

/// A message in the wire format of protocol buffers.
class Message {
public:
  void addVarint(uint32_t field, uint64_t value) {
    tag(field, 0);
    varint(value);
  }
  void addDouble(uint32_t field, double value) {
    tag(field, 1);
    uint64_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    appendLittleEndian(text, bits);
  }
  void addBytes(uint32_t field, std::string_view bytes) {
    tag(field, 2);
    varint(bytes.size());
    text += bytes;
  }
  void addFloat(uint32_t field, float value) {
    tag(field, 5);
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    appendLittleEndian(text, bits);
  }

  std::string text;

private:
  void tag(uint32_t field, uint32_t wireType) { varint(field << 3 | wireType); }
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7)
      text += static_cast<char>(value | 0x80);
    text += static_cast<char>(value);
  }
};

} // namespace

std::string espalier::rt::eventFileName(int64_t time) { return fmt::format("events.out.tfevents.{}.espalier", time); }

std::string espalier::rt::eventFileHeader(double time) {
  Message event;
  event.addDouble(/*wall_time=*/1, time);
  event.addBytes(/*file_version=*/3, "brain.Event:2");
  return frame(event.text);
}

std::string espalier::rt::scalarEvent(double time, int64_t step, const std::map<std::string, double> &scalars) {
  Message summary;
  for (const auto &[name, number] : scalars) {
    Message value;
    value.addBytes(/*tag=*/1, name);
    value.addFloat(/*simple_value=*/2, static_cast<float>(number));
    summary.addBytes(/*value=*/1, value.text);
  }
  Message event;
  event.addDouble(/*wall_time=*/1, time);
  event.addVarint(/*step=*/2, static_cast<uint64_t>(step));
  event.addBytes(/*summary=*/5, summary.text);
  return frame(event.text);
}
