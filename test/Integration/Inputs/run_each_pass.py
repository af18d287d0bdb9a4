"""Runs every cg pass by itself, then all from decomposition to the planner, on each graph of a file.

A pass may succeed or refuse with located errors; it may not die, and it may not take longer than ten seconds. The
planner has to refuse.
"""

import re
import subprocess
import sys

LAST = "builtin.module(cg.graph(cg-specialize,cg-functionalize,cg-decompose),cse,cg.graph(cg-fuse,cg-assign-layout),cg-choose-kernels,cg-pack-operands,cg-to-plan)"


def run(*arguments):
    command = ["espalier-opt", "--split-input-file", sys.argv[1], "-o", "/dev/null", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=10)
    located = re.findall(r"^\S+:\d+:\d+: error: ", result.stderr, re.M)
    if result.returncode not in (0, 1) or (result.returncode == 1 and not located):
        sys.exit(f"{arguments}: exit code {result.returncode}\n{result.stderr}")
    return result


if run().returncode != 0:
    sys.exit("the graphs themselves have errors")
listing = subprocess.run(["espalier-opt", "--list-passes"], capture_output=True, text=True, check=True).stdout
passes = re.findall(r"^\s*(--cg-[\w-]+)\s", listing, re.M)
for name in passes:
    run(name)
print(f"{len(passes)} passes")
print(run(f"--pass-pipeline={LAST}").stderr)
