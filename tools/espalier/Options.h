//===- Options.h - checks of option values ----------------------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_OPTIONS_H
#define ESPALIER_TOOLS_ESPALIER_OPTIONS_H

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
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

/// A check for an integer of at least 1.
inline CLI::Validator atLeastOne() {
  return CLI::Validator(
      [](std::string &input) {
        int64_t value = 0;
        auto [end, error] = std::from_chars(input.data(), input.data() + input.size(), value);
        bool valid = error == std::errc() && end == input.data() + input.size() && value >= 1;
        return valid ? std::string() : fmt::format("expects an integer of at least 1, but got '{}'", input);
      },
      "");
}

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_OPTIONS_H
