//===- CommandLine.h - verbs, flags, exit codes -----------------*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_COMMANDLINE_H
#define ESPALIER_TOOLS_ESPALIER_COMMANDLINE_H

namespace espalier::tools {

/// Parses the command line, runs the verb it names and returns the exit code of the process.
int runCommandLine(int argc, char **argv);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_COMMANDLINE_H
