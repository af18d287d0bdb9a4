//===- CommandLine.cpp - verbs, flags, exit codes -------------------------===//

#include "CommandLine.h"
#include "Verb.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Signals.h"

#include <fmt/core.h>

#include <iostream>

using namespace espalier::tools;

/// The candidate that `word` is most likely a slip of, or nothing.
static std::string nearest(llvm::StringRef word, const std::vector<std::string> &candidates) {
  std::string best;
  unsigned bestDistance = std::max<unsigned>(2, word.size() / 3) + 1;
  for (const std::string &candidate : candidates) {
    unsigned distance = word.edit_distance(candidate, /*AllowReplacements=*/true, bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

static std::vector<std::string> flagNames(const CLI::App &app) {
  std::vector<std::string> names;
  for (const CLI::Option *option : app.get_options())
    for (const std::string &name : option->get_lnames())
      names.push_back("--" + name);
  return names;
}

static int reportUsage(const std::string &message, const std::string &suggestion) {
  fmt::print(stderr, "error: {}{}\n", message,
             suggestion.empty() ? "" : fmt::format("; did you mean '{}'?", suggestion));
  return UsageFault;
}

int espalier::tools::runCommandLine(int argc, char **argv) {
  llvm::sys::PrintStackTraceOnErrorSignal(argv[0]);
  CLI::App app("Espalier, a compiler for neural architectures", "espalier");
  app.set_version_flag("--version", "espalier " ESPALIER_VERSION);
  app.set_help_all_flag("--help-all", "Help of all verbs");
  app.require_subcommand(0, 1);

  std::vector<std::unique_ptr<Verb>> verbs = createVerbs();
  std::vector<std::string> names;
  for (const std::unique_ptr<Verb> &verb : verbs) {
    CLI::App *command = app.add_subcommand(verb->name(), verb->summary());
    command->footer(fmt::format("Example:\n  {}", verb->example()));
    command->allow_extras(); // reported below, with a suggestion
    verb->declare(*command);
    names.push_back(verb->name());
  }

  if (argc > 1 && argv[1][0] != '-' && std::find(names.begin(), names.end(), argv[1]) == names.end())
    return reportUsage(fmt::format("unknown verb '{}'", argv[1]), nearest(argv[1], names));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &request) { // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError &error) {
    return reportUsage(error.what(), "");
  }
  for (const std::unique_ptr<Verb> &verb : verbs) {
    const CLI::App &command = *app.get_subcommand(verb->name());
    if (!command.parsed())
      continue;
    for (const std::string &extra : command.remaining())
      return reportUsage(fmt::format("'espalier {}' takes no '{}'", verb->name(), extra),
                         nearest(extra, flagNames(command)));
    return verb->run();
  }
  std::cout << app.help();
  return argc > 1 ? UsageFault : Done;
}
