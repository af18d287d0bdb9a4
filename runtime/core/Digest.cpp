//===- Digest.cpp - Checksums ---------------------------------------------===//

#include "espalier/Runtime/Core/Digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <new>

using namespace espalier::rt;

struct Digest::State {
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Digest::Digest() : state(std::make_unique<State>()) {
  // With valid arguments the library fails only for want of memory, which is reported as the standard library does.
  if (!state->context || EVP_DigestInit_ex(state->context, EVP_sha256(), nullptr) != 1)
    throw std::bad_alloc();
}
Digest::Digest(Digest &&) = default;
Digest::~Digest() = default;

void Digest::add(Span<const uint8_t> bytes) { EVP_DigestUpdate(state->context, bytes.data(), bytes.size()); }

void Digest::add(std::string_view text) {
  add(static_cast<uint64_t>(text.size()));
  EVP_DigestUpdate(state->context, text.data(), text.size());
}

void Digest::add(uint64_t number) {
  uint8_t bytes[sizeof(number)];
  for (uint8_t &byte : bytes) {
    byte = static_cast<uint8_t>(number);
    number >>= 8;
  }
  add(Span<const uint8_t>(bytes, sizeof(bytes)));
}

std::string Digest::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
  unsigned size = 0;
  EVP_DigestFinal_ex(state->context, bytes.data(), &size);
  std::string text;
  for (unsigned i = 0; i < size; ++i)
    text += fmt::format("{:02x}", bytes[i]);
  return text;
}

/// The remainders of all bytes by the reflected polynomial.
static constexpr std::array<uint32_t, 256> makeCrcTable() {
  std::array<uint32_t, 256> table = {};
  for (uint32_t byte = 0; byte < table.size(); ++byte) {
    uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit)
      remainder = remainder >> 1 ^ (remainder & 1 ? 0x82f63b78u : 0u);
    table[byte] = remainder;
  }
  return table;
}

uint32_t espalier::rt::crc32c(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> table = makeCrcTable();
  uint32_t crc = ~0u;
  for (unsigned char byte : bytes)
    crc = crc >> 8 ^ table[(crc ^ byte) & 0xff];
  return ~crc;
}
