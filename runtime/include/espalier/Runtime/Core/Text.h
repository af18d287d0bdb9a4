//===- Text.h - Text for messages -------------------------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_CORE_TEXT_H
#define ESPALIER_RUNTIME_CORE_TEXT_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace espalier::rt {

/// `text` as one line of a message may have it: control characters are escaped, long text is shortened.
std::string printable(std::string_view text);

/// printable() text in single quotes.
std::string quote(std::string_view text);

/// A byte count for people: "512 bytes", "1.5 MiB".
std::string formatBytes(uint64_t bytes);

/// The candidate closest to a mistyped `name` by edit distance (insert, delete, replace, swap of neighbours), or an
/// empty string if none is close enough to be meant.
std::string_view closestMatch(std::string_view name, const std::vector<std::string_view> &candidates);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_CORE_TEXT_H
