//===- Completion.cpp - espalier completion -------------------------------===//

#include "Options.h"
#include "Verbs.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

using namespace espalier;
using namespace espalier::tools;

namespace {
class Completion final : public Verb {
public:
  const char *name() const override { return "completion"; }
  const char *summary() const override { return "Print a script that completes verbs and flags in a shell"; }
  const char *example() const override { return "espalier completion bash > espalier-completion.bash"; }
  void declare(CLI::App &flags) override {
    tool = flags.get_parent();
    allowWords<Shell>(flags.add_option("SHELL", shell, "The shell that sources the script")->required(),
                      {{"bash", Shell::Bash}, {"zsh", Shell::Zsh}, {"fish", Shell::Fish}});
  }
  rt::Status run() override;

private:
  enum class Shell { Bash, Zsh, Fish };
  Shell shell = Shell::Bash;
  const CLI::App *tool = nullptr;
};

/// A flag as shells see it.
struct Flag {
  std::string name; ///< with its dashes
  std::string description;
  bool takesValue = false;
  std::vector<std::string> words; ///< the values, where they are few; else files are offered
};
} // namespace

/// The words of a type such as "op|block|graph".
static std::vector<std::string> wordsOf(const CLI::Option &option) {
  std::string name = option.get_type_name();
  llvm::StringRef type = name;
  llvm::SmallVector<llvm::StringRef> parts;
  type.split(parts, '|');
  std::vector<std::string> words;
  for (llvm::StringRef part : parts)
    words.push_back(part.split('[').first.str());
  return parts.size() > 1 ? words : std::vector<std::string>();
}

static std::vector<Flag> flagsOf(const CLI::App &verb) {
  std::vector<Flag> flags;
  for (const CLI::Option *option : verb.get_options()) {
    bool takesValue = option->get_expected_max() > 0 && option->get_type_size_max() > 0;
    for (const std::string &name : option->get_lnames())
      flags.push_back({"--" + name, option->get_description(), takesValue, wordsOf(*option)});
    for (const std::string &name : option->get_snames())
      flags.push_back({"-" + name, option->get_description(), takesValue, wordsOf(*option)});
  }
  return flags;
}

/// Words that a verb takes in place of files.
static std::string positionalWords(const CLI::App &verb) {
  std::vector<std::string> words;
  for (const CLI::Option *option : verb.get_options())
    if (option->get_positional())
      words = wordsOf(*option);
  return fmt::format("{}", fmt::join(words, " "));
}

static std::vector<const CLI::App *> verbsOf(const CLI::App &tool) {
  return tool.get_subcommands([](const CLI::App *) { return true; });
}

/// `text` between single quotes.
static std::string shellQuoted(const std::string &text) {
  std::string result = "'";
  for (char c : text)
    result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

static std::string bashScript(const CLI::App &tool) {
  std::string verbNames, cases;
  for (const CLI::App *verb : verbsOf(tool)) {
    verbNames += verb->get_name() + " ";
    std::string names, values;
    for (const Flag &flag : flagsOf(*verb)) {
      names += flag.name + " ";
      if (flag.takesValue)
        values += fmt::format("        {}) {} ;;\n", flag.name,
                              flag.words.empty() ? "files=1" : fmt::format("words='{}'", fmt::join(flag.words, " ")));
    }
    std::string positional = positionalWords(*verb);
    cases += fmt::format("    {})\n      case \"$before\" in\n{}        *) words='{}{}'; files={} ;;\n      esac ;;\n",
                         verb->get_name(), values, names, positional, positional.empty() ? 1 : 0);
  }
  return fmt::format(R"(# Completion of espalier for bash: source this file.
_espalier() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words='' files=0
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '{}--help --version' -- "$word"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{}  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  if [ "$files" -eq 1 ] && [ "${{word:0:1}}" != - ]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}}
complete -F _espalier espalier
)",
                     verbNames, cases);
}

/// `text` as a description inside the brackets or after the colon of a zsh specification.
static std::string zshDescription(const std::string &text) {
  std::string result;
  for (char c : text)
    result += c == '[' || c == ']' || c == ':' ? std::string("\\") + c : std::string(1, c);
  return result;
}

static std::string zshScript(const CLI::App &tool) {
  std::string verbNames, cases;
  for (const CLI::App *verb : verbsOf(tool)) {
    verbNames += fmt::format("    {}\n", shellQuoted(fmt::format("{}:{}", verb->get_name(), verb->get_description())));
    std::string specs;
    for (const Flag &flag : flagsOf(*verb)) {
      std::string spec = fmt::format("{}[{}]", flag.name, zshDescription(flag.description));
      if (flag.takesValue)
        spec += flag.words.empty() ? ":value:_files" : fmt::format(":value:({})", fmt::join(flag.words, " "));
      specs += fmt::format(" \\\n        {}", shellQuoted(spec));
    }
    std::string positional = positionalWords(*verb);
    specs += fmt::format(" \\\n        {}",
                         shellQuoted(positional.empty() ? "*:file:_files" : "*:word:(" + positional + ")"));
    cases += fmt::format("    {})\n      _arguments{} ;;\n", verb->get_name(), specs);
  }
  return fmt::format(R"(#compdef espalier
# Completion of espalier for zsh: put this file as _espalier into a folder of $fpath.
_espalier() {{
  local -a verbs
  verbs=(
{}  )
  if (( CURRENT == 2 )); then
    _describe verb verbs
    return
  fi
  local verb=$words[2]
  shift words
  (( CURRENT-- ))
  case $verb in
{}  esac
}}
_espalier "$@"
)",
                     verbNames, cases);
}

static std::string fishScript(const CLI::App &tool) {
  std::string script = "# Completion of espalier for fish: put this file into ~/.config/fish/completions.\n";
  for (const CLI::App *verb : verbsOf(tool))
    script += fmt::format("complete -c espalier -f -n __fish_use_subcommand -a {} -d {}\n", verb->get_name(),
                          shellQuoted(verb->get_description()));
  for (const CLI::App *verb : verbsOf(tool)) {
    std::string condition = fmt::format("-n '__fish_seen_subcommand_from {}'", verb->get_name());
    for (const Flag &flag : flagsOf(*verb)) {
      bool isLong = flag.name[1] == '-';
      std::string value = !flag.takesValue ? ""
                          : flag.words.empty()
                              ? " -rF"
                              : fmt::format(" -xa {}", shellQuoted(fmt::format("{}", fmt::join(flag.words, " "))));
      script += fmt::format("complete -c espalier {} -{} {} -d {}{}\n", condition, isLong ? "l" : "s",
                            flag.name.substr(isLong ? 2 : 1), shellQuoted(flag.description), value);
    }
    if (std::string words = positionalWords(*verb); !words.empty())
      script += fmt::format("complete -c espalier {} -fa {}\n", condition, shellQuoted(words));
  }
  return script;
}

rt::Status Completion::run() {
  switch (shell) {
  case Shell::Bash:
    return writeResult("", bashScript(*tool));
  case Shell::Zsh:
    return writeResult("", zshScript(*tool));
  case Shell::Fish:
    return writeResult("", fishScript(*tool));
  }
  return {};
}

std::unique_ptr<Verb> espalier::tools::createCompletionVerb() { return std::make_unique<Completion>(); }
