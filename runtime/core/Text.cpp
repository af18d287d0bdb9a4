//===- Text.cpp - Text for messages ---------------------------------------===//

#include "espalier/Runtime/Core/Text.h"

#include <fmt/core.h>

#include <algorithm>

using namespace espalier::rt;

std::string espalier::rt::printable(std::string_view text) {
  constexpr size_t maxLength = 120;
  std::string result;
  for (unsigned char c : text.substr(0, maxLength)) {
    if (c < 0x20 || c == 0x7f)
      result += fmt::format("\\x{:02x}", c);
    else
      result += static_cast<char>(c);
  }
  if (text.size() > maxLength)
    result += "...";
  return result;
}

std::string espalier::rt::quote(std::string_view text) { return fmt::format("'{}'", printable(text)); }

std::string espalier::rt::formatBytes(uint64_t bytes) {
  if (bytes < 1024)
    return fmt::format("{} byte{}", bytes, bytes == 1 ? "" : "s");
  constexpr std::string_view units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit)
    value /= 1024;
  return fmt::format("{:.1f} {}", value, units[unit]);
}

/// Optimal string alignment distance.
static size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> beforeLast(b.size() + 1), last(b.size() + 1), current(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replace = last[j - 1] + (a[i - 1] != b[j - 1]);
      current[j] = std::min({last[j] + 1, current[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        current[j] = std::min(current[j], beforeLast[j - 2] + 1);
    }
    std::swap(beforeLast, last);
    std::swap(last, current);
  }
  return last[b.size()];
}

std::string_view espalier::rt::closestMatch(std::string_view name, const std::vector<std::string_view> &candidates) {
  // A third of the letters may be wrong. A name longer than this is no typing error, and would make the search slow.
  constexpr size_t maxLength = 64;
  if (name.size() > maxLength)
    return {};
  std::string_view best;
  size_t bestDistance = std::max<size_t>(name.size() / 3, 1) + 1;
  for (std::string_view candidate : candidates) {
    size_t distance = editDistance(name, candidate);
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best;
}
