//===- espalier.cpp - the command line ------------------------------------===//

#include "CommandLine.h"

int main(int argc, char **argv) { return espalier::tools::runCommandLine(argc, argv); }
