//===- Options.h - checks of option values ----------------------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_OPTIONS_H
#define ESPALIER_TOOLS_ESPALIER_OPTIONS_H

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace espalier::tools {

/// Lets an option of an enum type take one of these words. (CLI11's own check prints numbers beside the words.)
template <typename Enum> void allowWords(CLI::Option *option, std::vector<std::pair<std::string, Enum>> words) {
  std::string list;
  for (const auto &[word, value] : words)
    list += (list.empty() ? "" : "|") + word;
  option->type_name(list)->transform(CLI::Validator(
      [words = std::move(words), list](std::string &input) {
        for (const auto &[word, value] : words) {
          if (word != input)
            continue;
          input = std::to_string(static_cast<int>(value));
          return std::string();
        }
        return fmt::format("expects {}, but got '{}'", list, input);
      },
      ""));
}

/// A check for an integer from 1 to `limit`.
inline CLI::Validator atLeastOne(int64_t limit = std::numeric_limits<int64_t>::max()) {
  return CLI::Validator(
      [limit](std::string &input) {
        int64_t value = 0;
        auto [end, error] = std::from_chars(input.data(), input.data() + input.size(), value);
        if (error == std::errc() && end == input.data() + input.size() && value >= 1 && value <= limit)
          return std::string();
        bool isLimited = limit != std::numeric_limits<int64_t>::max();
        return fmt::format("expects an integer {}, but got '{}'",
                           isLimited ? fmt::format("from 1 to {}", limit) : "of at least 1", input);
      },
      "");
}

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_OPTIONS_H
