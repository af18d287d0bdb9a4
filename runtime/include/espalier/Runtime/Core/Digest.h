//===- Digest.h - Checksums -------------------------------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_CORE_DIGEST_H
#define ESPALIER_RUNTIME_CORE_DIGEST_H

#include "espalier/Runtime/Core/Span.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace espalier::rt {

/// SHA-256 (FIPS 180-4) of all that is added.
class Digest {
public:
  Digest();
  Digest(Digest &&);
  ~Digest();

  void add(Span<const uint8_t> bytes);
  /// Adds the length of `text`, then `text`: a sequence of texts gives another digest than their concatenation.
  void add(std::string_view text);
  /// Adds eight bytes, the lowest first.
  void add(uint64_t number);
  /// 64 hexadecimal digits. Ends the digest.
  std::string finish();

private:
  struct State;
  std::unique_ptr<State> state;
};

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4).
uint32_t crc32c(std::string_view bytes);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_CORE_DIGEST_H
