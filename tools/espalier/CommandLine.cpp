//===- CommandLine.cpp - verbs, flags, exit codes -------------------------===//

#include "CommandLine.h"

#include "../common/Compile.h"
#include "../common/StandardStreams.h"
#include "Verb.h"

#include "espalier/Runtime/Core/File.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/core.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <unistd.h>

using namespace espalier;
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
  writeMessage(
      fmt::format("error: {}{}\n", message, suggestion.empty() ? "" : fmt::format("; did you mean '{}'?", suggestion)));
  return UsageFault;
}

/// The first word on the command line that the verb does not know, with what it was likely meant to be.
static std::optional<int> reportExtras(const CLI::App &command) {
  for (const std::string &extra : command.remaining())
    return reportUsage(fmt::format("'espalier {}' takes no '{}'", command.get_name(), extra),
                       nearest(extra.substr(0, extra.find('=')), flagNames(command)));
  return std::nullopt;
}

/// The verb on the command line, or null.
static const CLI::App *parsedVerb(const CLI::App &app) {
  std::vector<const CLI::App *> verbs = app.get_subcommands([](const CLI::App *verb) { return verb->parsed(); });
  return verbs.empty() ? nullptr : verbs.front();
}

/// Threads of libgomp wait for work in a loop that takes about a millisecond before they sleep. Where another process
/// wants the core, each parallel loop then waits for the scheduler: training is several times slower. libgomp reads how
/// long to spin when it is loaded, so the process starts itself anew.
static void spinBriefly(char **argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT"))
    return;
  setenv("GOMP_SPINCOUNT", "1000", /*overwrite=*/1);
  execv("/proc/self/exe", argv); // where this fails, the process goes on as it is
}

int espalier::tools::runCommandLine(int argc, char **argv) {
  openStandardStreams();
  llvm::sys::PrintStackTraceOnErrorSignal(argv[0]);
  std::signal(SIGINT, [](int) {
    rt::removeTemporaries();
    _exit(Interrupted);
  });
  CLI::App app("Espalier, a compiler for neural architectures", "espalier");
  app.set_version_flag("--version", "espalier " ESPALIER_VERSION);
  app.set_help_all_flag("--help-all", "Help of all verbs");
  app.require_subcommand(0, 1);
  app.allow_extras(); // reported below, with a suggestion

  std::vector<std::unique_ptr<Verb>> verbs = createVerbs();
  std::vector<std::string> names;
  for (const std::unique_ptr<Verb> &verb : verbs) {
    CLI::App *command = app.add_subcommand(verb->name(), verb->summary());
    command->footer(fmt::format("Example:\n  {}", verb->example()));
    command->allow_extras();
    verb->declareAll(*command);
    names.push_back(verb->name());
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &request) { // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError &error) {
    // A misspelt flag explains a missing one.
    if (const CLI::App *command = parsedVerb(app))
      if (std::optional<int> code = reportExtras(*command))
        return *code;
    return reportUsage(error.what(), "");
  }
  const CLI::App *command = parsedVerb(app);
  for (const std::string &extra : app.remaining()) {
    bool isFlag = extra[0] == '-';
    return reportUsage(fmt::format("unknown {} '{}'", isFlag ? "flag" : "verb", extra),
                       nearest(extra, isFlag ? flagNames(app) : names));
  }
  if (!command) {
    std::cout << app.help();
    return argc > 1 ? UsageFault : Done;
  }
  if (std::optional<int> code = reportExtras(*command))
    return *code;
  for (const std::unique_ptr<Verb> &verb : verbs)
    if (verb->name() == command->get_name()) {
      if (verb->computes())
        spinBriefly(argv);
      int code = report(verb->run());
      // The stream would abort the process for a diagnostic that nobody could read.
      llvm::errs().clear_error();
      return code;
    }
  return UsageFault;
}
